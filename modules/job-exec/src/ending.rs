//! Ending a job against its will: after a fatal exception, or when its time is up.
//!
//! The tasks get one signal after the other, then the shell is killed, then the job is
//! given up; `escalation.rs` has the times. A simulated job obeys the first signal.

use std::time::Duration;

use node::Cx;
use proto::Method as _;
use proto::data::{IdSet, JobId};
use proto::job_exec::{JobException, Pressure};
use proto::resource::Drain;
use wire::Flags;

use crate::JobExec;
use crate::escalation::KillStep;
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

    /// Takes the next step of the escalation, whose first one was taken by the caller.
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
        let (step, wait) = pace.step(ending.step);
        ending.step += 1;
        if step != KillStep::GiveUp {
            ending.timer = Some(cx.timer(wait, move |core, cx| core.climb(cx, id)));
        }
        match step {
            KillStep::Term => {}
            KillStep::Kill => self.signal_tasks(cx, id, self.config.kill_signal),
            KillStep::KillShell => self.signal(cx, id, SIGKILL, true),
            KillStep::GiveUp => self.abandon(cx, id),
        }
    }

    /// Gives up a job whose rest cannot be killed: its nodes are drained.
    fn abandon(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let left = self.hand.parts.get(&id).map(|part| part.active());
        let left = left.unwrap_or_default();
        let (hosts, ranks) = self.names(id, &left);
        tracing::error!("job={id}: its processes on {hosts} ({ranks}) cannot be killed");
        self.drain(
            cx,
            &left,
            &format!("unkillable user processes for job {id}"),
        );
        self.end(cx, id, SIGKILL);
    }

    /// Has the shells send a signal to all tasks, now or when they report.
    fn signal_tasks(&mut self, cx: &mut Cx<Self>, id: JobId, signal: i32) {
        self.signal(cx, id, signal, false);
    }

    /// Sends a signal to all tasks of a job, or to its shells.
    fn signal(&mut self, cx: &mut Cx<Self>, id: JobId, signum: i32, shells: bool) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.n_pressed += 1;
        let n = job.n_pressed;
        let press = Some(Pressure { n, signum, shells });
        self.order_all(cx, id, |order| order.press = press);
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        let (_, unreachable) = self.hand.split(cx.rank(), &part.active());
        for rank in unreachable.iter() {
            let (host, rank) = self.names(id, &IdSet::from_range(rank, rank));
            tracing::error!("{id}: exec_kill: {host} ({rank}): No route to host");
        }
    }

    /// Hands report how often a job-exec before us had ordered them to end a job.
    pub(crate) fn pressed_before(&mut self, id: JobId, n: u32) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.n_pressed = job.n_pressed.max(n);
        }
    }

    /// Takes ranks out of service.
    pub(crate) fn drain(&mut self, cx: &mut Cx<Self>, ranks: &IdSet, reason: &str) {
        if ranks.is_empty() {
            return;
        }
        let drain = Drain {
            targets: ranks.to_string(),
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
