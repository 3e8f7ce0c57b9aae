//! A core, its routes and its effects, put together: receives inputs, finds the function
//! for each, keeps the outputs.

use std::time::Duration;

use proto::common::Cancel;
use proto::{Payload, Refusal};
use wire::{Errno, Identity, Kind, Message, topic};

use crate::Host;
use crate::builtin;
use crate::contract::{Input, Now, Output};
use crate::cx::{Cx, count};
use crate::limits::OPEN_REQUESTS_MAX;
use crate::peer::Peer;
use crate::routes::{Routes, may_publish, not_allowed};
use crate::spent::{self, Cause};
use proto::common::Welcome;

/// A component in working order.
pub struct Actor<C: Host> {
    /// State of the component.
    pub core: C,
    /// Context.
    pub cx: Cx<C>,
    routes: Routes<C>,
}

impl<C: Host> Actor<C> {
    /// Puts a component together. `make` builds the core and may use the effects.
    pub fn new<E>(
        now: Now,
        welcome: Welcome,
        routes: Routes<C>,
        make: impl FnOnce(&mut Cx<C>) -> Result<C, E>,
    ) -> Result<Actor<C>, E> {
        let mut cx = Cx::new(welcome);
        cx.set_now(now);
        let core = make(&mut cx)?;
        Ok(Actor { core, cx, routes })
    }

    /// Subscribes to the events that have routes.
    pub fn subscribe_to_routes(&mut self) {
        for topic in self.routes.subscriptions() {
            self.cx.subscribe(topic);
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.begin(now, &input);
        match input {
            Input::Message { message, .. } => self.handle_message(message),
            Input::Deadline => self.run_timers(),
            Input::Settled => self.core.settled(&mut self.cx),
            Input::Signal(signum) => self.core.signal(&mut self.cx, signum),
            Input::Child { child, event } => self.core.child(&mut self.cx, child, event),
            Input::Work { work, result } => {
                if let Some(done) = self.cx.take_work(work) {
                    done(&mut self.core, &mut self.cx, result);
                }
            }
            Input::PeerUp { .. } | Input::PeerDown { .. } | Input::PeerFlow { .. } => {}
        }
        self.let_early_requests_in();
    }

    /// Sets the time before messages are handed in one by one, and the reason for them.
    pub fn begin(&mut self, now: Now, input: &Input) {
        self.cx.set_now(now);
        self.cx.spent.begin(cause_of(input));
    }

    /// Receives a message.
    pub fn handle_message(&mut self, message: Message) {
        count(&mut self.cx.stats.rx, &message);
        match message.kind {
            Kind::Request { .. } if self.cx.requests_held => self.hold_request(message),
            Kind::Request { .. } => self.handle_request(message),
            Kind::Response { matchtag: 0, .. } => self.core.untagged(&mut self.cx, &message),
            Kind::Response { .. } => self.cx.handle_response(&mut self.core, &message),
            Kind::Event { .. } => self.handle_event(&message),
            Kind::Control { .. } => {}
        }
    }

    /// Keeps a request that came before the component could answer. A message without
    /// response, like the order to stop, is not kept waiting.
    fn hold_request(&mut self, message: Message) {
        let is_conf = C::CONFIGURED_EARLY && topic::method_of(message.topic()) == "config-reload";
        if is_conf || !message.wants_response() {
            self.take_back_early(&message);
            self.handle_request(message);
        } else if let Some(refusal) = self.refusal_of(&message) {
            self.cx.respond(message, Err(refusal));
        } else if self.cx.early.len() < OPEN_REQUESTS_MAX {
            self.cx.early.push_back(message);
        } else {
            self.cx.respond(message, Err(Refusal::bare(Errno::EBUSY)));
        }
    }

    /// Forgets requests that came too early when their sender leaves, and answers one that
    /// it takes back.
    fn take_back_early(&mut self, message: &Message) {
        let by = Peer::of(message, C::HOPS_SINCE_STAMP);
        let method = topic::method_of(message.topic());
        let service = topic::service_of(message.topic());
        let cancelled = match method {
            "disconnect" => None,
            "cancel" => Cancel::decode(message.payload()).ok(),
            _ => return,
        };
        let is_meant = |early: &Message| match &cancelled {
            Some(cancel) => {
                early.matchtag() == cancel.matchtag && topic::service_of(early.topic()) == service
            }
            None => method == "disconnect",
        };
        for early in std::mem::take(&mut self.cx.early) {
            let peer = Peer::of(&early, C::HOPS_SINCE_STAMP);
            if !is_meant(&early) || !peer.is_covered_by(&by) {
                self.cx.early.push_back(early);
            } else if cancelled.is_some() {
                self.cx.respond(early, Err(Refusal::END));
            }
        }
    }

    /// Refusal for a sender without the role that the routes require.
    fn refusal_of(&self, message: &Message) -> Option<Refusal> {
        let topic = self.local_topic(message.topic());
        let topic = topic.as_deref().unwrap_or(message.topic());
        let allowed = proto::Role::OWNER | self.routes.request(topic)?.role;
        (!message.rolemask.meets(allowed)).then(|| not_allowed(allowed))
    }

    fn let_early_requests_in(&mut self) {
        while !self.cx.requests_held
            && let Some(message) = self.cx.early.pop_front()
        {
            self.handle_request(message);
        }
    }

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.cx.outbox.pop_front()
    }

    /// Time at which the next timer is due.
    pub fn deadline(&self) -> Option<Duration> {
        self.cx.next_due()
    }

    fn handle_request(&mut self, message: Message) {
        let topic = self.local_topic(message.topic());
        let topic = topic.as_deref().unwrap_or(message.topic());
        if let Some(route) = self.routes.request(topic) {
            let allowed = proto::Role::OWNER | route.role;
            if !message.rolemask.meets(allowed) {
                return self.cx.respond(message, Err(not_allowed(allowed)));
            }
            self.cx.spent.begin(spent::request(route.topic));
            (route.run)(&mut self.core, &mut self.cx, message);
        } else if topic.ends_with(".disconnect") || topic == "disconnect" {
            self.handle_disconnect(&message);
        } else if let Some(message) = builtin::handle(&mut self.core, &mut self.cx, message) {
            let text = format!("Unknown service method '{}'", message.topic());
            self.cx
                .respond(message, Err(Refusal::new(Errno::ENOSYS, text)));
        }
    }

    /// A module loaded under another name has its routes under that name too.
    fn local_topic(&self, topic: &str) -> Option<String> {
        let service = topic::service_of(topic);
        (service == self.cx.name() && service != C::NAME)
            .then(|| format!("{}{}", C::NAME, &topic[service.len()..]))
    }

    fn handle_disconnect(&mut self, message: &Message) {
        let gone = Peer::of(message, C::HOPS_SINCE_STAMP);
        for id in self.cx.requests_of(&gone) {
            self.core.closed(&mut self.cx, id);
        }
        self.core.disconnected(&mut self.cx, &gone);
    }

    /// There is a broker again, which knows nothing of us: earlier requesters have
    /// disconnected, and our own requests will not be answered.
    pub fn begin_again(&mut self, now: Now) {
        self.cx.set_now(now);
        for id in self.cx.forget_all_open() {
            self.core.closed(&mut self.cx, id);
        }
        self.cx.fail_calls(&mut self.core);
        self.subscribe_to_routes();
        self.core.broker_found(&mut self.cx);
    }

    fn handle_event(&mut self, message: &Message) {
        for route in self.routes.events(message.topic()) {
            if may_publish(message, route.role) {
                self.cx.spent.begin(spent::event(route.topic));
                (route.run)(&mut self.core, &mut self.cx, message);
            }
        }
        self.core.event(&mut self.cx, message);
        builtin::handle_event(&mut self.core, &mut self.cx, message);
    }

    fn run_timers(&mut self) {
        while let Some(run) = self.cx.pop_due() {
            run(&mut self.core, &mut self.cx);
        }
    }

    /// Notes the time that the last handler took.
    pub fn took(&mut self, time: Duration) {
        self.cx.spent.add(time);
        self.cx.steps.took(time);
    }

    /// Our identity, for route stacks.
    pub fn identity(&self) -> Option<Identity> {
        Identity::new(self.cx.uuid())
    }
}

/// Cause of a handler, as far as the input shows it.
fn cause_of(input: &Input) -> Cause {
    match input {
        Input::Message { .. } => spent::OTHER,
        Input::Deadline => spent::TIMER,
        Input::Settled => spent::SETTLED,
        Input::Signal(_) => spent::SIGNAL,
        Input::Child { .. } => spent::CHILD,
        Input::Work { .. } => spent::WORK,
        Input::PeerUp { .. } | Input::PeerDown { .. } | Input::PeerFlow { .. } => spent::LINK,
    }
}

impl<C: Host> Drop for Actor<C> {
    /// A component that is killed leaves requests unanswered, and that is no bug of its
    /// own: its broker answers for it.
    fn drop(&mut self) {
        self.cx.closing.set(true);
    }
}
