//! Carries out the actions of the router: messages go over their links, modules are sent
//! requests when they are ready, our own services find theirs in the inbox.

use node::{Cx, Output};
use wire::{Kind, Message, topic};

use crate::core::Broker;
use crate::router::{Hop, ModuleId, Out, Stop};

impl Broker {
    /// Receives a message that has come by `from`, and sends it on its way.
    pub(crate) fn receive(&mut self, cx: &mut Cx<Broker>, from: Hop, message: Message) {
        self.router.receive(from, message);
        self.carry_out(cx);
    }

    /// The same for one that is stamped.
    pub(crate) fn route(&mut self, cx: &mut Cx<Broker>, from: Hop, message: Message) {
        self.router.route(from, message);
        self.carry_out(cx);
    }

    /// Answers a request on behalf of a service that cannot.
    pub(crate) fn refuse(&mut self, cx: &mut Cx<Broker>, request: Message, stop: Stop<'_>) {
        self.router.refuse(request, stop);
        self.carry_out(cx);
    }

    /// Carries out the actions of the router.
    pub(crate) fn carry_out(&mut self, cx: &mut Cx<Broker>) {
        while let Some(out) = self.router.poll() {
            match out {
                Out::Send { from, to, message } => self.send(cx, from, to, message),
                Out::Ask { module, request } => {
                    if let Some(request) = self.admit(cx, module, request) {
                        self.send_to_module(cx, module, request);
                    }
                }
                Out::Stray(orphaned) => {
                    self.drop_stray(cx, orphaned.from, &orphaned.message);
                    self.record_orphan(cx, &orphaned);
                }
                Out::Orphan(orphaned) => self.record_orphan(cx, &orphaned),
                Out::Control { from, message } => self.take_control(cx, from, &message),
            }
        }
    }

    fn send(&mut self, cx: &mut Cx<Broker>, from: Hop, to: Hop, mut message: Message) {
        self.gives_deadline(to, &mut message);
        if let (Hop::Module(id), Kind::Response { .. }) = (from, message.kind) {
            self.modules.has_answered(id);
        }
        match to {
            Hop::Here => return self.inbox.push_back(message),
            Hop::Module(id) => self.tap(cx, id, "rx", &message),
            Hop::Client(peer) => {
                if let Some(id) = self.answered_for(from, &message) {
                    self.settle_credit(peer, id, &message);
                }
                self.tap_client(cx, peer, "rx", &message);
                self.clients.delivered(peer);
            }
            Hop::Parent | Hop::Child(_) => {}
        }
        if let Some(to) = self.router.peer_of(to) {
            cx.output(Output::Send { to, message });
        }
    }

    /// The module that has given a response, or in whose place it was given.
    fn answered_for(&self, from: Hop, response: &Message) -> Option<ModuleId> {
        let provider = match from {
            _ if !matches!(response.kind, Kind::Response { .. }) => return None,
            Hop::Here if self.is_bulk(response) => {
                self.router.provider(topic::service_of(response.topic()))
            }
            from => Some(from),
        };
        match provider? {
            Hop::Module(id) => Some(id),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
