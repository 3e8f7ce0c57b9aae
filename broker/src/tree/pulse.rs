//! Keepalives: both ends of a link send them, and each judges the other's silence by its
//! own clock (protocol/20 sections 6 and 14).

use std::time::Duration;

use node::{Cx, Output, PeerId};
use proto::attr::{Attr, names};
use proto::data::Fsd;
use proto::overlay::{Status, control};
use wire::{Kind, Message};

use super::control as control_message;
use super::link::{Climb, Parent, Step};
use crate::core::{Broker, seconds};
use crate::lifecycle::State;
use crate::router::Hop;

/// Interval of checks and of keepalives to children.
const LOOK_S: u64 = 1;

/// A look that comes so much later than it should means that we were not there ourselves.
const ABSENCE_S: u64 = 3;

impl Broker {
    /// Begins to look, if there is anybody to look for.
    pub(crate) fn begin_pulse(&mut self, cx: &mut Cx<Broker>) {
        if self.router.topology().size() > 1 {
            self.tree.looked = cx.now().mono;
            cx.timer(seconds(LOOK_S), |core: &mut Broker, cx| core.look(cx));
        }
    }

    fn look(&mut self, cx: &mut Cx<Broker>) {
        let now = cx.now().mono;
        if now.saturating_sub(self.tree.looked) >= seconds(LOOK_S + ABSENCE_S) {
            self.tree.children.forgive(now);
        }
        self.tree.looked = now;
        cx.timer(seconds(LOOK_S), |core: &mut Broker, cx| core.look(cx));
        let idle = self.torpid(&names::TBON_TORPID_MIN);
        if self.speaks_to_parent() && now.saturating_sub(self.tree.told) >= idle {
            self.tree.told = now;
            self.control_parent(cx, control::HEARTBEAT, 0);
        }
        // A message to a lost broker is how the loss is found.
        let children: Vec<u32> = self.tree.children.online().collect();
        for rank in children {
            self.control_child(cx, rank, control::HEARTBEAT);
        }
        let max = self.torpid(&names::TBON_TORPID_MAX);
        for silence in self.tree.children.find_silent(max, now) {
            let (name, lasted) = (self.tree.name(silence.rank), fsd(silence.lasted));
            tracing::error!("broker on {name} has been unresponsive for {lasted}");
            self.set_torpid(cx, silence.rank, true);
        }
    }

    /// True if the parent has received our hello: a broker that waits for the answer sends
    /// keepalives too, or it would wait for ever on a dead connection.
    fn speaks_to_parent(&self) -> bool {
        match self.tree.parent {
            Parent::Here => true,
            Parent::Joining => self.life_state() == State::Join,
            Parent::None | Parent::Gone => false,
        }
    }

    fn torpid(&self, limit: &Attr) -> Duration {
        self.attrs.duration(limit).unwrap_or(Duration::MAX)
    }

    /// Something has come from a child.
    pub(crate) fn receive_from_child(&mut self, cx: &mut Cx<Broker>, rank: u32) {
        if let Some(silence) = self.tree.children.receive(rank, cx.now().mono) {
            let (name, lasted) = (self.tree.name(rank), fsd(silence.lasted));
            tracing::error!("broker on {name} is responsive now after {lasted}");
            self.set_torpid(cx, rank, false);
        }
    }

    fn set_torpid(&mut self, cx: &mut Cx<Broker>, rank: u32, is_torpid: bool) {
        self.notify_monitors_of(cx, rank);
        self.change_group(cx, proto::groups::TORPID, rank, is_torpid);
    }

    /// A control message has come over the link to another broker.
    pub(crate) fn take_control(&mut self, cx: &mut Cx<Broker>, from: Hop, message: &Message) {
        let Kind::Control {
            control: what,
            status,
        } = message.kind
        else {
            return;
        };
        match (from, what) {
            (Hop::Parent, _) => self.parent_controls(cx, message),
            (Hop::Child(rank), control::STATUS) => {
                let status = Status::from_number(status);
                let now = cx.now().mono;
                if self.tree.children.step(rank, Step::Says(status), now) {
                    self.children_changed(cx, rank);
                }
            }
            _ => {}
        }
    }

    /// The parent reports that it is there, or that we are no child of its any more.
    pub(crate) fn parent_controls(&mut self, cx: &mut Cx<Broker>, message: &Message) {
        match message.kind {
            Kind::Control {
                control: control::HEARTBEAT,
                ..
            } => {}
            Kind::Control {
                control: control::DISCONNECT,
                ..
            } => {
                let parent = self.router.topology().parent(self.router.rank());
                let name = self.tree.name(parent.unwrap_or(0));
                tracing::error!("{name} sent disconnect control message");
                self.lose_parent(cx, Climb::CutOff);
            }
            _ => tracing::debug!("DROP upstream control topic - : unknown control type"),
        }
    }

    pub(super) fn control_parent(&mut self, cx: &mut Cx<Broker>, what: u32, status: u32) {
        let message = control_message(what, status);
        cx.output(Output::Send {
            to: PeerId::PARENT,
            message,
        });
    }

    pub(super) fn control_child(&mut self, cx: &mut Cx<Broker>, rank: u32, what: u32) {
        if let Some(to) = self.router.peer_of(Hop::Child(rank)) {
            let message = control_message(what, 0);
            cx.output(Output::Send { to, message });
        }
    }
}

/// A time as users write it.
fn fsd(time: Duration) -> String {
    Fsd::from_secs(time.as_secs_f64())
        .map_or_else(|_| format!("{}s", time.as_secs()), |fsd| fsd.to_string())
}
