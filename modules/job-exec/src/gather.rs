//! Decisions of the head on the news of its hands: that a job runs, that one of its shells
//! is missing, that it has ended.

use std::time::Duration;

use node::Cx;
use proto::data::job::{WaitStatus, signal_description};
use proto::data::{IdSet, JobId};
use proto::job_exec::{Ended, GuestLines, How, LostShells};
use serde_json::json;

use crate::JobExec;
use crate::job::Job;
use crate::limits::ROLL_CALL_MS;
use crate::signals::SIGKILL;
use crate::state::State;

impl JobExec {
    /// The state of the shells of a job has changed: takes the steps that follow.
    pub(crate) fn advance(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if self.jobs.get(&id).is_none_or(|job| !job.state().is_alive()) {
            return;
        }
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        let is_settled = part.is_settled();
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let ends = part.ended[job.n_ends.min(part.ended.len())..].to_vec();
        job.n_ends = part.ended.len();
        let is_waiting = is_settled && matches!(job.state(), State::Waiting | State::Starting);
        // A shell that was lost before the start of all was announced has run all the
        // same.
        let has_run = |end: &Ended| matches!(end.how, How::Word { .. } | How::Silent(_));
        if is_waiting && part.ended.iter().all(has_run) {
            match job.state() {
                State::Waiting => self.found(cx, id),
                _ => self.started(cx, id),
            }
        }
        for end in ends {
            self.shell_ended(cx, id, end);
        }
        self.open_if_met(cx, id);
        self.end_if_over(cx, id);
    }

    /// Ends the job when all of its shells have ended.
    fn end_if_over(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        let is_over = part.active().is_empty();
        if let Some(job) = self.jobs.get(&id)
            && is_over
        {
            let status = job.worst.unwrap_or(0);
            self.end(cx, id, status);
        }
    }

    /// A shell of a job ended, or several of which nothing is known.
    fn shell_ended(&mut self, cx: &mut Cx<Self>, id: JobId, end: Ended) {
        let is_alive = self.jobs.get(&id).is_some_and(|job| job.state().is_alive());
        let Some(part) = self.hand.parts.get(&id).filter(|_| is_alive) else {
            return;
        };
        let is_alone = part.all.count() == 1;
        let leads = part.leader().is_some_and(|rank| end.ranks.contains(rank));
        let has_met = part.barrier.opened.is_some();
        let is_meeting = !part.barrier.here.ranks.is_empty();
        match end.how {
            How::Word { status, lines } => {
                self.note_exit(cx, id, leads, status, &lines);
                if status != 0 || !has_met {
                    self.break_barriers(cx, id);
                }
            }
            How::Silent(status) => {
                self.note_exit(cx, id, leads, status, &GuestLines::default());
                let is_early = !has_met && (status != 0 || is_meeting);
                if !is_alone {
                    self.fell_silent(cx, id, &end.ranks, status, leads, is_early);
                }
            }
            How::Failed(why) => {
                let (host, ranks) = self.names(id, &end.ranks);
                let note = format!("job shell exec error on broker {host} ({ranks}): {why}");
                self.fail(cx, id, &note);
            }
            How::NotLoaded => {
                let (host, ranks) = self.names(id, &end.ranks);
                let note = format!("job-exec service is not loaded on {host} ({ranks})");
                self.raise(cx, id, 0, &note);
                self.miss_shells(cx, id, &end.ranks, 0);
            }
            How::Ending => self.nodes_lost(cx, id, &end.ranks, "broker is shutting down on"),
            How::NodeLost => self.nodes_lost(cx, id, &end.ranks, "node failure on"),
            How::NoContact if self.is_recovering(id) => self.shells_missing(cx, id, &end.ranks),
            How::NoContact => {
                self.nodes_lost(cx, id, &end.ranks, "lost contact with job shell on");
            }
        }
    }

    fn is_recovering(&self, id: JobId) -> bool {
        let job = self.jobs.get(&id);
        job.is_some_and(|job| job.state() == State::Waiting)
    }

    /// The process of a shell ended, with or without a word.
    fn note_exit(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        leads: bool,
        status: i32,
        lines: &GuestLines,
    ) {
        let now = cx.now().wall;
        let others = self.hand.parts.get(&id).map(|part| part.active());
        let others = others.unwrap_or_default();
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.note_status(status);
        if leads && std::mem::replace(&mut job.log.has_word, true) {
            // Heard by a job-exec before us, and stored with the event that says so.
            if !others.is_empty() {
                self.await_others(cx, id);
            }
            return;
        }
        job.log.unsent.add(lines);
        job.log.stamps.note_lines(&lines.log);
        if leads {
            let mut context = json!({ "rank": 0, "wait_status": status });
            if !others.is_empty() {
                context["active_ranks"] = json!(others.to_string());
            }
            job.log_with(now, "shell-exit", &context);
        }
        self.touch(id);
        if leads && !others.is_empty() {
            self.await_others(cx, id);
        }
    }

    /// A shell ended without a word, and others have part in the job.
    fn fell_silent(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        ranks: &IdSet,
        status: i32,
        leads: bool,
        is_early: bool,
    ) {
        let is_ending = self.jobs.get(&id).is_none_or(|job| job.ending.is_some());
        let (host, which) = self.names(id, ranks);
        let shells = self.shell_ranks(id, ranks);
        let how = ended_how(status);
        if is_early && !is_ending {
            let note = format!("{host} ({which}) terminated before first barrier");
            self.raise(cx, id, 0, &note);
            self.miss_shells(cx, id, ranks, 0);
        } else if leads && !is_ending {
            self.raise(cx, id, 0, &format!("shell rank 0 (on {host}): {how}"));
            self.end_early(cx, id, None);
        } else {
            let message = format!("shell rank {shells} (on {host}): {how}");
            self.notify_leader(cx, id, shells, 2, message);
            self.break_barriers(cx, id);
        }
    }

    /// Nothing is known of these shells any more. The job ends, unless it can do without.
    fn nodes_lost(&mut self, cx: &mut Cx<Self>, id: JobId, ranks: &IdSet, what: &str) {
        let (host, which) = self.names(id, ranks);
        let shells = self.shell_ranks(id, ranks);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.note_status(SIGKILL);
        let critical = job.critical_ranks.as_ref();
        let is_critical = shells.contains(0)
            || critical.is_none_or(|critical| critical.intersects(&shells))
            || job.state() != State::Running;
        if is_critical {
            self.raise(cx, id, 0, &format!("{what} {host} ({which})"));
            return self.miss_shells(cx, id, ranks, 0);
        }
        let ranks_word = if shells.count() == 1 { "rank" } else { "ranks" };
        let note = format!("{what} {host} (shell {ranks_word} {shells})");
        self.raise_as(cx, id, "node-failure", 2, &note);
        self.miss_shells(cx, id, ranks, 2);
    }

    /// Others of a job learn that shells are not there any more, for which an exception was
    /// raised.
    fn miss_shells(&mut self, cx: &mut Cx<Self>, id: JobId, ranks: &IdSet, severity: u32) {
        let shells = self.shell_ranks(id, ranks);
        self.notify_leader(cx, id, shells, severity, String::new());
        self.break_barriers(cx, id);
        if severity == 0 {
            self.end_early(cx, id, None);
        }
    }

    fn notify_leader(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        ranks: IdSet,
        severity: u32,
        message: String,
    ) {
        let lost = LostShells {
            ranks,
            severity,
            message,
        };
        self.order_all(cx, id, |order| order.lost.push(lost));
    }

    /// Gives the other shells a time limit when the leading one has ended.
    fn await_others(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let wait = self.config.shell_exit_timeout;
        let roll_call = Duration::from_millis(ROLL_CALL_MS);
        let late = cx.timer(roll_call, move |core: &mut JobExec, cx| {
            core.order_all(cx, id, |order| order.hurry = true);
        });
        let over = cx.timer(wait.max(roll_call), move |core: &mut JobExec, cx| {
            let ranks = core.hand.parts.get(&id).map(|part| part.active());
            let ranks = ranks.unwrap_or_default();
            if core.jobs.get(&id).is_some_and(|job| job.state().is_alive()) && !ranks.is_empty() {
                let (host, which) = core.names(id, &ranks);
                let note = format!(
                    "job shells on {host} ({which}) are still running after the \
                    leading one"
                );
                core.raise(cx, id, 0, &note);
                core.end_early(cx, id, None);
            }
        });
        if let Some(job) = self.jobs.get_mut(&id) {
            job.waits.extend([late, over]);
        }
    }

    /// Hosts of some ranks of a job, and `rank R` or `ranks R`.
    pub(crate) fn names(&self, id: JobId, ranks: &IdSet) -> (String, String) {
        let hosts = self.jobs.get(&id).map(|job| job.hosts(ranks));
        let word = if ranks.count() == 1 { "rank" } else { "ranks" };
        (hosts.unwrap_or_default(), format!("{word} {ranks}"))
    }

    fn shell_ranks(&self, id: JobId, ranks: &IdSet) -> IdSet {
        let part = self.hand.parts.get(&id);
        part.map(|part| part.shell_ranks(ranks)).unwrap_or_default()
    }

    /// A job that has begun and whose shells have not met after long: finds out which are
    /// late.
    pub(crate) fn await_meeting(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let own = self.jobs.get(&id).and_then(|job| job.barrier_timeout);
        // Programs of another kind need not meet.
        let has_own_shell = self.config.job_shell.is_some();
        let Some(limit) = own
            .or(self.config.barrier_timeout)
            .filter(|_| !has_own_shell)
        else {
            return;
        };
        let timer = cx.timer(limit, move |core: &mut JobExec, cx| {
            let Some(part) = core.hand.parts.get(&id).filter(|part| !part.has_begun()) else {
                return;
            };
            if part.all == IdSet::from_range(cx.rank(), cx.rank()) {
                return core.meeting_overdue(cx, id);
            }
            core.order_all(cx, id, |order| order.hurry = true);
            let wait = Duration::from_millis(ROLL_CALL_MS);
            cx.timer(wait, move |core: &mut JobExec, cx| {
                core.meeting_overdue(cx, id)
            });
        });
        if let Some(job) = self.jobs.get_mut(&id) {
            job.waits.push(timer);
        }
    }

    fn meeting_overdue(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        let late = part.active().difference(&part.barrier.here.ranks);
        let is_alive = self.jobs.get(&id).is_some_and(|job| job.state().is_alive());
        if part.has_begun() || late.is_empty() || !is_alive {
            return;
        }
        let (n, all) = (late.count(), part.all.count());
        let (_, which) = self.names(id, &late);
        let note = format!("start barrier timeout waiting for {n}/{all} nodes ({which})");
        self.raise(cx, id, 0, &note);
        let reason = format!("job {id} start timeout: possible node hang");
        self.drain(cx, &late, &reason);
        self.end_early(cx, id, None);
    }
}

/// Describes the exit of a process.
fn ended_how(status: i32) -> String {
    let status = WaitStatus(status);
    match status.signal() {
        Some(signal) => signal_description(signal).into_owned(),
        None => format!("Exit {}", status.shell_code()),
    }
}

impl crate::hand::Part {
    /// True if the shells of a job have met; a single shell has greeted.
    fn has_begun(&self) -> bool {
        let is_greeting = self.all.count() == 1
            && (self.shell.has_greeted() || !self.barrier.here.ranks.is_empty());
        self.barrier.opened.is_some() || is_greeting
    }
}

impl Job {
    /// Keeps the largest of the wait statuses of its shells, as numbers (protocol/13 section
    /// 3): the status of a shell that ended by itself counts more than that of one that was
    /// killed.
    fn note_status(&mut self, status: i32) {
        self.worst = self.worst.max(Some(status));
    }
}
