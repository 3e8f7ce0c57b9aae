//! Jobs that get into a line, and out of it.

use std::cmp::Reverse;

use node::Cx;
use proto::data::JobId;
use proto::job_manager::JobEvent;

use super::exception;
use crate::JobManager;
use crate::state::AllocAsk;

/// Error of a job that names its own resources when the plugin that allocates them is
/// missing.
const PLUGIN_GONE: &str = "the plugin alloc-bypass is not loaded";

impl JobManager {
    /// Gets a job into the line of its queue. One whose resources were to come from a plugin
    /// that was removed meanwhile ends: the scheduler would give it others.
    pub(crate) fn enqueue(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        if job.life.brings_resources {
            let note = PLUGIN_GONE.to_owned();
            if let Some(event) = exception(cx, "alloc", 0, note) {
                self.post(cx, id, &event);
            }
            return;
        }
        job.alloc = AllocAsk::Queued;
        let priority = job.life.priority.unwrap_or_default();
        let line = self.alloc.lines.of(job.queue);
        line.queued.insert((Reverse(priority), id));
    }

    /// Gets a job out of the queue, or back from the scheduler.
    pub(crate) fn dequeue(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        match job.alloc {
            AllocAsk::Queued => {
                // In the queue under the priority that it had then, which is the one it
                // has: a new one comes only after this.
                let place = (Reverse(job.life.priority.unwrap_or_default()), id);
                let was_there = self.alloc.lines.of(job.queue).queued.remove(&place);
                debug_assert!(was_there, "{id} is not where it was queued");
                job.alloc = AllocAsk::None;
            }
            AllocAsk::Sent => self.take_back(cx, id),
            AllocAsk::None | AllocAsk::Canceling => {}
        }
        self.clear_sched_notes(cx, id);
    }

    /// Gets a job out of its line before an event changes its place: it gets in again when
    /// its next step is decided.
    pub(crate) fn step_out_of_line(&mut self, cx: &mut Cx<Self>, id: JobId, event: &JobEvent) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let steps_out = match event {
            JobEvent::JobspecUpdate(_) => true,
            JobEvent::Priority(_) => job.alloc == AllocAsk::Queued,
            _ => false,
        };
        if let (JobEvent::JobspecUpdate(_), Some(sent)) = (event, self.alloc.sent.get_mut(&id)) {
            sent.is_stale = true;
        }
        if steps_out {
            self.dequeue(cx, id);
        }
    }
}
