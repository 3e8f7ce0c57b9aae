//! We come to our parent: hello, its answer, its configuration, and its state from then on
//! (protocol/20 section 4, protocol/03 section 9).

use node::{Call, Cx, Output, PeerId};
use proto::attr::names;
use proto::overlay::{Hello, PROTOCOLS, Welcome};
use proto::state_machine::{Monitor, StateNumber};
use proto::{Errno, Method, Payload, Refusal};
use wire::{Identity, Kind, Message, NODEID_ANY, Role};

use super::link::{Climb, Parent};
use crate::core::{Broker, seconds};
use crate::lifecycle::{Event, State};
use crate::router::Hop;

/// Interval of the message that the parent has not answered, in seconds.
const PATIENCE_S: u64 = 60;

/// Matchtag of the one request that does not go through the router.
const HELLO_TAG: u32 = 1;

impl Broker {
    /// Goes to the parent, if there is one.
    pub(crate) fn join(&mut self, cx: &mut Cx<Broker>) {
        if self.tree.parent == Parent::None {
            return self.post(cx, Event::ParentNone);
        }
        let hello = Hello {
            rank: self.router.rank(),
            version: version_number(proto::attr::CORE_VERSION),
            uuid: self.router.identity().as_str().to_owned(),
            status: self.tree.children.own().0 as u32,
            hostname: self.attrs.value(&names::HOSTNAME).map(str::to_owned),
            protocols: Some(PROTOCOLS),
        };
        let mut message = Message::request(Hello::TOPIC, HELLO_TAG);
        message.kind = Kind::Request {
            nodeid: NODEID_ANY,
            matchtag: HELLO_TAG,
        };
        message.rolemask = Role::OWNER;
        message.enable_routes();
        message.set_payload(hello.encode());
        cx.output(Output::Send {
            to: PeerId::PARENT,
            message,
        });
        self.wait_for_parent(cx, PATIENCE_S);
    }

    fn wait_for_parent(&mut self, cx: &mut Cx<Broker>, waited: u64) {
        cx.timer(seconds(PATIENCE_S), move |core: &mut Broker, cx| {
            if core.tree.parent == Parent::Joining {
                let uri = &core.tree.parent_uri;
                tracing::error!("the parent broker at {uri} has not answered for {waited}s");
                core.wait_for_parent(cx, waited + PATIENCE_S);
            }
        });
    }

    /// The parent has said something before it has let us in.
    pub(crate) fn parent_says(&mut self, cx: &mut Cx<Broker>, message: &Message) {
        match message.kind {
            Kind::Response { errnum, matchtag } if matchtag == HELLO_TAG => {
                let answer = match errnum {
                    0 => Welcome::decode(message.payload())
                        .map_err(|bad| Refusal::new(Errno::EPROTO, bad.to_string())),
                    number => Err(Refusal::of_response(number, message)),
                };
                self.joined(cx, answer);
            }
            Kind::Control { .. } => self.parent_controls(cx, message),
            _ => tracing::debug!(
                "DROP upstream topic {}: message received before hello handshake completed",
                message.topic()
            ),
        }
    }

    fn joined(&mut self, cx: &mut Cx<Broker>, answer: Result<Welcome, Refusal>) {
        if self.tree.parent != Parent::Joining {
            return;
        }
        let welcome = answer.and_then(|welcome| {
            let identity = Identity::new(&welcome.uuid);
            let identity = identity.ok_or(Refusal::bare(Errno::EPROTO))?;
            Ok((identity, welcome.hostlist))
        });
        let (identity, hosts) = match welcome {
            Ok(welcome) => welcome,
            Err(refusal) => {
                tracing::error!("overlay.hello: {refusal}");
                self.fail_for_good();
                self.tree.climb(Climb::Refusal);
                return self.post(cx, Event::ParentFail);
            }
        };
        tracing::debug!("hello parent {}", identity.as_str());
        self.tree.climb(Climb::Welcome);
        self.router.broker_up(Hop::Parent, PeerId::PARENT, identity);
        self.carry_out(cx);
        if let Some(text) = hosts
            && let Ok(hosts) = text.parse()
        {
            self.attrs.put(&names::HOSTLIST, text);
            self.tree.set_hosts(hosts);
        }
        self.forward_early_lines(cx);
        self.follow_parent(cx);
        self.post(cx, Event::ParentReady);
    }

    /// Follows every state that the parent enters.
    fn follow_parent(&mut self, cx: &mut Cx<Broker>) {
        let Some(parent) = self.router.topology().parent(self.router.rank()) else {
            return;
        };
        let last = Some(State::Shutdown as i64);
        let call = Call::new(&Monitor { last }).to(parent);
        cx.stream_with(call, |core: &mut Broker, cx, answer| {
            if let Ok(StateNumber { state }) = answer {
                core.tree.parent_state = Some(state);
                core.parent_moved(cx);
            }
        });
    }

    /// Handles a change of state of the parent, or of our own.
    pub(crate) fn parent_moved(&mut self, cx: &mut Cx<Broker>) {
        let Some(parent) = self.tree.parent_state else {
            return;
        };
        let runs = parent == State::Run as i64;
        let ends = parent >= State::Cleanup as i64;
        let stops = parent >= State::Shutdown as i64;
        match self.life_state() {
            State::Quorum if runs => self.post(cx, Event::QuorumFull),
            State::Quorum if ends => self.post(cx, Event::QuorumFail),
            State::Run if stops => self.post(cx, Event::Shutdown),
            _ => {}
        }
    }

    /// Takes the parent's configuration for its own, now and after every change.
    pub(crate) fn sync_config(&mut self, cx: &mut Cx<Broker>) {
        let Some(parent) = self.router.topology().parent(self.router.rank()) else {
            return self.post(cx, Event::SyncNone);
        };
        let call = Call::new(&proto::config::Get).to(parent);
        cx.stream_with(call, |core: &mut Broker, cx, answer| match answer {
            Ok(config) => core.take_parent_config(cx, config),
            Err(_) if core.life_state() >= State::Goodbye => {}
            Err(refusal) => {
                // That the parent is lost is said elsewhere.
                if core.tree.parent == Parent::Here {
                    tracing::error!("config: parent update: {refusal}");
                }
                core.post(cx, Event::SyncFail);
            }
        });
    }

    fn take_parent_config(&mut self, cx: &mut Cx<Broker>, config: proto::Object) {
        let is_same = config == self.config;
        tracing::debug!(
            "parent update {}",
            if is_same {
                "ignored: no change"
            } else {
                "applied"
            }
        );
        if !is_same {
            self.adopt_config(cx, config);
        }
        self.post(cx, Event::SyncSuccess);
    }
}

/// A version as hello carries it: a byte for each of its three numbers.
pub(super) fn version_number(version: &str) -> u32 {
    let numbers = version
        .split('.')
        .map(|word| word.parse::<u32>().unwrap_or(0));
    numbers
        .take(3)
        .fold(0, |sum, number| (sum << 8) | (number & 0xff))
}

#[cfg(test)]
mod tests {
    use super::version_number;

    #[test]
    fn a_version_is_a_byte_for_each_number() {
        assert_eq!(version_number("0.88.0"), 88 << 8);
        assert_eq!(version_number("1.2.3"), 0x01_02_03);
    }
}
