//! The broker as a node: its services' actor, and the routing around it.

use std::collections::VecDeque;
use std::time::Duration;

use node::{Actor, Input, Node, Now, Output, PeerId, PeerKind};
use proto::common::Welcome;

use crate::core::{Broker, Setup};
use crate::router::Hop;
use crate::services;
use crate::tree::Climb;

/// A broker.
pub struct BrokerNode {
    actor: Actor<Broker>,
    outbox: VecDeque<Output>,
    begun: bool,
}

impl BrokerNode {
    /// A broker that begins to live with its first input.
    pub fn new(setup: Setup, rusage: node::RusageFn) -> BrokerNode {
        let core = Broker::new(setup);
        let welcome = Welcome {
            name: "broker".to_owned(),
            uuid: core.router.identity().as_str().to_owned(),
            attrs: core.attrs.immutable(),
            conf: core.config.clone(),
            args: None,
        };
        let made: Result<_, std::convert::Infallible> =
            Actor::new(Now::default(), welcome, services::routes(), |cx| {
                cx.set_rusage(rusage);
                Ok(core)
            });
        let Ok(actor) = made;
        BrokerNode {
            actor,
            outbox: VecDeque::new(),
            begun: false,
        }
    }

    /// State of the broker, for checkers.
    pub fn core(&self) -> &Broker {
        &self.actor.core
    }

    fn receive(&mut self, now: Now, input: Input) {
        let Actor { core, cx, .. } = &mut self.actor;
        match input {
            // Messages of our own process, above all its log.
            Input::Message {
                from: PeerId::BROKER,
                message,
            } => core.receive(cx, Hop::Here, message),
            Input::Message { from, message } => {
                core.tap_link(cx, from, "rx", &message);
                match core.router.hop_of(from) {
                    Some(Hop::Module(id)) => core.module_message(cx, id, message),
                    Some(Hop::Client(peer)) => core.client_message(cx, peer, message),
                    Some(hop) => {
                        if let Hop::Child(rank) = hop {
                            core.receive_from_child(cx, rank);
                        }
                        core.receive(cx, hop, message);
                    }
                    None if from == PeerId::PARENT => core.parent_says(cx, &message),
                    None => core.stranger_says(cx, from, message),
                }
            }
            Input::PeerUp {
                peer: PeerId::BROKER,
                ..
            } => {}
            Input::PeerUp { peer, kind } => match kind {
                PeerKind::Module { identity, group } => {
                    core.module_up(cx, peer, &identity, group);
                }
                PeerKind::Client { uid, gids, pid } => core.client_up(cx, peer, uid, &gids, pid),
                PeerKind::Child { identity, key } => core.stranger_up(peer, identity, key),
                PeerKind::Broker | PeerKind::Parent => {}
            },
            Input::PeerDown { peer } => match core.link_flows(cx, peer, false) {
                Some(Hop::Module(id)) => core.module_link_lost(cx, id),
                Some(Hop::Client(peer)) => core.client_down(cx, peer),
                Some(Hop::Child(rank)) => core.child_down(cx, rank),
                _ if peer == PeerId::PARENT => core.lose_parent(cx, Climb::Break),
                _ => core.stranger_down(peer),
            },
            Input::PeerFlow { peer, is_behind } => {
                if let Some(Hop::Client(_)) = core.link_flows(cx, peer, is_behind) {
                    core.credit.set_behind(peer, is_behind);
                    core.hand_due(cx);
                }
            }
            input => self.actor.handle(now, input),
        }
    }

    /// Our own services handle their messages.
    fn receive_own(&mut self) {
        while let Some(message) = self.actor.core.inbox.pop_front() {
            self.actor.handle_message(message);
        }
    }

    /// Routes the messages of our own services, in the order in which they were sent.
    fn pump(&mut self) {
        self.receive_own();
        while let Some(output) = self.actor.poll() {
            match output {
                Output::Send {
                    to: PeerId::BROKER,
                    message,
                } => {
                    let Actor { core, cx, .. } = &mut self.actor;
                    core.receive(cx, Hop::Here, message);
                    self.receive_own();
                }
                other => {
                    if let Output::Send { to, message } = &other {
                        let Actor { core, cx, .. } = &mut self.actor;
                        core.tap_link(cx, *to, "tx", message);
                    }
                    self.outbox.push_back(other);
                }
            }
        }
    }
}

impl Node for BrokerNode {
    fn handle(&mut self, now: Now, input: Input) {
        self.actor.begin(now, &input);
        self.actor.core.router.set_now(now.mono);
        if !self.begun {
            self.begun = true;
            let Actor { core, cx, .. } = &mut self.actor;
            core.begin(cx);
        }
        self.receive(now, input);
        self.pump();
        let Actor { core, cx, .. } = &mut self.actor;
        if let Some(at) = core.router.next_expiry() {
            core.look_for_expired(cx, at);
        }
    }

    fn took(&mut self, time: Duration) {
        self.actor.took(time);
    }

    fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    fn deadline(&self) -> Option<Duration> {
        self.actor.deadline()
    }

    fn n_tokens(&self) -> usize {
        self.actor.cx.n_tokens()
    }

    fn check_invariants(&self) {
        node::Host::check_invariants(&self.actor.core);
    }
}
