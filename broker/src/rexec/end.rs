//! The end of the broker is that of the processes it runs for others: first they are asked
//! to end, then they are killed.

use node::{ChildEvent, ChildId, Cx, PeerId};
use proto::rexec::ExecError;

use super::{Rexec, SIGKILL};
use crate::core::{Broker, seconds};
use crate::lifecycle::Event;
use crate::limits::{PROCESS_KILL_WAIT_S, PROCESS_TERM_WAIT_S};
use crate::router::Hop;

const SIGTERM: i32 = 15;

impl Rexec {
    fn is_idle(&self) -> bool {
        self.processes.values().all(|p| p.status.is_some())
    }

    fn kill_all(&self, cx: &mut Cx<Broker>, signum: i32) {
        for process in self.processes.values() {
            process.kill(cx, signum);
        }
    }

    /// Kills what processes that have ended left behind, and ends what is told of them.
    fn clear(&mut self, cx: &mut Cx<Broker>) {
        self.kill_all(cx, SIGKILL);
        self.requests.clear();
        self.granted = 0;
        for process in std::mem::take(&mut self.processes).into_values() {
            let refusal = || ExecError::ShuttingDown.into();
            if let Some(audience) = process.audience {
                audience.end(cx, Err(refusal()));
            }
            if let Some(waiter) = process.waiter {
                waiter.send_refusal(cx, Err(refusal()));
            }
        }
    }
}

impl Broker {
    /// Notes whether a link is read from; gives what it is.
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

    /// Takes in what happened to a process of a client.
    pub(crate) fn rexec_child(&mut self, cx: &mut Cx<Broker>, child: ChildId, event: ChildEvent) {
        self.rexec.child(cx, child, event);
        if self.rexec.is_closed && self.rexec.is_idle() {
            self.end_rexec(cx);
        }
    }

    /// Starts no process any more, and ends those that run.
    pub(crate) fn shut_rexec(&mut self, cx: &mut Cx<Broker>) {
        self.rexec.is_closed = true;
        if self.rexec.is_idle() {
            return self.end_rexec(cx);
        }
        self.rexec.kill_all(cx, SIGTERM);
        cx.timer(seconds(PROCESS_TERM_WAIT_S), |core: &mut Broker, cx| {
            core.rexec.kill_all(cx, SIGKILL);
            cx.timer(seconds(PROCESS_KILL_WAIT_S), |core: &mut Broker, cx| {
                if !core.rexec.is_idle() {
                    tracing::error!("a subprocess does not end: it is left behind");
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
