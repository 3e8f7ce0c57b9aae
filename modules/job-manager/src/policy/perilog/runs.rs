//! Starting prologs and epilogs, and the steps when they end.

use std::collections::BTreeMap;

use proto::data::job::{State, WaitStatus};
use proto::data::{Hostlist, IdSet, Rset};
use proto::{Method as _, Payload as _, resource};

use super::super::outstanding::{had_epilog, outstanding};
use super::proc::{Failure, Proc};
use super::{Kind, Perilog, Run, SIGKILL, SIGTERM, View, Wants};
use crate::job::Job;

impl Perilog {
    /// Starts one, with its event.
    pub(super) fn start(&mut self, view: &View<'_>, job: &Job, kind: Kind, wants: &mut Wants) {
        if self.config.of(kind).is_none() || self.by_job.contains_key(&job.id) {
            return;
        }
        wants.post(job.id, kind.start());
        if !self.run(view, job, kind, wants) {
            self.cannot_start(job, kind, wants);
            wants.post(job.id, kind.finish(WaitStatus::exited(127)));
        }
    }

    /// Runs one. Returns true if it can.
    fn run(&mut self, view: &View<'_>, job: &Job, kind: Kind, wants: &mut Wants) -> bool {
        let r = job.r.as_ref().and_then(|r| Rset::decode(r.as_str()).ok());
        let (Some(settings), Some(r)) = (self.config.of(kind), r) else {
            return false;
        };
        let ranks = match settings.per_rank {
            true => r.ranks(),
            false => IdSet::from(0),
        };
        let env = environment(job, &r.ranks());
        let proc = Proc::new(kind, settings.clone(), &ranks, view.now.wall);
        self.last += 1;
        wants.run(self.last, settings.command.clone(), env, ranks);
        let run = Run {
            id: job.id,
            r,
            proc,
            is_ending: false,
            failure: None,
        };
        self.runs.insert(self.last, run);
        self.by_job.insert(job.id, self.last);
        self.wake(wants);
        true
    }

    fn cannot_start(&self, job: &Job, kind: Kind, wants: &mut Wants) {
        let note = format!("failed to start job {}", kind.name());
        wants.raise(job.id, kind.name(), 0, note);
    }

    /// Starts the epilog of a job that has ended, unless it had one.
    pub(super) fn start_epilog(&mut self, view: &View<'_>, job: &Job, wants: &mut Wants) {
        if job.life.state == State::Cleanup {
            self.start_epilog_of(view, job, wants);
        }
    }

    /// The same of a job that ends now.
    fn start_epilog_of(&mut self, view: &View<'_>, job: &Job, wants: &mut Wants) {
        if !job.life.has_resources || had_epilog(job) || self.config.epilog.is_none() {
            return;
        }
        if view.is_ending {
            return tracing::info!("{}: no epilog: the instance is shutting down", job.id);
        }
        self.start(view, job, Kind::Epilog, wants);
    }

    /// Goes on with processes that a predecessor has begun and not ended.
    pub(super) fn go_on(&mut self, view: &View<'_>, job: &Job, wants: &mut Wants) {
        for (is_prolog, description) in outstanding(job) {
            let kind = match is_prolog {
                true => Kind::Prolog,
                false => Kind::Epilog,
            };
            if description != kind.description() {
                continue;
            }
            // Running commands were killed with their client.
            let was_cancelled = is_prolog && job.life.state == State::Cleanup;
            if was_cancelled {
                self.start_epilog(view, job, wants);
            } else if self.run(view, job, kind, wants) {
                tracing::info!("{}: {} is run again", job.id, kind.name());
                continue;
            } else {
                self.cannot_start(job, kind, wants);
            }
            wants.post(job.id, kind.finish(WaitStatus::killed(SIGKILL)));
        }
    }

    /// A job has got a fatal exception.
    pub(super) fn cancel(&mut self, view: &View<'_>, job: &Job, wants: &mut Wants) {
        let Some(token) = self.by_job.get(&job.id).copied() else {
            return;
        };
        let run = self.runs.get_mut(&token);
        if run.is_some_and(|run| run.proc.cancel(view.now.wall)) {
            wants.signal_run(token, SIGTERM);
            self.wake(wants);
        }
    }

    /// Wants to be woken when the next one is to be looked at.
    pub(super) fn wake(&self, wants: &mut Wants) {
        let all = self.runs.values().map(|run| run.proc.wakes_at());
        let first = all.fold(f64::INFINITY, f64::min);
        if first.is_finite() {
            wants.wake(first);
        }
    }

    /// Ends one that has ended everywhere, or that is given up: its nodes are drained first.
    pub(super) fn look_at(&mut self, view: &View<'_>, token: u64, wants: &mut Wants) {
        let Some(run) = self.runs.get_mut(&token) else {
            return;
        };
        if run.is_ending || !run.proc.is_over() {
            return;
        }
        run.is_ending = true;
        run.failure = run.proc.failure();
        let (id, name) = (run.id, run.proc.kind().name());
        if run.proc.is_given_up() {
            tracing::error!("{id}: timed out waiting for SIGTERM to terminate {name}");
            wants.forget_run(token);
        }
        let Some(failure) = &run.failure else {
            return self.conclude(view, token, wants);
        };
        let what = format!("{name} {} for job {id}", failure.verb);
        if failure.drain.is_empty() {
            tracing::error!("{what} but no failed ranks identified");
            return self.conclude(view, token, wants);
        }
        let drain = resource::Drain {
            targets: failure.drain.to_string(),
            reason: Some(what),
            mode: Some("update".to_owned()),
        };
        wants.ask(resource::Drain::TOPIC, drain.encode(), token);
    }

    /// Reports the end of a process.
    pub(super) fn conclude(&mut self, view: &View<'_>, token: u64, wants: &mut Wants) {
        let Some(run) = self.runs.remove(&token) else {
            return;
        };
        self.by_job.remove(&run.id);
        let Some(job) = view.jobs.active(run.id) else {
            return;
        };
        let kind = run.proc.kind();
        if let Some(failure) = &run.failure {
            let place = place(failure, &run.r, view.hosts);
            let note = format!("{} {} on {place}", kind.name(), failure.text);
            wants.raise(run.id, kind.name(), kind.severity(), note);
        }
        let is_cancelled = job.life.state == State::Cleanup;
        if kind == Kind::Prolog && (is_cancelled || run.failure.is_some()) {
            self.start_epilog_of(view, job, wants);
        }
        wants.post(run.id, kind.finish(run.proc.status()));
    }
}

/// The nodes that were drained, as texts name them.
fn place(failure: &Failure, r: &Rset, hosts: Option<&str>) -> String {
    let ranks = &failure.drain;
    if ranks.is_empty() {
        return "unknown (rank (null))".to_owned();
    }
    let mut part = r.clone();
    part.keep_ranks(ranks);
    let of_job = part.nodelist();
    let of_instance = || hosts.and_then(|hosts| hosts.parse::<Hostlist>().ok());
    // A command on rank 0 may be that of a job on other ranks.
    let hosts = match part.ranks() == *ranks {
        true => of_job,
        false => of_instance().unwrap_or_default().select(ranks),
    };
    format!("{hosts} (rank {ranks})")
}

fn environment(job: &Job, ranks: &IdSet) -> BTreeMap<String, String> {
    let env = [
        ("FLUX_JOB_ID", job.id.to_string()),
        ("FLUX_JOB_USERID", job.life.userid.to_string()),
        ("FLUX_JOB_RANKS", ranks.to_string()),
    ];
    env.map(|(name, value)| (name.to_owned(), value)).into()
}
