//! Programs on the local socket: their admission, their messages, and their end
//! (protocol/02). The list of connected programs is in `clients.rs`.

use bytes::Bytes;
use node::{Cx, Output, PeerId};
use proto::config::Key;
use proto::event::{Subscribe, Unsubscribe};
use proto::service::{Add, Remove};
use proto::{Method as _, Outcome, Payload, attr, log, state_machine};
use wire::{Errno, Identity, Kind, Message, Role, USERID_UNKNOWN};

use crate::access::Access;
use crate::clients::Newcomer;
use crate::core::Broker;
use crate::lifecycle::State;
use crate::router::{Hop, Stop, Viewer};

/// Requests that are answered before the broker is online (protocol/02 section 5.2).
const EARLY_TOPICS: [&str; 4] = [
    state_machine::Wait::TOPIC,
    state_machine::Get::TOPIC,
    attr::Get::TOPIC,
    log::Dmesg::TOPIC,
];

/// Text of the answer to a request to one service too many.
pub(crate) const TOO_MANY_SERVICES: &str = "too many services in use";

impl Broker {
    /// A program has connected: lets it in or turns it away.
    pub(crate) fn client_up(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        uid: u32,
        gids: &[u32],
        pid: i32,
    ) {
        self.clients.knock();
        if cx.take_debug_bit(1) {
            tracing::error!("connect by uid={uid} denied by debug flag");
            cx.output(Output::Reject {
                peer,
                errno: Errno::EPERM,
            });
            return;
        }
        let Some((userid, rolemask)) = self.authenticate(cx, uid, gids) else {
            tracing::error!("client_authenticate: uid={uid} no assigned roles");
            cx.output(Output::Reject {
                peer,
                errno: Errno::EPERM,
            });
            return;
        };
        let identity = Identity::new(&self.ids.next_uuid()).expect("a UUID is short text");
        let viewer = Viewer { userid, rolemask };
        self.router.client_up(peer, identity.clone(), viewer);
        let newcomer = Newcomer {
            identity,
            userid,
            rolemask,
            pid,
        };
        self.clients.add(peer, newcomer);
        cx.output(Output::Accept { peer });
    }

    fn authenticate(&self, cx: &mut Cx<Broker>, uid: u32, gids: &[u32]) -> Option<(u32, Role)> {
        if uid == self.owner && cx.take_debug_bit(4) {
            return Some((USERID_UNKNOWN, Role::USER));
        }
        self.access().role(uid, gids).map(|role| (uid, role))
    }

    fn access(&self) -> Access<'_> {
        Access {
            owner: self.owner,
            config: &self.config,
        }
    }

    /// True if a switch of `[access]` is on.
    pub(crate) fn allows(&self, key: &Key) -> bool {
        self.access().allows(key)
    }

    /// A program said something.
    pub(crate) fn client_message(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        mut message: Message,
    ) {
        let hop = Hop::Client(peer);
        self.tap_client(cx, peer, "tx", &message);
        let is_sound = self.clients.stamp(peer, &mut message) && !message.topic().is_empty();
        if !is_sound || !self.router.stamp(hop, &mut message) {
            return;
        }
        match message.kind {
            Kind::Event { .. } => self.client_event(cx, peer, message),
            Kind::Request { .. } => self.client_request(cx, peer, message),
            Kind::Response { .. } | Kind::Control { .. } => self.route(cx, hop, message),
        }
    }

    fn client_request(&mut self, cx: &mut Cx<Broker>, peer: PeerId, request: Message) {
        match request.topic() {
            Subscribe::TOPIC | Unsubscribe::TOPIC | Add::TOPIC | Remove::TOPIC => {
                return self.connector_request(cx, peer, request);
            }
            topic if self.life_state() < State::Init && !EARLY_TOPICS.contains(&topic) => {
                let text = "Upstream Flux broker is offline. Try again later.";
                let stop = Stop {
                    cause: None,
                    outcome: Outcome::NoService,
                    errno: Errno::EAGAIN,
                    text: Some(text),
                };
                return self.refuse(cx, request, stop);
            }
            _ => {}
        }
        if self.clients.note_service(peer, &request) {
            self.route(cx, Hop::Client(peer), request);
        } else {
            self.refuse(cx, request, Stop::full(TOO_MANY_SERVICES));
        }
    }

    /// A program publishes and waits for no answer.
    fn client_event(&mut self, cx: &mut Cx<Broker>, peer: PeerId, event: Message) {
        if self.router.may_publish(&event) {
            self.route(cx, Hop::Client(peer), event);
        } else if self.clients.refuse_event(peer) {
            let (topic, userid) = (event.topic(), event.userid);
            tracing::warn!("event {topic} by user {userid} is refused");
        }
    }

    /// The four requests that are about the connection itself. Answers carry no
    /// payload, an unknown user and the owner's role (protocol/02 section 5).
    fn connector_request(&mut self, cx: &mut Cx<Broker>, peer: PeerId, message: Message) {
        let Some(message) = self.router.fitting(message) else {
            return self.carry_out(cx);
        };
        let (hop, router) = (Hop::Client(peer), &mut self.router);
        let result = match message.topic() {
            Subscribe::TOPIC => decode::<Subscribe>(&message)
                .and_then(|request| router.subscribe(hop, &request.topic)),
            Unsubscribe::TOPIC => decode::<Subscribe>(&message)
                .and_then(|request| router.unsubscribe(hop, &request.topic)),
            Add::TOPIC => decode::<Add>(&message).and_then(|request| {
                let name = request.service.as_str();
                if router.provider(name).is_some() {
                    return Err(Errno::EEXIST);
                }
                router.check_service_name(name, message.userid, message.rolemask)?;
                router.add_service(hop, name)
            }),
            _ => decode::<Add>(&message).and_then(|request| {
                let had = router.remove_service(hop, &request.service);
                had.then_some(()).ok_or(Errno::ENOENT)
            }),
        };
        self.carry_out(cx);
        if message.wants_response() {
            let errnum = result.err().map_or(0, |errno| errno.0);
            let mut response = message.into_response(errnum, Bytes::new());
            response.rolemask = Role::OWNER;
            self.route(cx, Hop::Here, response);
        }
    }

    /// Handles a program that has disconnected: notifies its services, then frees its
    /// names.
    pub(crate) fn client_down(&mut self, cx: &mut Cx<Broker>, peer: PeerId) {
        if !self.clients.has(peer) {
            return;
        }
        for (module, request) in self.credit.client_left(peer) {
            self.send_to_module(cx, module, request);
        }
        for message in self.clients.take_notices(peer) {
            self.route(cx, Hop::Client(peer), message);
        }
        self.clients.remove(peer);
        self.router.link_down(Hop::Client(peer));
        self.carry_out(cx);
    }
}

fn decode<P: Payload>(message: &Message) -> Result<P, Errno> {
    P::decode(message.payload()).map_err(|_| Errno::EPROTO)
}
