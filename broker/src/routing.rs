//! Where messages go: requests to services, responses back along their route, events
//! to whoever subscribed (protocol/01 sections 4 and 7).

use bytes::Bytes;
use node::{Cx, Output, PeerId, is_number_route};
use wire::{Errno, Flags, Kind, Message, NODEID_ANY, Role, USERID_UNKNOWN, topic};

use crate::core::{Broker, Party, Provider};

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
        match self
            .services
            .get(topic::service_of(request.topic()))
            .copied()
        {
            Some(Provider::Broker) => return Some(request),
            Some(Provider::Module(id)) => self.send_to_module(cx, id, request),
            Some(Provider::Client(peer)) => {
                let mut request = request;
                request.push_route(self.identity.clone());
                cx.output(Output::Send {
                    to: peer,
                    message: request,
                });
            }
            None if upstream => self.refuse(cx, request, Errno::EHOSTUNREACH, None),
            None => {
                let text = format!("No service matching {} is registered", request.topic());
                self.refuse(cx, request, Errno::ENOSYS, Some(&text));
            }
        }
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

    fn route_response(&mut self, cx: &mut Cx<Broker>, mut response: Message) -> Option<Message> {
        if response.last_route() == Some(&self.identity) {
            response.pop_route();
            if response.last_route().is_some_and(is_number_route) {
                response.pop_route();
            }
        }
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
