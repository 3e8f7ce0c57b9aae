//! Admission of a child (protocol/20 section 4).

use node::{Cx, Output, PeerId};
use proto::attr::names;
use proto::overlay::{Hello, HelloError, PROTOCOLS, Status, Welcome, control};
use proto::{Errno, Method, Payload, Refusal};
use wire::{Identity, Kind, Message, Role};

use super::join::version_number;
use super::link::Step;
use super::{Stranger, control as control_message};
use crate::core::Broker;
use crate::lifecycle::State;
use crate::router::Hop;

impl Broker {
    /// A broker sends to us that we do not know.
    pub(crate) fn stranger_up(&mut self, peer: PeerId, identity: String, key: String) {
        let stranger = Stranger {
            identity,
            key,
            hello: None,
        };
        self.tree.strangers.insert(peer, stranger);
    }

    /// Handles the loss of a broker that was not admitted yet.
    pub(crate) fn stranger_down(&mut self, peer: PeerId) {
        self.tree.strangers.remove(&peer);
    }

    /// Handles its message: a hello, or one to a former broker.
    pub(crate) fn stranger_says(&mut self, cx: &mut Cx<Broker>, peer: PeerId, message: Message) {
        let state = self.life_state();
        let is_hello =
            matches!(message.kind, Kind::Request { .. }) && message.topic() == Hello::TOPIC;
        if is_hello && state < State::Cleanup {
            if state >= State::Init {
                self.answer_hello(cx, peer, message);
            } else if let Some(stranger) = self.tree.strangers.get_mut(&peer) {
                // We do not know our own parent yet, and what it will tell us.
                stranger.hello = Some(message);
            }
            return;
        }
        // Last messages of a child are no reason to cut it off again.
        if matches!(message.kind, Kind::Request { .. }) {
            let message = control_message(control::DISCONNECT, 0);
            cx.output(Output::Send { to: peer, message });
        }
    }

    /// We are ready: those who have waited come in.
    pub(crate) fn admit_waiting(&mut self, cx: &mut Cx<Broker>) {
        let strangers = self.tree.strangers.iter_mut();
        let waiting: Vec<_> = strangers
            .filter_map(|(peer, stranger)| Some((*peer, stranger.hello.take()?)))
            .collect();
        for (peer, hello) in waiting {
            self.answer_hello(cx, peer, hello);
        }
    }

    fn answer_hello(&mut self, cx: &mut Cx<Broker>, peer: PeerId, message: Message) {
        let checked = self.check_hello(peer, &message);
        let (errnum, payload) = match &checked {
            Ok((_, protocol)) => {
                let welcome = Welcome {
                    uuid: self.router.identity().as_str().to_owned(),
                    protocol: *protocol,
                    hostlist: self.attrs.value(&names::HOSTLIST).map(str::to_owned),
                };
                (0, welcome.encode())
            }
            Err(Refusal { errno, text, .. }) => {
                let text = text
                    .as_ref()
                    .map_or(String::new(), |text| format!("{text}\0"));
                (errno.0, text.into())
            }
        };
        let answer = message.into_response(errnum, payload);
        cx.output(Output::Send {
            to: peer,
            message: answer,
        });
        if let Ok((hello, _)) = checked {
            self.child_up(cx, peer, &hello);
        }
    }

    /// In the order of protocol/20 section 4.
    fn check_hello(
        &mut self,
        peer: PeerId,
        message: &Message,
    ) -> Result<(Hello, Option<u32>), Refusal> {
        let hello = Hello::decode(message.payload());
        let hello = hello.map_err(|_| Refusal::bare(Errno::EPROTO))?;
        if !message.rolemask.meets(Role::OWNER) {
            return Err(HelloError::NotOwner.into());
        }
        if !Status::from_number(hello.status).is_online() {
            return Err(Refusal::bare(Errno::EPROTO));
        }
        let rank = hello.rank;
        let configured = self.tree.host(rank).map(str::to_owned);
        if let (Some(host), Some(configured)) = (&hello.hostname, configured)
            && *host != configured
        {
            let text = format!(
                "rejecting connection from {host} (rank {rank}): \
                 {configured} is configured as rank {rank}: mismatched config?"
            );
            tracing::error!("{text}");
            return Err(HelloError::WrongHost(text).into());
        }
        if self.tree.children.get(rank).is_none() {
            return Err(HelloError::NotChild(rank, self.router.rank()).into());
        }
        let protocol = common_protocol(&hello).inspect_err(|refusal| {
            self.tree.children.note_refusal(rank, &refusal.to_string());
        })?;
        let stranger = self.tree.strangers.get(&peer);
        let stranger = stranger.ok_or(HelloError::WrongUuid)?;
        if Identity::new(&hello.uuid).is_none() || stranger.identity != hello.uuid {
            return Err(HelloError::WrongUuid.into());
        }
        if let Some(key) = self.tree.keys.get(&rank)
            && *key != stranger.key
        {
            tracing::error!("overlay auth: a broker with another key claims to be rank {rank}");
            return Err(HelloError::WrongKey(rank).into());
        }
        Ok((hello, protocol))
    }

    fn child_up(&mut self, cx: &mut Cx<Broker>, peer: PeerId, hello: &Hello) {
        let (rank, now) = (hello.rank, cx.now().mono);
        let name = self.tree.name(rank);
        let status = Status::from_number(hello.status);
        let was_here = self.tree.children.get(rank);
        if was_here.is_some_and(|child| child.status.is_online()) {
            tracing::error!("{name} reconnected after crash, dropping old connection state");
            let old = self.router.peer_of(Hop::Child(rank));
            // Between hosts a link that is closed here tells it nothing.
            self.control_child(cx, rank, control::DISCONNECT);
            self.part_with(cx, rank, Step::Break);
            // No further messages go there, by which its loss would be found.
            if let Some(peer) = old {
                cx.output(Output::Close { peer });
            }
        }
        tracing::debug!("accepting connection from {name} status {}", status.name());
        self.tree.strangers.remove(&peer);
        if let Some(identity) = Identity::new(&hello.uuid) {
            self.router.broker_up(Hop::Child(rank), peer, identity);
            self.carry_out(cx);
        }
        self.tree.children.step(rank, Step::Hello(status), now);
        self.children_changed(cx, rank);
    }
}

/// The newest protocol that both speak; an old child that names none has to be of our
/// own version.
fn common_protocol(hello: &Hello) -> Result<Option<u32>, HelloError> {
    let ours = proto::attr::CORE_VERSION;
    let protocol = match hello.protocols {
        Some((oldest, newest)) => {
            let common = newest.min(PROTOCOLS.1);
            (common >= oldest.max(PROTOCOLS.0)).then_some(Some(common))
        }
        None => (hello.version >> 8 == version_number(ours) >> 8).then_some(None),
    };
    protocol.ok_or_else(|| {
        let theirs = hello.version;
        let theirs = format!("{}.{}.{}", theirs >> 16, theirs >> 8 & 0xff, theirs & 0xff);
        HelloError::Version(theirs, ours.to_owned())
    })
}
