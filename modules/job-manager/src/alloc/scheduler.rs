//! The scheduler: how it comes and goes, and how much it takes.

use node::{Cx, Peer};
use wire::Identity;

use crate::JobManager;
use crate::state::AllocAsk;

/// Number of requests that the scheduler accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The scheduler has said hello only.
    NotReady,
    /// All.
    Unlimited,
    /// N at a time.
    Limited(usize),
}

/// The scheduler that said hello last.
#[derive(Debug)]
pub(super) struct Scheduler {
    pub(super) sender: Option<Identity>,
    pub(super) mode: Mode,
}

impl JobManager {
    /// A scheduler said hello: requests of an earlier one are void.
    pub(crate) fn scheduler_hello(&mut self, cx: &mut Cx<Self>, peer: &Peer) {
        self.lose_scheduler(cx);
        self.alloc.hellos += 1;
        self.alloc.scheduler = Some(Scheduler {
            sender: peer.sender.clone(),
            mode: Mode::NotReady,
        });
    }

    /// The scheduler takes requests from now on.
    pub(crate) fn scheduler_ready(&mut self, peer: &Peer, mode: Mode) {
        self.alloc.scheduler = Some(Scheduler {
            sender: peer.sender.clone(),
            mode,
        });
    }

    /// Handles a disconnect of a service that may be the scheduler.
    pub(crate) fn scheduler_gone(&mut self, cx: &mut Cx<Self>, gone: &Peer) {
        let scheduler = self.alloc.scheduler.as_ref();
        if gone.sender.is_some() && scheduler.is_some_and(|s| s.sender == gone.sender) {
            self.lose_scheduler(cx);
        }
    }

    /// Takes all requests back into the queue and waits for another hello.
    pub(super) fn lose_scheduler(&mut self, cx: &mut Cx<Self>) {
        if self.alloc.scheduler.take().is_none() {
            return;
        }
        self.alloc.lines.clear_waiting();
        self.alloc.n_waiting = 0;
        for (id, _) in std::mem::take(&mut self.alloc.sent) {
            if let Some(job) = self.jobs.active_mut(id) {
                job.alloc = AllocAsk::None;
                self.clear_sched_notes(cx, id);
                self.acting.push_back(id);
            }
        }
        self.run(cx);
    }

    pub(super) fn scheduler_erred(&mut self, cx: &mut Cx<Self>, what: &str) {
        tracing::error!("sched.alloc: {what}");
        self.lose_scheduler(cx);
    }
}
