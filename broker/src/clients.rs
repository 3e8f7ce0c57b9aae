//! Programs on the local socket: who may come in, what they may say, what happens
//! when they leave (protocol/02).

use std::collections::BTreeSet;

use bytes::Bytes;
use node::{Cx, Output, PeerId};
use proto::Payload;
use proto::event::Subscribe;
use proto::service::Add;
use wire::{Errno, Flags, Identity, Kind, Message, Role, USERID_UNKNOWN};

use crate::armed::Armed;
use crate::core::{Broker, Party, Provider};
use crate::lifecycle::State;
use crate::limits::{SERVICE_NAME_BYTES_MAX, SUBSCRIBED_BYTES_MAX};
use crate::subscriptions::Subscriptions;

/// Requests that are answered before the broker is online (protocol/02 section 5.2).
const EARLY_TOPICS: [&str; 4] = [
    "state-machine.wait",
    "state-machine.get",
    "attr.get",
    "log.dmesg",
];

/// Text of the answer to a request to one service too many.
pub(crate) const TOO_MANY_SERVICES: &str = "too many services in use";

/// Text of the answer to requests that a program had when it disconnected.
const PROVIDER_LEFT: &str = "service disconnect";

/// One connected program.
#[derive(Debug)]
pub struct Client {
    pub(crate) identity: Identity,
    pub(crate) userid: u32,
    pub(crate) rolemask: Role,
    pub(crate) pid: i32,
    pub(crate) armed: Armed,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) services: BTreeSet<String>,
    /// Messages taken from it.
    pub(crate) received: u64,
    /// Messages handed to it.
    pub(crate) delivered: u64,
    /// Events that it might not publish.
    pub(crate) refused_events: u64,
}

impl Client {
    /// Whether an event may be shown: private ones only to the owner and their user.
    pub(crate) fn may_see(&self, event: &Message) -> bool {
        !event.has(Flags::PRIVATE)
            || self.rolemask.meets(Role::OWNER)
            || self.userid == event.userid
    }

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
        self.parties.insert(identity.clone(), Party::Client(peer));
        let client = Client {
            identity,
            userid,
            rolemask,
            pid,
            armed: Armed::default(),
            subscriptions: Subscriptions::default(),
            services: BTreeSet::new(),
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
        if uid == 0 && self.allows("allow-root-owner") {
            return Some((0, Role::OWNER | Role::LOCAL));
        }
        if !self.allows("allow-guest-user") {
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
    pub(crate) fn allows(&self, key: &str) -> bool {
        let access = self.config.0.get("access");
        let switch = access.and_then(|access| access.get(key)?.as_bool());
        switch == Some(true)
    }

    /// Whether `[access.roles]` lists the user or one of its groups as an admin.
    fn is_admin(&self, uid: u32, gids: &[u32]) -> bool {
        let listed = |key: &str, id: u32| {
            let access = self.config.0.get("access");
            let list = access.and_then(|access| access.get("roles")?.get(key)?.as_array());
            list.is_some_and(|list| list.iter().any(|entry| entry.as_u64() == Some(id.into())))
        };
        listed("admin-users", uid) || gids.iter().any(|gid| listed("admin-groups", *gid))
    }

    /// A program said something. What is for the broker itself comes back.
    pub(crate) fn client_message(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        mut message: Message,
    ) -> Option<Message> {
        let state = self.life.state;
        let client = self.clients.get_mut(&peer)?;
        client.received += 1;
        if message.topic().is_empty() {
            return None;
        }
        client.stamp(&mut message);
        match message.kind {
            Kind::Request { .. } => {}
            Kind::Event { .. } => {
                self.client_event(cx, peer, message);
                return None;
            }
            Kind::Response { .. } => return self.route_answer(cx, peer, message),
            Kind::Control { .. } => return None,
        }
        message.enable_routes();
        message.push_route(client.identity.clone());
        match message.topic() {
            "event.subscribe" | "event.unsubscribe" | "service.add" | "service.remove" => {
                if let Some(message) = self.fitting(cx, message) {
                    self.connector_request(cx, peer, message);
                }
                return None;
            }
            topic if state < State::Init && !EARLY_TOPICS.contains(&topic) => {
                let text = "Upstream Flux broker is offline. Try again later.";
                self.refuse(cx, message, Errno::EAGAIN, Some(text));
                return None;
            }
            _ => {}
        }
        if !client.armed.arm(&message) {
            self.refuse(cx, message, Errno::ENOBUFS, Some(TOO_MANY_SERVICES));
            return None;
        }
        self.route(cx, message)
    }

    /// A program publishes and waits for no answer. Of what it might not publish the first
    /// is noted: who goes on must not fill the log.
    fn client_event(&mut self, cx: &mut Cx<Broker>, peer: PeerId, event: Message) {
        if self.may_publish(&event) {
            self.publish(cx, event);
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
        let result = match message.topic() {
            "event.subscribe" => decode::<Subscribe>(&message).and_then(|request| {
                let client = self.clients.get_mut(&peer).ok_or(Errno::ECONNRESET)?;
                let room = client
                    .subscriptions
                    .add_within(&request.topic, SUBSCRIBED_BYTES_MAX);
                room.then_some(()).ok_or(Errno::ENOBUFS)
            }),
            "event.unsubscribe" => decode::<Subscribe>(&message).and_then(|request| {
                let client = self.clients.get_mut(&peer).ok_or(Errno::ECONNRESET)?;
                client
                    .subscriptions
                    .remove(&request.topic)
                    .then_some(())
                    .ok_or(Errno::ENOENT)
            }),
            "service.add" => decode::<Add>(&message)
                .and_then(|request| self.client_adds_service(peer, &message, &request.service)),
            _ => decode::<Add>(&message).and_then(|request| {
                let client = self.clients.get_mut(&peer).ok_or(Errno::ECONNRESET)?;
                let had = client.services.remove(&request.service);
                self.services
                    .retain(|name, _| !had || *name != request.service);
                had.then_some(()).ok_or(Errno::ENOENT)
            }),
        };
        if message.wants_response() {
            let errnum = result.err().map_or(0, |errno| errno.0);
            let mut response = message.into_response(errnum, Bytes::new());
            response.rolemask = Role::OWNER;
            response.pop_route();
            self.deliver(cx, peer, response);
        }
    }

    fn client_adds_service(
        &mut self,
        peer: PeerId,
        request: &Message,
        name: &str,
    ) -> Result<(), Errno> {
        if self.services.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.check_service_name(name, request.userid, request.rolemask)?;
        let client = self.clients.get_mut(&peer).ok_or(Errno::ECONNRESET)?;
        client.services.insert(name.to_owned());
        self.services
            .insert(name.to_owned(), Provider::Client(peer));
        Ok(())
    }

    /// The rules for service names (protocol/02 sections 4 and 5).
    pub(crate) fn check_service_name(
        &self,
        name: &str,
        userid: u32,
        rolemask: Role,
    ) -> Result<(), Errno> {
        if name.is_empty() || name.len() > SERVICE_NAME_BYTES_MAX || name.contains('.') {
            return Err(Errno::EINVAL);
        }
        if !rolemask.meets(Role::OWNER) && !name.starts_with(&format!("{userid}-")) {
            return Err(Errno::EPERM);
        }
        if self.services.len() >= crate::limits::SERVICES_MAX {
            return Err(Errno::ENOBUFS);
        }
        Ok(())
    }

    /// A program is gone: its services are told, then its names become free. Gives the
    /// disconnect messages that are for the broker itself.
    pub(crate) fn client_down(&mut self, cx: &mut Cx<Broker>, peer: PeerId) -> Vec<Message> {
        let Some(client) = self.clients.get_mut(&peer) else {
            return Vec::new();
        };
        let armed = std::mem::take(&mut client.armed);
        for (module, request) in self.credit.client_left(peer) {
            self.send_to_module(cx, module, request);
        }
        let ours = armed
            .fire()
            .filter_map(|message| self.route(cx, message))
            .collect();
        if let Some(client) = self.clients.remove(&peer) {
            self.parties.remove(&client.identity);
            for name in client.services {
                self.services.remove(&name);
            }
        }
        self.pending.requester_left(peer);
        for call in self.pending.provider_left(peer) {
            self.refuse(cx, call.request, Errno::EHOSTUNREACH, Some(PROVIDER_LEFT));
        }
        ours
    }
}

fn decode<P: Payload>(message: &Message) -> Result<P, Errno> {
    P::decode(message.payload()).map_err(|_| Errno::EPROTO)
}
