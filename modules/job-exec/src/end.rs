//! The end of a job: its last words, the move of its guest directory, its release.

use std::time::Duration;

use node::Cx;
use proto::data::JobId;
use proto::data::job::JobStep;
use proto::job_exec::{Dismissal, MakeNamespaceError, Step};
use proto::kvs::NamespaceRemove;
use serde_json::json;

use crate::JobExec;
use crate::core::RETRY;
use crate::job::{Home, Job, Kind, answer_stored};
use crate::limits::{HANDED_BYTES_MAX, STOP_WAIT_S};
use crate::outcomes::Outcome;
use crate::state::{Move, State};

/// Wait status of a job that an exception ended and that has none of its own.
pub(crate) const STATUS_EXCEPTION: i32 = 1 << 8;

impl JobExec {
    /// The job came to its end with this wait status. A second end changes nothing.
    pub(crate) fn end(&mut self, cx: &mut Cx<Self>, id: JobId, status: i32) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.state().is_alive() && job.state() != State::Recovering {
            return;
        }
        if !job.step(Move::Ended) {
            return;
        }
        job.status = job.final_status(status);
        if job.is_started {
            let status = job.status;
            job.log_with(now, "complete", &json!({ "status": status }));
        }
        job.log(now, "done");
        job.cancel_timers(cx);
        self.touch(id);
    }

    /// The guest log is stored; its namespace had this root last.
    pub(crate) fn logged(&mut self, cx: &mut Cx<Self>, id: JobId, rootref: Option<String>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.step(Move::Logged) {
            return;
        }
        job.send_finish(cx);
        self.dismiss_all(cx, id, Dismissal::Stored);
        self.store.graft(id, rootref);
    }

    /// The guest directory is where it stays: nothing of the job is left here.
    pub(crate) fn grafted(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(mut job) = self.jobs.remove(&id) else {
            return;
        };
        self.dirty.remove(&id);
        self.begun.forget(id);
        let was_handed = job.log.was_handed;
        self.dismiss_all(cx, id, Dismissal::Stored);
        job.step(Move::Grafted);
        if !std::mem::replace(&mut job.log.is_stored, true) && !was_handed {
            // It ended so soon that all of it was stored at once, and is sent at once.
            job.send_start(cx);
            job.send_finish(cx);
        }
        // Nobody will read it any more.
        answer_stored(cx, std::mem::take(&mut job.log.unsaid), &Ok(()));
        let outcome = Outcome {
            status: job.is_started.then_some(job.status),
            exception: job.exception.take(),
        };
        self.outcomes.keep(id, outcome);
        if job.log.home == Home::Namespace {
            remove_namespace(cx, id);
        }
        if !was_handed {
            job.answer(
                cx,
                Step::Release {
                    ranks: "all".to_owned(),
                    is_final: true,
                },
            );
        }
        for maker in std::mem::take(&mut job.log.makers) {
            maker.send(cx, Err(MakeNamespaceError::NotFound));
        }
        if self.is_stopping {
            self.stop_when_stored(cx);
        }
    }

    /// Leaves storing a job that ended soon to the job manager, if it does that and there is
    /// not much to store.
    pub(crate) fn leave_to_manager(&mut self, cx: &mut Cx<Self>, id: JobId) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        let log = &job.log;
        let bytes = log.unsent.bytes();
        let is_whole = job.together && job.is_started && !log.is_stored && !log.exists;
        if !is_whole || bytes > HANDED_BYTES_MAX || !job.step(Move::Logged) {
            return false;
        }
        job.log.handed = Some(std::mem::take(&mut job.log.unsent));
        job.log.was_handed = true;
        job.send_short_job(cx);
        true
    }

    /// The job manager has stored the data that was left to it.
    pub(crate) fn kept(&mut self, cx: &mut Cx<Self>, ids: Vec<JobId>) {
        for id in ids {
            let log = self.jobs.get_mut(&id).map(|job| &mut job.log);
            if log.is_some_and(|log| log.handed.take().is_some()) {
                self.grafted(cx, id);
            }
        }
    }

    /// Settles jobs left to a job manager that has stored them and was lost before it
    /// could report that: its successor does not ask for these jobs.
    pub(crate) fn settle_handed(&mut self, cx: &mut Cx<Self>) {
        let manager = self.manager.clone();
        let is_left = |job: &Job| job.log.handed.is_some() && job.asker(cx) != manager;
        let left = self.jobs.values().filter(|job| is_left(job));
        let left: Vec<JobId> = left.map(|job| job.id).collect();
        self.kept(cx, left);
    }

    /// Stops, but not in the middle of an outcome: a shell that gets no answer repeats its
    /// last word to our successor, which would store it a second time. Running jobs do not
    /// matter.
    pub(crate) fn stop_when_stored(&mut self, cx: &mut Cx<Self>) {
        let is_storing = |job: &Job| matches!(job.state(), State::Finishing | State::Grafting);
        if !self.jobs.values().any(is_storing) {
            return cx.exit(Ok(()));
        }
        if !std::mem::replace(&mut self.is_stopping, true) {
            cx.timer(Duration::from_secs(STOP_WAIT_S), |_: &mut JobExec, cx| {
                cx.exit(Ok(()))
            });
        }
    }
}

/// Removes the namespace of a job whose guest directory has found its place.
pub(crate) fn remove_namespace(cx: &mut Cx<JobExec>, id: JobId) {
    let remove = NamespaceRemove {
        namespace: id.guest_namespace(),
    };
    cx.call(&remove, move |_, cx, result| match result {
        Err(error) if error.is_absence_of_service() => {
            cx.timer(RETRY, move |_: &mut JobExec, cx| remove_namespace(cx, id));
        }
        Err(error) => tracing::error!("job={id}: its namespace was not removed: {error}"),
        Ok(_) => {}
    });
}

impl Job {
    /// Reports the end of the job to the job manager, if it knows that it had begun.
    pub(crate) fn send_finish(&self, cx: &mut Cx<JobExec>) {
        if self.is_started && self.log.is_stored {
            let status = self.status;
            self.answer(cx, Step::Finish { status });
            cx.step(self.id, JobStep::EndTold);
        }
    }

    /// Sends the job manager all data of a job that ended soon.
    pub(crate) fn send_short_job(&self, cx: &mut Cx<JobExec>) {
        if let Some(lines) = &self.log.handed {
            let over = Step::Over {
                status: self.status,
                lines: lines.clone(),
            };
            self.answer(cx, over);
            cx.step(self.id, JobStep::EndTold);
        }
    }

    /// The status to report: that of an exception, the job's own, or a failure.
    fn final_status(&self, own: i32) -> i32 {
        let asked = self.ending.as_ref().and_then(|ending| ending.wait_status);
        match (asked, own, &self.ending) {
            (Some(status), _, _) => proto::data::job::WaitStatus(status).shell_code() << 8,
            (None, 0, Some(_)) => STATUS_EXCEPTION,
            (None, own, _) => own,
        }
    }

    fn cancel_timers(&mut self, cx: &mut Cx<JobExec>) {
        let escalation = self.ending.as_mut().and_then(|ending| ending.timer.take());
        let run = match &mut self.kind {
            Kind::Mock(_, timer) => timer.take(),
            Kind::Shells => None,
        };
        let timers = [self.expiry.take(), escalation, run].into_iter().flatten();
        for timer in timers.chain(self.waits.drain(..)) {
            cx.cancel_timer(timer);
        }
    }
}
