//! Housekeeping on the nodes of one job, and the nodes that the scheduler still counts as the
//! job's. Pure: its output is the set of resources to give back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proto::data::{IdSet, Rset};
use proto::job_manager::{HousekeepingJob, SchedHelloJob};

use super::config::Release;
use crate::bulk::{Outcome, Stream, shared_words};

/// The nodes of one job.
#[derive(Debug)]
pub struct Session {
    /// Description of the job for a scheduler's hello.
    hello: SchedHelloJob,
    /// Resources of the job.
    r: Rset,
    t_start: f64,
    /// Ranks on which the command runs.
    pending: IdSet,
    /// Ranks not released.
    held: IdSet,
    /// True if the job has more nodes, which come later.
    is_open: bool,
    pace: Pace,
    /// Failures since the last report, by rank.
    failures: BTreeMap<u32, Cow<'static, str>>,
}

/// Time at which finished nodes are released.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    Together,
    /// From this many seconds after the first on.
    Later(f64),
    /// The clock for that runs.
    Soon,
    Singly,
}

/// Next step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Give these ranks back; the job has nothing more if `is_final`.
    Free {
        /// The ranks.
        ranks: IdSet,
        /// True if the job has nothing left.
        is_final: bool,
    },
    /// Say [`Session::time_is_up`] after this many seconds.
    Wait(f64),
}

impl Session {
    /// A job without nodes yet.
    pub fn new(hello: SchedHelloJob, r: Rset, now: f64, release: Release) -> Session {
        Session {
            hello,
            r,
            t_start: now,
            pending: IdSet::new(),
            held: IdSet::new(),
            is_open: true,
            pace: match release {
                Release::Together => Pace::Together,
                Release::After(seconds) if seconds > 0.0 => Pace::Later(seconds),
                Release::After(_) => Pace::Singly,
            },
            failures: BTreeMap::new(),
        }
    }

    /// The job is done with these nodes, with the last of them if `is_last`.
    pub fn add(&mut self, ranks: &IdSet, is_last: bool) {
        self.pending.add(ranks);
        self.held.add(ranks);
        self.is_open = !is_last;
    }

    /// The command is done on a rank.
    pub fn ended(&mut self, rank: u32, outcome: &Outcome) {
        self.pending.remove(rank);
        if let Some(failure) = outcome.failure() {
            self.failures.insert(rank, failure);
        }
    }

    /// The time of [`Step::Wait`] has come.
    pub fn time_is_up(&mut self) {
        self.pace = Pace::Singly;
    }

    /// Next step, if any. To be asked again until there is nothing.
    pub fn due(&mut self) -> Option<Step> {
        let done = self.held.difference(&self.pending);
        let is_final = self.pending.is_empty() && !self.is_open;
        if done.is_empty() {
            return None;
        }
        match self.pace {
            _ if is_final => {}
            Pace::Singly => {}
            Pace::Later(seconds) => {
                self.pace = Pace::Soon;
                return Some(Step::Wait(seconds));
            }
            Pace::Together | Pace::Soon => return None,
        }
        self.held.subtract(&done);
        Some(Step::Free {
            ranks: done,
            is_final,
        })
    }

    /// True if everything was released.
    pub fn is_over(&self) -> bool {
        self.held.is_empty() && !self.is_open
    }

    /// True if some nodes were released and others were not.
    pub fn is_split(&self) -> bool {
        !self.given_back().is_empty()
    }

    fn given_back(&self) -> IdSet {
        self.r.ranks().difference(&self.held)
    }

    /// Ranks that were not given back.
    pub fn held(&self) -> &IdSet {
        &self.held
    }

    /// Ranks where the command runs.
    pub fn pending(&self) -> &IdSet {
        &self.pending
    }

    /// The resources of the job on some ranks.
    pub fn part(&self, ranks: &IdSet) -> Rset {
        let mut part = self.r.clone();
        part.keep_ranks(ranks);
        part
    }

    /// Description of the job for a scheduler's hello.
    pub fn hello(&self) -> SchedHelloJob {
        let free = self.given_back();
        SchedHelloJob {
            free: (!free.is_empty()).then(|| free.to_string()),
            ..self.hello.clone()
        }
    }

    /// As statistics show it.
    pub fn stats(&self) -> HousekeepingJob {
        HousekeepingJob {
            t_start: self.t_start,
            pending: self.pending.clone(),
            allocated: self.held.clone(),
        }
    }

    /// Ranks as the log names them.
    pub fn place(&self, ranks: &IdSet) -> String {
        format!("{} (rank {ranks})", self.part(ranks).nodelist())
    }

    /// A line that the command has written, as the log has it.
    pub fn log(&self, rank: u32, stream: Stream, line: &str) {
        let id = self.hello.id;
        let host = self.r.host(rank).unwrap_or_default();
        match stream {
            Stream::Stdout => tracing::info!("housekeeping: {host} (rank {rank}) {id}: {line}"),
            Stream::Stderr => tracing::error!("housekeeping: {host} (rank {rank}) {id}: {line}"),
        }
    }

    /// Failures since the last call.
    pub fn take_failures(&mut self) -> Option<String> {
        let failures = std::mem::take(&mut self.failures);
        if failures.is_empty() {
            return None;
        }
        let words = shared_words(failures.values().map(|words| &**words));
        let place = self.place(&failures.keys().copied().collect());
        Some(format!("{place} {}: {words}", self.hello.id))
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
