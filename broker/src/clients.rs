//! Programs on the local socket: who may come in, what they may say, what happens
//! when they leave (protocol/02).

use bytes::Bytes;
use node::{Cx, Output, PeerId};
use proto::config::{Key, keys};
use proto::event::{Subscribe, Unsubscribe};
use proto::service::{Add, Remove};
use proto::{Method as _, Payload, attr, log, state_machine};
use wire::{Errno, Identity, Kind, Message, Role, USERID_UNKNOWN};

use crate::armed::Armed;
use crate::core::Broker;
use crate::lifecycle::State;
use crate::router::{Hop, Viewer};

/// Requests that are answered before the broker is online (protocol/02 section 5.2).
const EARLY_TOPICS: [&str; 4] = [
    state_machine::Wait::TOPIC,
    state_machine::Get::TOPIC,
    attr::Get::TOPIC,
    log::Dmesg::TOPIC,
];

/// Text of the answer to a request to one service too many.
pub(crate) const TOO_MANY_SERVICES: &str = "too many services in use";

/// One connected program.
#[derive(Debug)]
pub struct Client {
    pub(crate) identity: Identity,
    pub(crate) userid: u32,
    pub(crate) rolemask: Role,
    pub(crate) pid: i32,
    pub(crate) armed: Armed,
    /// Messages taken from it.
    pub(crate) received: u64,
    /// Messages handed to it.
    pub(crate) delivered: u64,
    /// Events that it might not publish.
    pub(crate) refused_events: u64,
}

impl Client {
    /// The user, when it is not the owner.
    pub(crate) fn guest(&self) -> Option<u32> {
        (!self.rolemask.meets(Role::OWNER)).then_some(self.userid)
    }

    /// Stamps what came in with who sent it. The owner may speak for others.
    fn stamp(&self, message: &mut Message) {
        let owner = self.rolemask.meets(Role::OWNER);
        if !owner || message.userid == USERID_UNKNOWN {
            message.userid = self.userid;
        }
        if !owner || message.rolemask == Role::NONE {
            message.rolemask = self.rolemask;
        }
    }
}

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
        self.connects += 1;
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
        let client = Client {
            identity,
            userid,
            rolemask,
            pid,
            armed: Armed::default(),
            received: 0,
            delivered: 0,
            refused_events: 0,
        };
        self.clients.insert(peer, client);
        cx.output(Output::Accept { peer });
    }

    fn authenticate(&self, cx: &mut Cx<Broker>, uid: u32, gids: &[u32]) -> Option<(u32, Role)> {
        if uid == self.owner {
            return Some(if cx.take_debug_bit(4) {
                (USERID_UNKNOWN, Role::USER)
            } else {
                (uid, Role::OWNER | Role::LOCAL)
            });
        }
        if uid == 0 && self.allows(&keys::ACCESS_ALLOW_ROOT_OWNER) {
            return Some((0, Role::OWNER | Role::LOCAL));
        }
        if !self.allows(&keys::ACCESS_ALLOW_GUEST_USER) {
            return None;
        }
        let admin = if self.is_admin(uid, gids) {
            Role::ADMIN
        } else {
            Role::NONE
        };
        Some((uid, Role::USER | Role::LOCAL | admin))
    }

    /// Whether a switch of `[access]` is on.
    pub(crate) fn allows(&self, key: &Key) -> bool {
        key.value(&self.config) == Some(&true.into())
    }

    /// Whether `[access.roles]` lists the user or one of its groups as an admin.
    fn is_admin(&self, uid: u32, gids: &[u32]) -> bool {
        let listed = |key: &Key, id: u32| {
            let list = key.value(&self.config).and_then(|list| list.as_array());
            list.is_some_and(|list| list.iter().any(|entry| entry.as_u64() == Some(id.into())))
        };
        listed(&keys::ACCESS_ROLES_ADMIN_USERS, uid)
            || gids
                .iter()
                .any(|gid| listed(&keys::ACCESS_ROLES_ADMIN_GROUPS, *gid))
    }

    /// A program said something.
    pub(crate) fn client_message(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        mut message: Message,
    ) {
        let Some(client) = self.clients.get_mut(&peer) else {
            return;
        };
        client.received += 1;
        if message.topic().is_empty() {
            return;
        }
        let hop = Hop::Client(peer);
        client.stamp(&mut message);
        if !self.router.stamp(hop, &mut message) {
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
            topic if self.life.state < State::Init && !EARLY_TOPICS.contains(&topic) => {
                let text = "Upstream Flux broker is offline. Try again later.";
                return self.refuse(cx, request, Errno::EAGAIN, Some(text));
            }
            _ => {}
        }
        let client = self.clients.get_mut(&peer);
        if client.is_some_and(|client| client.armed.arm(&request)) {
            self.route(cx, Hop::Client(peer), request);
        } else {
            self.refuse(cx, request, Errno::ENOBUFS, Some(TOO_MANY_SERVICES));
        }
    }

    /// A program publishes and waits for no answer. Of what it might not publish the first
    /// is noted: who goes on must not fill the log.
    fn client_event(&mut self, cx: &mut Cx<Broker>, peer: PeerId, event: Message) {
        if self.router.may_publish(&event) {
            self.route(cx, Hop::Client(peer), event);
        } else if let Some(client) = self.clients.get_mut(&peer) {
            client.refused_events += 1;
            if client.refused_events == 1 {
                let (topic, userid) = (event.topic(), event.userid);
                tracing::warn!("event {topic} by user {userid} is refused");
            }
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

    /// A program is gone: its services are told, then its names become free.
    pub(crate) fn client_down(&mut self, cx: &mut Cx<Broker>, peer: PeerId) {
        let Some(client) = self.clients.get_mut(&peer) else {
            return;
        };
        let armed = std::mem::take(&mut client.armed);
        for (module, request) in self.credit.client_left(peer) {
            self.send_to_module(cx, module, request);
        }
        for message in armed.fire() {
            self.route(cx, Hop::Client(peer), message);
        }
        self.clients.remove(&peer);
        self.router.link_down(Hop::Client(peer));
        self.carry_out(cx);
    }
}

fn decode<P: Payload>(message: &Message) -> Result<P, Errno> {
    P::decode(message.payload()).map_err(|_| Errno::EPROTO)
}
