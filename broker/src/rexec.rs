//! The broker's subprocess server (crate `rexec`): the end of the broker is that of the processes it
//! runs for others. First they are asked to end, then they are killed. Its methods are in
//! `services/rexec.rs`.

#[cfg(test)]
mod tests;

use node::{ChildEvent, ChildId, Cx, PeerId};

use crate::core::{Broker, seconds};
use crate::lifecycle::Event;
use crate::limits::{PROCESS_KILL_WAIT_S, PROCESS_TERM_WAIT_S};
use crate::router::Hop;

/// Signal for a process that did not exit when asked to.
const SIGKILL: i32 = 9;

/// The broker's subprocess server.
pub(crate) type Rexec = rexec::Rexec<Hop>;

impl Broker {
    /// Notes whether a link is read from; returns its peer.
    pub(crate) fn link_flows(
        &mut self,
        cx: &mut Cx<Broker>,
        peer: PeerId,
        is_behind: bool,
    ) -> Option<Hop> {
        let link = self.router.hop_of(peer)?;
        self.rexec.set_behind(cx, link, is_behind);
        Some(link)
    }

    /// Handles an event of a client's process.
    pub(crate) fn rexec_child(&mut self, cx: &mut Cx<Broker>, child: ChildId, event: ChildEvent) {
        self.rexec.child(cx, child, event);
        if self.rexec.is_closed() && self.rexec.is_idle() {
            self.end_rexec(cx);
        }
    }

    /// Starts no process any more, and ends those that run.
    pub(crate) fn shut_rexec(&mut self, cx: &mut Cx<Broker>) {
        self.rexec.close(cx);
        if self.rexec.is_idle() {
            return self.end_rexec(cx);
        }
        cx.timer(seconds(PROCESS_TERM_WAIT_S), |core: &mut Broker, cx| {
            core.rexec.kill_all(cx, SIGKILL);
            cx.timer(seconds(PROCESS_KILL_WAIT_S), |core: &mut Broker, cx| {
                if !core.rexec.is_idle() {
                    tracing::error!("a subprocess does not exit: leaving it behind");
                    core.end_rexec(cx);
                }
            });
        });
    }

    fn end_rexec(&mut self, cx: &mut Cx<Broker>) {
        self.rexec.clear(cx);
        self.post(cx, Event::BuiltinsDone);
    }
}
