//! The launcher as a node: its core, and the programs that ask it something.

use std::collections::VecDeque;
use std::time::Duration;

use node::{Actor, Input, Node, Now, Output, PeerId, PeerKind};
use proto::common::Welcome;
use wire::{Errno, Identity, Message, Role};

use crate::core::{Launcher, routes};
use crate::plan::Plan;

/// A launcher that starts its brokers with its first input.
pub struct LauncherNode {
    actor: Option<Actor<Launcher>>,
    plan: Option<Plan>,
    /// User who may connect: the owner of the brokers.
    userid: u32,
    outbox: VecDeque<Output>,
}

impl LauncherNode {
    /// A launcher of `userid`.
    pub fn new(plan: Plan, userid: u32) -> LauncherNode {
        LauncherNode {
            actor: None,
            plan: Some(plan),
            userid,
            outbox: VecDeque::new(),
        }
    }

    fn begin(&mut self, now: Now) {
        let Some(plan) = self.plan.take() else {
            return;
        };
        let welcome = Welcome {
            name: "start".to_owned(),
            uuid: "start".to_owned(),
            ..Welcome::default()
        };
        let made: Result<_, std::convert::Infallible> =
            Actor::new(now, welcome, routes(), |cx| Ok(Launcher::start(cx, plan)));
        let Ok(actor) = made;
        self.actor = Some(actor);
    }

    fn receive(&mut self, now: Now, input: Input) {
        let Some(actor) = &mut self.actor else {
            return;
        };
        match input {
            Input::PeerUp {
                peer,
                kind: PeerKind::Client { uid, .. },
            } => self.outbox.push_back(match uid == self.userid {
                true => Output::Accept { peer },
                false => Output::Reject {
                    peer,
                    errno: Errno::EPERM,
                },
            }),
            Input::Message { from, mut message } => {
                message.userid = self.userid;
                message.rolemask = Role::OWNER | Role::LOCAL;
                message.clear_routes();
                message.enable_routes();
                message.push_route(identity_of(from));
                actor.handle_message(message);
            }
            Input::PeerDown { peer } => {
                let mut gone = Message::request("start.disconnect", 0);
                gone.userid = self.userid;
                gone.rolemask = Role::OWNER;
                gone.push_route(identity_of(peer));
                actor.handle_message(gone);
            }
            input => actor.handle(now, input),
        }
    }

    /// Sends the messages of the core; answers go to their requesters.
    fn pump(&mut self) {
        while let Some(output) = self.actor.as_mut().and_then(Actor::poll) {
            match output {
                Output::Send { mut message, .. } => {
                    let to = message.pop_route().as_ref().and_then(peer_of);
                    let to = to.map(|to| Output::Send { to, message });
                    self.outbox.extend(to);
                }
                other => self.outbox.push_back(other),
            }
        }
    }
}

fn identity_of(peer: PeerId) -> Identity {
    Identity::new(&peer.0.to_string()).expect("a number is short text")
}

fn peer_of(identity: &Identity) -> Option<PeerId> {
    identity.as_str().parse().ok().map(PeerId)
}

impl Node for LauncherNode {
    fn handle(&mut self, now: Now, input: Input) {
        self.begin(now);
        if let Some(actor) = &mut self.actor {
            actor.begin(now, &input);
        }
        self.receive(now, input);
        self.pump();
    }

    fn took(&mut self, time: Duration) {
        if let Some(actor) = &mut self.actor {
            actor.took(time);
        }
    }

    fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    fn deadline(&self) -> Option<Duration> {
        self.actor.as_ref().and_then(Actor::deadline)
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
