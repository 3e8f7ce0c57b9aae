//! Ending a job against its will: after a fatal exception, or when its time is up.
//!
//! The tasks get one signal after the other, then the shell is killed, then the job is
//! given up; `ladder.rs` says when. A simulated job obeys the first signal.

use std::time::Duration;

use node::Cx;
use proto::Method as _;
use proto::data::JobId;
use proto::job_exec::{JobException, ShellOrder};
use proto::resource::Drain;
use wire::Flags;

use crate::JobExec;
use crate::ladder::Rung;
use crate::signals::{SIGALRM, SIGKILL};

impl JobExec {
    /// Event `job-exception`: a fatal one ends the job.
    pub(crate) fn exception(&mut self, cx: &mut Cx<Self>, event: &JobException) {
        if event.severity == 0 {
            self.end_early(cx, event.id, event.wait_status);
        }
    }

    /// Ends a job against its will. Said twice, it is the same as once.
    pub(crate) fn end_early(&mut self, cx: &mut Cx<Self>, id: JobId, wait_status: Option<i32>) {
        let signal = self.config.term_signal;
        self.press(cx, id, signal, wait_status);
    }

    /// The time of a job is up.
    pub(crate) fn expire(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.expiry = None;
        }
        self.raise_as(cx, id, "timeout", 0, "resource allocation expired");
        self.press(cx, id, SIGALRM, None);
    }

    fn press(&mut self, cx: &mut Cx<Self>, id: JobId, signal: i32, wait_status: Option<i32>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let is_new = job.ending.is_none();
        let ending = job.ending.get_or_insert_default();
        if is_new {
            // The first cause: what is said later came of it.
            ending.wait_status = wait_status;
        }
        if !is_new || !job.state().is_alive() {
            return;
        }
        if job.is_mock() {
            return self.end(cx, id, signal);
        }
        self.signal_tasks(cx, id, signal);
        self.climb(cx, id);
    }

    /// Takes the next step of the ladder, whose first one was taken by who began it.
    fn climb(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let pace = self.config.pace();
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.state().is_alive() {
            return;
        }
        let Some(ending) = &mut job.ending else {
            return;
        };
        let (rung, wait) = pace.rung(ending.rung);
        ending.rung += 1;
        if rung != Rung::GiveUp {
            ending.timer = Some(cx.timer(wait, move |core, cx| core.climb(cx, id)));
        }
        match rung {
            Rung::Term => {}
            Rung::Kill => self.signal_tasks(cx, id, self.config.kill_signal),
            Rung::KillShell => self.kill_shell(cx, id),
            Rung::GiveUp => {
                tracing::error!("job={id}: its processes cannot be killed");
                self.drain(cx, id, &format!("unkillable user processes for job {id}"));
                self.end(cx, id, SIGKILL);
            }
        }
    }

    /// Has the shell send a signal to all tasks, now or when it reports.
    fn signal_tasks(&mut self, cx: &mut Cx<Self>, id: JobId, signal: i32) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(ending) = &mut job.ending {
            ending.signal = signal;
        }
        let Some(shell) = job.shell() else {
            return;
        };
        let order = ShellOrder {
            signal: Some(signal),
            ..ShellOrder::default()
        };
        if let Some(orders) = &mut shell.orders {
            orders.send(cx, &order);
        } else if let Some(child) = shell.child {
            // A program of another kind, or one that has not come up yet.
            cx.kill_child(child, signal, true);
        }
    }

    /// Kills the shell and what else is in its process group, if it is our child.
    pub(crate) fn kill_shell(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(shell) = self.jobs.get_mut(&id).and_then(|job| job.shell())
            && let Some(child) = shell.child
        {
            cx.kill_child(child, SIGKILL, true);
        }
    }

    /// Takes the job's rank out of service.
    pub(crate) fn drain(&mut self, cx: &mut Cx<Self>, id: JobId, reason: &str) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let drain = Drain {
            targets: job.place.rank.to_string(),
            reason: Some(reason.to_owned()),
            mode: Some("update".to_owned()),
        };
        let mut request = drain.to_message(0);
        request.set_flag(Flags::NORESPONSE, true);
        cx.send(request);
    }

    /// Sets the timer for the end of the job's time again.
    pub(crate) fn arm_expiry(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let now = cx.now().wall;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(timer) = job.expiry.take() {
            cx.cancel_timer(timer);
        }
        if job.expiration > 0.0 && job.state().is_alive() {
            let left = Duration::try_from_secs_f64((job.expiration - now).max(0.0));
            // A time that the clock cannot count to never comes.
            if let Ok(left) = left {
                job.expiry = Some(cx.timer(left, move |core, cx| core.expire(cx, id)));
            }
        }
    }
}
