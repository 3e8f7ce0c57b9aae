//! Departure of brokers, in order or not, and its notifications (protocol/20 sections 7
//! and 8).

use node::{Cx, Output, PeerId};
use proto::overlay::{ChildHealth, ChildState, HealthReply, control};

use super::link::{Climb, Parent, Step};
use crate::core::Broker;
use crate::lifecycle::{Event, State};
use crate::router::Hop;

impl Broker {
    /// Handles the loss of the link to a child.
    pub(crate) fn child_down(&mut self, cx: &mut Cx<Broker>, rank: u32) {
        let is_online = |child: &super::children::Child| child.status.is_online();
        if self.tree.children.get(rank).is_some_and(is_online) {
            let below = self.router.topology().descendants(rank);
            let severed = match below {
                0 => String::new(),
                n => format!(" and severed contact with {n} other nodes"),
            };
            tracing::error!("{} failed{severed}", self.tree.name(rank));
        }
        self.part_with(cx, rank, Step::Break);
    }

    /// A child has said goodbye.
    pub(crate) fn child_left(&mut self, cx: &mut Cx<Broker>, rank: u32) {
        self.part_with(cx, rank, Step::Goodbye);
    }

    /// A child is not there any more: who waits for it is answered.
    pub(super) fn part_with(&mut self, cx: &mut Cx<Broker>, rank: u32, step: Step) {
        if !self.tree.children.step(rank, step, cx.now().mono) {
            return;
        }
        self.router.link_down(Hop::Child(rank));
        self.carry_out(cx);
        self.leave_all_groups(cx, rank);
        self.children_changed(cx, rank);
    }

    /// Cuts a child off: it is notified, and its messages are ignored.
    pub(crate) fn cut_off(&mut self, cx: &mut Cx<Broker>, rank: u32) {
        let peer = self.router.peer_of(Hop::Child(rank));
        self.control_child(cx, rank, control::DISCONNECT);
        tracing::error!("{} disconnected by request", self.tree.name(rank));
        self.part_with(cx, rank, Step::CutOff);
        if let Some(peer) = peer {
            cx.output(Output::Close { peer });
        }
    }

    /// Handles the loss of the parent, or our disconnection by it: requests on their way up
    /// are answered, and the broker ends. A parent that has taken our goodbye may end before
    /// its answer is here.
    pub(crate) fn lose_parent(&mut self, cx: &mut Cx<Broker>, step: Climb) {
        if !self.tree.climb(step) {
            return;
        }
        self.router.link_down(Hop::Parent);
        self.carry_out(cx);
        cx.output(Output::Close {
            peer: PeerId::PARENT,
        });
        if self.life_state() < State::Goodbye {
            if step == Climb::Break {
                let parent = self.router.topology().parent(self.router.rank());
                let name = self.tree.name(parent.unwrap_or(0));
                match self.life_state() {
                    State::Join => tracing::error!("rank {} disconnected", parent.unwrap_or(0)),
                    _ => tracing::error!(
                        "{name} is lost: this broker and those below it shut \
                        down"
                    ),
                }
            }
            self.fail();
        }
        self.post(cx, Event::ParentFail);
    }

    /// A child is another than before: all that follows from it.
    pub(crate) fn children_changed(&mut self, cx: &mut Cx<Broker>, rank: u32) {
        self.notify_monitors_of(cx, rank);
        if let Some(status) = self.tree.children.changed(cx.now().mono)
            && self.tree.parent == Parent::Here
        {
            self.control_parent(cx, control::STATUS, status as u32);
        }
        let health = self.health(cx);
        for stream in self.tree.health.values_mut() {
            stream.send(cx, &health);
        }
        self.children_may_be_gone(cx);
    }

    /// Status of this broker and its children.
    pub(crate) fn health(&self, cx: &Cx<Broker>) -> HealthReply {
        let now = cx.now().mono;
        let (status, since) = self.tree.children.own();
        let children = self.tree.children.iter().map(|(rank, child)| ChildHealth {
            rank,
            status: child.status,
            duration: now.saturating_sub(child.since).as_secs_f64(),
            error: child.error.clone(),
        });
        HealthReply {
            rank: self.router.rank(),
            status,
            duration: now.saturating_sub(since).as_secs_f64(),
            children: children.collect(),
        }
    }

    pub(super) fn notify_monitors_of(&mut self, cx: &mut Cx<Broker>, rank: u32) {
        let Some(state) = self.child_state(rank) else {
            return;
        };
        for stream in self.tree.monitors.values_mut() {
            stream.send(cx, &state);
        }
    }

    /// State of a child.
    pub(crate) fn child_state(&self, rank: u32) -> Option<ChildState> {
        let child = self.tree.children.get(rank)?;
        Some(ChildState {
            rank,
            status: child.status,
            torpid: child.is_torpid,
        })
    }
}
