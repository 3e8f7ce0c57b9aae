//! Where messages go: requests to services, responses back along their route, events
//! to whoever subscribed (protocol/01 sections 4 and 7).

use bytes::Bytes;
use node::{Cx, Output, PeerId, is_number_route, number_route};
use wire::{Errno, Flags, Kind, Message, NODEID_ANY, Role, USERID_UNKNOWN, topic};

use crate::clients::Client;
use crate::core::{Broker, Party, Provider};
use crate::limits::OWN_REQUEST_BYTES_MAX;
use crate::modules::{Past, Stage};
use crate::pending::{Full, Requester};
use crate::publishing::user_of;

/// Longest text of the answer to a request for an unknown service, without its NUL.
const NO_SERVICE_TEXT_BYTES: usize = 63;

impl Broker {
    /// Sends a message on its way. One that is for the broker itself comes back.
    pub(crate) fn route(&mut self, cx: &mut Cx<Broker>, mut message: Message) -> Option<Message> {
        self.stamp_as_owner(&mut message);
        match message.kind {
            Kind::Request { .. } => self.route_request(cx, message),
            Kind::Response { .. } => self.route_response(cx, message),
            Kind::Event { .. } => {
                self.publish(cx, message);
                None
            }
            Kind::Control { .. } => None,
        }
    }

    /// What we and our modules send is sent by the owner unless it says otherwise.
    pub(crate) fn stamp_as_owner(&self, message: &mut Message) {
        if message.userid == USERID_UNKNOWN && message.rolemask == Role::NONE {
            message.userid = self.owner;
            message.rolemask = Role::OWNER | Role::LOCAL;
        }
    }

    fn route_request(&mut self, cx: &mut Cx<Broker>, request: Message) -> Option<Message> {
        let Kind::Request { nodeid, .. } = request.kind else {
            return None;
        };
        let upstream = request.has(Flags::UPSTREAM);
        let for_us = nodeid == NODEID_ANY || nodeid == self.rank || upstream;
        if !for_us || (upstream && nodeid == self.rank) {
            self.refuse(cx, request, Errno::EHOSTUNREACH, None);
            return None;
        }
        match self.provider_for(&request) {
            Some(Provider::Broker) => return Some(request),
            Some(Provider::Module(id)) => {
                if let Some(request) = self.admit(cx, id, request) {
                    self.send_to_module(cx, id, request);
                }
            }
            Some(Provider::Client(peer)) => {
                if let Some((request, _)) = self.open_request(cx, peer, request, Past::default()) {
                    self.give(cx, peer, request, None);
                }
            }
            None if upstream => self.refuse(cx, request, Errno::EHOSTUNREACH, None),
            None => {
                let text = format!("No service matching {} is registered", request.topic());
                self.refuse(cx, request, Errno::ENOSYS, Some(&text));
            }
        }
        None
    }

    /// Opens a request that is about to be given to the module or client behind `peer`,
    /// so that it can be answered. Gives it back with its number, if it has one, unless
    /// there was no room.
    pub(crate) fn open_request(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        request: Message,
        past: Past,
    ) -> Option<(Message, Option<u64>)> {
        // One who has left may still have a request on the way, and gets no answer.
        let Some(requester) = self.requester(&request) else {
            return Some((request, None));
        };
        if !request.wants_response() {
            if request.topic().ends_with(".disconnect") {
                self.pending.sender_left(requester.link, peer, &request);
            }
            return Some((request, None));
        }
        match self.pending.open(requester, peer, &request, past) {
            Ok(number) => Some((request, number)),
            Err(Full) => {
                let text = "too many requests wait for an answer";
                self.refuse(cx, request, Errno::ENOBUFS, Some(text));
                None
            }
        }
    }

    /// Sends a request to the module or client behind `peer`, with its number if it is
    /// one that the module recognises.
    pub(crate) fn give(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        mut request: Message,
        number: Option<u64>,
    ) {
        if self.recognised.contains(request.topic())
            && let Some(route) = number.and_then(number_route)
        {
            request.push_route(route);
        }
        request.push_route(self.identity.clone());
        cx.output(Output::Send {
            to: peer,
            message: request,
        });
    }

    /// Who asks, by the hop that was stamped when the message came in: what lies below
    /// it the sender has put there and proves nothing.
    pub(crate) fn requester(&self, message: &Message) -> Option<Requester> {
        let link = match message.last_route() {
            None => PeerId::BROKER,
            Some(identity) => match self.parties.get(identity)? {
                Party::Client(peer) => *peer,
                Party::Module(id) => self.modules.get(id)?.peer?,
            },
        };
        let guest = self.clients.get(&link).and_then(Client::guest);
        Some(Requester { link, guest })
    }

    /// A response from the module or client behind `peer`: it passes if it answers what
    /// that one was given. One for the broker itself comes back.
    pub(crate) fn route_answer(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        mut response: Message,
    ) -> Option<Message> {
        let is_stamped = response.last_route() == Some(&self.identity);
        if is_stamped {
            response.pop_route();
            if response.last_route().is_some_and(is_number_route) {
                response.pop_route();
            }
        }
        let Some(requester) = self.requester(&response) else {
            tracing::trace!("{}: nobody waits for this response", response.topic());
            return None;
        };
        if !is_stamped || !self.pending.answer(requester.link, peer, &response) {
            self.drop_stray(cx, peer, &response);
            return None;
        }
        if let Some(id) = self.module_peers.get(&peer).copied() {
            self.settle_credit(requester.link, id, &response);
            if let Some(module) = self.modules.get_mut(&id) {
                module.useful |= module.stage == Stage::Running;
            }
        }
        self.route_response(cx, response)
    }

    /// Who answers a request. In private mode the services of other users are not there
    /// for a guest: shells of jobs have some.
    fn provider_for(&self, request: &Message) -> Option<Provider> {
        let service = topic::service_of(request.topic());
        let is_hidden = !request.rolemask.meets(Role::OWNER)
            && user_of(service).is_some_and(|user| user != request.userid)
            && self.allows("private-mode");
        let provider = self.services.get(service).copied();
        provider.filter(|_| !is_hidden)
    }

    /// Gives a message back that our own services may take in: what they decode has to
    /// fit into memory.
    pub(crate) fn fitting(&mut self, cx: &mut Cx<Broker>, message: Message) -> Option<Message> {
        let len = message.payload().map_or(0, |payload| payload.len());
        if len <= OWN_REQUEST_BYTES_MAX || !matches!(message.kind, Kind::Request { .. }) {
            return Some(message);
        }
        let topic = message.topic();
        tracing::error!("{topic}: a request of {len} bytes is refused: it is too long");
        self.refuse(cx, message, Errno::EMSGSIZE, Some("request is too long"));
        None
    }

    /// Answers a request on behalf of whoever can not.
    pub(crate) fn refuse(
        &mut self,
        cx: &mut Cx<Broker>,
        request: Message,
        errno: Errno,
        text: Option<&str>,
    ) {
        if !request.wants_response() {
            return;
        }
        let provider = self.services.get(topic::service_of(request.topic()));
        if let Some(Provider::Module(id)) = provider.copied()
            && let Some(requester) = self.requester(&request)
        {
            self.settle_credit(requester.link, id, &request);
        }
        let mut payload = Vec::new();
        if let Some(text) = text {
            let mut end = text.len().min(NO_SERVICE_TEXT_BYTES);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            payload.extend_from_slice(&text.as_bytes()[..end]);
            payload.push(0);
        }
        cx.send(request.into_response(errno.0, Bytes::from(payload)));
    }

    /// A response that the broker has let pass, or gives itself.
    fn route_response(&mut self, cx: &mut Cx<Broker>, mut response: Message) -> Option<Message> {
        let Some(next) = response.last_route() else {
            return Some(response);
        };
        match self.parties.get(next).copied() {
            Some(Party::Client(peer)) => {
                response.pop_route();
                self.deliver(cx, peer, response);
            }
            Some(Party::Module(id)) => {
                response.pop_route();
                self.tap(cx, id, "rx", &response);
                if let Some(peer) = self.modules.get(&id).and_then(|module| module.peer) {
                    cx.output(Output::Send {
                        to: peer,
                        message: response,
                    });
                }
            }
            // Whoever asked is gone.
            None => tracing::trace!("{}: nobody waits for this response", response.topic()),
        }
        None
    }

    /// Hands a message to a client.
    pub(crate) fn deliver(&mut self, cx: &mut Cx<Broker>, peer: PeerId, message: Message) {
        if let Some(client) = self.clients.get_mut(&peer) {
            client.delivered += 1;
            cx.output(Output::Send { to: peer, message });
        }
    }

    /// Gives an event its place in the sequence and hands it to all who subscribed.
    pub(crate) fn publish(&mut self, cx: &mut Cx<Broker>, mut event: Message) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        event.kind = Kind::Event {
            sequence: self.sequence,
        };
        event.clear_routes();
        let mut to_modules = Vec::new();
        for (id, module) in &self.modules {
            if let Some(peer) = module.peer
                && module.subscriptions.matches(event.topic())
            {
                to_modules.push((*id, peer));
            }
        }
        for (id, peer) in to_modules {
            self.tap(cx, id, "rx", &event);
            cx.output(Output::Send {
                to: peer,
                message: event.clone(),
            });
        }
        for (peer, client) in &mut self.clients {
            if client.may_see(&event) && client.subscriptions.matches(event.topic()) {
                client.delivered += 1;
                cx.output(Output::Send {
                    to: *peer,
                    message: event.clone(),
                });
            }
        }
        self.sequence
    }
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
