//! The time of requests. The time left travels with them; while this broker has one it counts
//! from its own start. Each broker on the way answers a request that expires in it, so the
//! requester learns where it stopped, and a later response is an orphan.

use std::time::Duration;

use node::Cx;
use proto::Delivery;
use wire::Message;

use crate::core::Broker;
use crate::limits::EXPIRY_LOOK_MS;
use crate::router::{Hop, Stop};

impl Broker {
    /// A message is sent with the time that is left. Programs that are not ours would not
    /// know of it.
    pub(crate) fn gives_deadline(&self, to: Hop, message: &mut Message) {
        if message.deadline_ms == 0 {
            return;
        }
        let left = Duration::from_millis(message.deadline_ms).saturating_sub(self.router.now());
        let left = match to {
            Hop::Parent | Hop::Child(_) => Delivery::left_for_next(left),
            Hop::Module(_) => left,
            Hop::Here | Hop::Client(_) => Duration::ZERO,
        };
        message.deadline_ms = match left.is_zero() {
            true => 0,
            false => (left.as_millis() as u64).max(1),
        };
    }

    /// Schedules a check for expired requests at this time, or shortly after.
    pub(crate) fn look_for_expired(&mut self, cx: &mut Cx<Broker>, at: Duration) {
        if self.next_look.is_some_and(|next| next <= at) {
            return;
        }
        self.next_look = Some(at);
        let wait = at.saturating_sub(cx.now().mono);
        let wait = wait.max(Duration::from_millis(EXPIRY_LOOK_MS));
        cx.timer(wait, |core: &mut Broker, cx| core.expire(cx));
    }

    fn expire(&mut self, cx: &mut Cx<Broker>) {
        self.next_look = None;
        self.router.expire();
        self.carry_out(cx);
        for request in self
            .modules
            .take_expired(|request| self.router.is_expired(request))
        {
            self.refuse(cx, request, Stop::expired());
        }
        let next = [self.router.next_expiry(), self.modules.next_expiry()];
        if let Some(at) = next.into_iter().flatten().min() {
            self.look_for_expired(cx, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use node::{ChildEvent, Input, PeerId};
    use wire::Message;

    use crate::probe::{OWNER, Probe, json, outcome};
    use crate::router::{Hop, ModuleId};

    fn request(tag: u32, deadline_ms: u64) -> Message {
        let mut request = Message::request("echo.hello", tag);
        request.set_payload(json("{}"));
        request.deadline_ms = deadline_ms;
        request
    }

    /// The errors sent to a client, with the notes behind their text.
    fn errors(probe: &mut Probe, client: PeerId) -> Vec<(u32, u32, String)> {
        let mut errors = Vec::new();
        while let Some(answer) = probe.heard(client) {
            let note = answer.error_note().unwrap_or_default().to_owned();
            errors.push((answer.matchtag(), outcome(&answer).0, note));
        }
        errors
    }

    fn pass(probe: &mut Probe, ms: u64) {
        probe.pass(Duration::from_millis(ms));
    }

    fn expired(tag: u32) -> (u32, u32, String) {
        (tag, 110, "expired@0".to_owned())
    }

    #[test]
    fn what_a_slow_module_has_expires_in_its_order() {
        let mut probe = Probe::start(&["echo"]);
        let (module, _) = probe.module("echo");
        let asker = probe.client(OWNER);
        for (tag, deadline_ms) in [(1, 300), (2, 100), (3, 0)] {
            probe.say(asker, request(tag, deadline_ms));
        }
        let given = probe.heard(module).unwrap();
        assert_eq!(given.deadline_ms, 300, "what is left of it goes on");
        pass(&mut probe, 90);
        assert_eq!(errors(&mut probe, asker), []);
        pass(&mut probe, 20);
        assert_eq!(errors(&mut probe, asker), [expired(2)]);
        pass(&mut probe, 200);
        assert_eq!(errors(&mut probe, asker), [expired(1)]);
        assert_eq!(probe.node.core().router.n_pending(), 1);
        probe.say(module, Message::respond_to(&given, 0, json("{}")));
        assert_eq!(probe.heard(asker), None, "it is too late");
        let counts = probe.node.core().orphans.counts();
        let expect = [(proto::orphans::Cause::Expired, 3)].into();
        assert_eq!(counts, &expect);
        pass(&mut probe, 1_000_000);
        assert_eq!(errors(&mut probe, asker), []);
    }

    #[test]
    fn what_is_held_expires_and_the_rest_goes_on() {
        let mut probe = Probe::start(&["echo"]);
        let (_, child) = probe.module("echo");
        let asker = probe.client(OWNER);
        let event = ChildEvent::Exited { status: 9 };
        probe.deliver(Input::Child { child, event });
        for (tag, deadline_ms) in [(1, 300), (2, 100), (3, 0)] {
            probe.say(asker, request(tag, deadline_ms));
        }
        pass(&mut probe, 110);
        assert_eq!(errors(&mut probe, asker), [expired(2)]);
        pass(&mut probe, 100);
        let (module, _) = probe.module_runs();
        let given: Vec<(u32, u64)> = std::iter::from_fn(|| probe.heard(module))
            .filter(|message| message.topic() == "echo.hello")
            .map(|message| (message.matchtag(), message.deadline_ms))
            .collect();
        assert_eq!(given, [(1, 90), (3, 0)]);
    }

    #[test]
    fn the_next_rank_has_less_and_a_program_hears_nothing_of_it() {
        let probe = Probe::start(&[]);
        let now = probe.now.mono.as_millis() as u64;
        for (to, left) in [
            (Hop::Parent, 700),
            (Hop::Child(3), 700),
            (Hop::Module(ModuleId(1)), 800),
            (Hop::Client(PeerId(1)), 0),
        ] {
            let mut message = request(1, now + 800);
            probe.node.core().gives_deadline(to, &mut message);
            assert_eq!(message.deadline_ms, left, "{to:?}");
        }
    }

    #[test]
    fn what_comes_too_late_goes_nowhere() {
        let mut probe = Probe::start(&["echo"]);
        let (module, _) = probe.module("echo");
        let asker = probe.client(OWNER);
        let mut late = request(1, 1);
        late.deadline_ms = u64::MAX;
        probe.say(asker, late);
        assert!(
            probe.heard(module).is_some(),
            "a time beyond all clocks is none"
        );
    }
}
