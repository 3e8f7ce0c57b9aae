//! `perilog`: a prolog before a job starts, an epilog when it has ended (protocol/25 section 8).
//!
//! Both are commands of the site, run as the instance owner: once on rank 0, or on every rank
//! of the job. A job starts when its prolog has ended well, and gives its resources back when
//! its epilog has ended. One that fails takes its nodes out of use, and a prolog takes the job
//! with it.
//!
//! A job whose prolog has run gets an epilog, regardless of how it ends: after its `finish`, or
//! when it is known that there will be none. An exception comes before `epilog-start`, which
//! only then holds resources back.
//!
//! When the job manager ends, its processes end with it. The next one runs it again, but for
//! the prolog of a job that was cancelled, which counts as ended.
//!
//! Read on in `config.rs` (settings), `proc.rs` (how one runs and ends) and `runs.rs` (the
//! effects on the job).

mod config;
mod proc;
mod runs;

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::data::job::{State, WaitStatus};
use proto::data::{JobId, Rset};
use proto::job_manager::JobEvent;
use proto::{Method as _, Object, Refusal, resource};
use serde_json::{Map, Value, json};

use self::config::Config;
use self::proc::{Failure, Proc};
use super::outstanding::had_prolog;
use super::{Asked, Points, Policy, Step, View, Wants};
use crate::bulk::{Outcome, Stream};
use crate::job::Job;
use crate::state::ExecAsk;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// Prolog or epilog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Before a job.
    Prolog,
    /// After it.
    Epilog,
}

impl Kind {
    /// Name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Prolog => "prolog",
            Kind::Epilog => "epilog",
        }
    }

    /// Description in events.
    pub fn description(self) -> String {
        format!("job-manager.{}", self.name())
    }

    /// The severity of its exception.
    fn severity(self) -> i64 {
        match self {
            Kind::Prolog => 0,
            Kind::Epilog => 2,
        }
    }

    fn start(self) -> JobEvent {
        match self {
            Kind::Prolog => JobEvent::PrologStart(self.description()),
            Kind::Epilog => JobEvent::EpilogStart(self.description()),
        }
    }

    fn finish(self, status: WaitStatus) -> JobEvent {
        let description = self.description();
        match self {
            Kind::Prolog => JobEvent::PrologFinish {
                description,
                status,
            },
            Kind::Epilog => JobEvent::EpilogFinish {
                description,
                status,
            },
        }
    }
}

/// The policy.
#[derive(Default)]
pub struct Perilog {
    config: Config,
    runs: BTreeMap<u64, Run>,
    /// Of the one that each job has.
    by_job: BTreeMap<JobId, u64>,
    last: u64,
}

/// One prolog or epilog of a job.
struct Run {
    id: JobId,
    r: Rset,
    proc: Proc,
    /// The run has ended, and the drain of its nodes is waited for.
    is_ending: bool,
    failure: Option<Failure>,
}

impl Policy for Perilog {
    fn name(&self) -> &str {
        "perilog"
    }

    fn hears(&self) -> Points {
        Points::ACCEPTED | Points::EVENT
    }

    fn configure(&mut self, conf: &Object) -> Result<(), String> {
        self.config = Config::new(conf)?;
        Ok(())
    }

    fn accepted(&mut self, view: &View<'_>, asked: Asked<'_>, wants: &mut Wants) {
        if asked.job.life.perilogs > 0 {
            self.go_on(view, asked.job, wants);
        }
    }

    fn event(&mut self, view: &View<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        match step.event {
            JobEvent::Alloc { .. } if step.to == State::Run => {
                self.start(view, job, Kind::Prolog, wants);
            }
            // Its own exception, which comes when the prolog has ended and the epilog is next.
            JobEvent::Exception(exception) if exception.kind.as_str() == "prolog" => {}
            JobEvent::Exception(exception) if exception.severity.is_fatal() => {
                self.cancel(view, job, wants);
                // It was not asked to run, so that no end of it will be told.
                if step.to == State::Cleanup && job.exec == ExecAsk::Never && had_prolog(job) {
                    self.start_epilog(view, job, wants);
                }
            }
            JobEvent::Finish(_) | JobEvent::Release { is_final: true, .. } => {
                self.start_epilog(view, job, wants);
            }
            _ => {}
        }
    }

    fn perilogs(&self) -> Vec<String> {
        [Kind::Prolog, Kind::Epilog].map(Kind::description).into()
    }

    fn wrote(&mut self, run: u64, rank: u32, stream: Stream, line: &str) {
        let Some(run) = self.runs.get(&run).filter(|_| !self.config.ignores(line)) else {
            return;
        };
        let (id, name) = (run.id, run.proc.kind().name());
        let host = run.r.host(rank).unwrap_or_default();
        match stream {
            Stream::Stdout => tracing::info!("{id}: {name}: {host} (rank {rank}): stdout: {line}"),
            Stream::Stderr => tracing::error!("{id}: {name}: {host} (rank {rank}): stderr: {line}"),
        }
    }

    fn ended(
        &mut self,
        view: &View<'_>,
        token: u64,
        rank: u32,
        outcome: &Outcome,
        wants: &mut Wants,
    ) {
        if let Some(run) = self.runs.get_mut(&token) {
            if let Outcome::Failed(why) = outcome {
                let name = run.proc.kind().name();
                tracing::error!("{}: {name}: rank {rank}: {why}", run.id);
            }
            run.proc.ended(rank, outcome);
            self.look_at(view, token, wants);
        }
    }

    fn woken(&mut self, view: &View<'_>, wants: &mut Wants) {
        let tokens: Vec<u64> = self.runs.keys().copied().collect();
        for token in tokens {
            let Some(run) = self.runs.get_mut(&token) else {
                continue;
            };
            if run.proc.tick(view.now.wall) {
                wants.signal_run(token, SIGTERM);
            }
            self.look_at(view, token, wants);
        }
        self.wake(wants);
    }

    fn answered(
        &mut self,
        view: &View<'_>,
        token: u64,
        answer: Result<Option<Bytes>, Refusal>,
        wants: &mut Wants,
    ) {
        if let Some(run) = self.runs.get(&token) {
            if let Err(refusal) = answer {
                tracing::error!("{}: {}: {refusal}", run.id, resource::Drain::TOPIC);
            }
            self.conclude(view, token, wants);
        }
    }

    fn removed(&mut self, wants: &mut Wants) {
        for (token, run) in std::mem::take(&mut self.runs) {
            let kind = run.proc.kind();
            wants.forget_run(token);
            let note = format!("{} was unloaded", self.name());
            wants.raise(run.id, kind.name(), kind.severity(), note);
            wants.post(run.id, kind.finish(WaitStatus::killed(SIGKILL)));
        }
        self.by_job.clear();
    }

    fn query(&self, view: &View<'_>) -> Map<String, Value> {
        let procs = self.runs.values().map(|run| {
            let mut shown = json!({
                "name": run.proc.kind().name(),
                "state": run.proc.state().name(),
                "total": run.proc.total(),
                "active": run.proc.active().count(),
                "active_ranks": run.proc.active().to_string(),
            });
            if let Some(remaining) = run.proc.remaining(view.now.wall) {
                shown["remaining_time"] = remaining.into();
            }
            (run.id.to_string(), shown)
        });
        let procs: Map<String, Value> = procs.collect();
        Map::from_iter([
            ("conf".to_owned(), self.config.shown()),
            ("procs".to_owned(), procs.into()),
        ])
    }
}
