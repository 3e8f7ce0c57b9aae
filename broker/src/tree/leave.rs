//! The end, leaves first: a broker waits for its children, and sends goodbye to its
//! parent (protocol/20 section 10).

use std::time::Duration;

use node::{Call, Cx, Output, PeerId};
use proto::attr::{Attr, names};
use proto::data::IdSet;
use proto::overlay::Goodbye;

use super::link::{Climb, Parent};
use crate::core::{Broker, seconds};
use crate::lifecycle::{Event, State};

/// Time that the parent has to answer, in seconds.
const GOODBYE_WAIT_S: u64 = 60;

impl Broker {
    /// Waits for the children, which have received our state.
    pub(crate) fn enter_shutdown(&mut self, cx: &mut Cx<Broker>) {
        if self.tree.children.online().next().is_none() {
            return self.post(cx, Event::ChildrenNone);
        }
        if let Some(warn) = self.time_attr(&names::BROKER_SHUTDOWN_WARN) {
            self.warn_of_children(cx, warn);
        }
        // Each level has less time than the one above, so that it is the culprit that is
        // named, and not all who wait for it.
        let level = self.router.topology().level(self.router.rank());
        let timeout = self.time_attr(&names::BROKER_SHUTDOWN_TIMEOUT);
        if let Some(timeout) = timeout {
            let share = timeout.mul_f64(1.0 / f64::from(level + 1));
            cx.timer(share, |core: &mut Broker, cx| core.give_up_children(cx));
        }
    }

    /// An attribute that is a time; `None` for one without end.
    pub(super) fn time_attr(&self, attr: &Attr) -> Option<Duration> {
        self.attrs.duration(attr).filter(|time| !time.is_zero())
    }

    fn warn_of_children(&mut self, cx: &mut Cx<Broker>, every: Duration) {
        cx.timer(every, move |core: &mut Broker, cx| {
            if core.life_state() == State::Shutdown {
                let late: IdSet = core.tree.children.online().collect();
                let (n, hosts) = (late.count(), core.hosts_of(&late));
                tracing::error!("shutdown delayed: waiting for {n} peers: {hosts} (rank {late})");
                core.warn_of_children(cx, every);
            }
        });
    }

    fn give_up_children(&mut self, cx: &mut Cx<Broker>) {
        if self.life_state() == State::Shutdown {
            let late: IdSet = self.tree.children.online().collect();
            tracing::error!("shutdown timeout: {} (rank {late})", self.hosts_of(&late));
            self.post(cx, Event::ChildrenComplete);
        }
    }

    /// A child has gone: it may have been the last.
    pub(super) fn children_may_be_gone(&mut self, cx: &mut Cx<Broker>) {
        if self.life_state() == State::Shutdown && self.tree.children.online().next().is_none() {
            self.post(cx, Event::ChildrenComplete);
        }
    }

    /// Sends goodbye to the parent; `false` if there is none.
    pub(crate) fn send_goodbye(&mut self, cx: &mut Cx<Broker>) -> bool {
        let parent = self.router.topology().parent(self.router.rank());
        let (Some(parent), Parent::Here) = (parent, self.tree.parent) else {
            return false;
        };
        cx.call_with(
            Call::new(&Goodbye).to(parent),
            |core: &mut Broker, cx, answer| {
                if let Err(refusal) = answer
                    && core.tree.parent == Parent::Here
                {
                    tracing::error!("error sending overlay.goodbye: {refusal}");
                }
                core.tree.climb(Climb::Goodbye);
                // It has received all of it, and may exit before anything else arrives.
                cx.output(Output::Close {
                    peer: PeerId::PARENT,
                });
                core.post(cx, Event::Goodbye);
            },
        );
        cx.timer(seconds(GOODBYE_WAIT_S), |core: &mut Broker, cx| {
            if core.life_state() == State::Goodbye {
                tracing::error!("goodbye timeout after {GOODBYE_WAIT_S}.0s");
                core.post(cx, Event::Goodbye);
            }
        });
        true
    }
}
