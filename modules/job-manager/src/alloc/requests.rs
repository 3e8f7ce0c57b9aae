//! Requests that the scheduler has: sending them, and taking them back.

use std::cmp::Reverse;

use node::Cx;
use proto::data::JobId;
use proto::data::job::{JobStep, Priority};
use proto::sched;
use proto::{Method, Payload, RawJson};

use super::lines::Place;
use super::scheduler::Scheduler;
use super::{Mode, Sent, debug, send_now, untagged};
use crate::JobManager;
use crate::queue::QueueId;
use crate::state::AllocAsk;

impl JobManager {
    /// Sends the scheduler a new priority of a job that it has: a job that is held now is
    /// taken back.
    pub(crate) fn send_priority(&mut self, cx: &mut Cx<Self>, id: JobId, priority: Priority) {
        if self.jobs.active(id).map(|job| job.alloc) != Some(AllocAsk::Sent) {
            return;
        }
        if priority == Priority::MIN {
            self.take_back(cx, id);
            return self.clear_sched_notes(cx, id);
        }
        if let Some(sent) = self.alloc.sent.get_mut(&id) {
            let waiting = &mut self.alloc.lines.of(sent.queue).waiting;
            waiting.remove(&sent.place);
            sent.place = (Reverse(priority), id);
            waiting.insert(sent.place);
            self.alloc.changed.insert(id, priority);
        }
    }

    /// Sends the scheduler all new priorities in one message.
    fn send_priorities(&mut self, cx: &mut Cx<Self>) {
        let changed = std::mem::take(&mut self.alloc.changed).into_iter();
        let is_sent = |id: JobId| self.jobs.active(id).map(|job| job.alloc) == Some(AllocAsk::Sent);
        let jobs: Vec<(JobId, Priority)> = changed.filter(|(id, _)| is_sent(*id)).collect();
        if !jobs.is_empty() {
            send_now(cx, &sched::Prioritize { jobs });
        }
    }

    pub(super) fn take_back(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let (Some(job), Some(sent)) = (self.jobs.active_mut(id), self.alloc.sent.get(&id)) {
            job.alloc = AllocAsk::Canceling;
            let (place, queue) = (sent.place, sent.queue);
            self.alloc.forget_waiting(place, queue);
            send_now(cx, &sched::Cancel { id });
        }
    }

    /// Takes the requests of queues that do not run back from the scheduler.
    pub(crate) fn take_stopped_back(&mut self, cx: &mut Cx<Self>) {
        let lines = self.alloc.lines.all();
        let stopped =
            lines.filter(|(queue, line)| !line.waiting.is_empty() && !self.queues.runs(*queue));
        let waiting = stopped.flat_map(|(_, line)| line.waiting.iter());
        let waiting: Vec<JobId> = waiting.map(|(_, id)| *id).collect();
        for id in waiting {
            self.take_back(cx, id);
            self.clear_sched_notes(cx, id);
        }
    }

    /// Sends requests up to the limit of the scheduler, best first. When it takes no more
    /// and a better one has come, the worst that it has is taken back.
    pub(crate) fn pump(&mut self, cx: &mut Cx<Self>) {
        self.send_priorities(cx);
        let limit = match &self.alloc.scheduler {
            Some(Scheduler {
                mode: Mode::Unlimited,
                ..
            }) => usize::MAX,
            Some(Scheduler {
                mode: Mode::Limited(limit),
                ..
            }) => *limit,
            _ => return,
        };
        let is_taking_back = self.alloc.sent.len() > self.alloc.n_waiting;
        if is_taking_back && self.alloc.sent.len() >= limit {
            return;
        }
        let mut heads = self.alloc.lines.heads(|queue| self.queues.runs(queue));
        while self.alloc.sent.len() < limit
            && let Some((place, queue)) = self.alloc.lines.pop(&mut heads)
        {
            self.send_alloc(cx, place, queue);
        }
        let is_taking_back = self.alloc.sent.len() > self.alloc.n_waiting;
        if let (false, Some(best)) = (is_taking_back, heads.first())
            && let Some((worst, _)) = self.alloc.lines.worst_waiting()
            && best.0 < worst.0
        {
            self.take_back(cx, worst.1);
        }
    }

    fn send_alloc(&mut self, cx: &mut Cx<Self>, place: Place, queue: QueueId) {
        let (Reverse(priority), id) = place;
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        job.alloc = AllocAsk::Sent;
        let request = sched::Alloc {
            id,
            priority,
            userid: job.life.userid,
            t_submit: job.life.t_submit,
            jobspec: RawJson::clone(&job.jobspec()),
        };
        let is_debug = job.life.is_debug();
        let sent = Sent {
            place,
            queue,
            is_stale: false,
        };
        self.alloc.sent.insert(id, sent);
        self.alloc.lines.of(queue).waiting.insert(place);
        self.alloc.n_waiting += 1;
        cx.send(untagged(sched::Alloc::TOPIC, request.encode()));
        cx.step(id, JobStep::AllocAsked);
        if is_debug {
            self.emit(cx, id, &debug("debug.alloc-request", None));
        }
    }
}
