//! What runs on the nodes of one job, and which of them are still the job's for the scheduler.
//! Pure: what is to be given back is what comes out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proto::data::{IdSet, Rset};
use proto::job_manager::{HousekeepingJob, SchedHelloJob};

use super::config::Release;
use crate::bulk::{Outcome, Stream, shared_words};

/// The nodes of one job.
#[derive(Debug)]
pub struct Session {
    /// What a scheduler that comes up is told of the job.
    hello: SchedHelloJob,
    /// What the job had.
    r: Rset,
    t_start: f64,
    /// Where the command runs.
    pending: IdSet,
    /// What was not given back.
    held: IdSet,
    /// Whether the job has more nodes, which come later.
    is_open: bool,
    pace: Pace,
    /// What went wrong since it was last told, by rank.
    failures: BTreeMap<u32, Cow<'static, str>>,
}

/// When nodes that are done are given back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    Together,
    /// From this many seconds after the first on.
    Later(f64),
    /// The clock for that runs.
    Soon,
    Singly,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Give these ranks back; the job has nothing more if `is_final`.
    Free {
        /// The ranks.
        ranks: IdSet,
        /// Whether the job has nothing more.
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

    /// What is to be done now, if anything. To be asked again until there is nothing.
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

    /// Whether everything was given back.
    pub fn is_over(&self) -> bool {
        self.held.is_empty() && !self.is_open
    }

    /// Whether some nodes were given back and others were not.
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

    /// What a scheduler that comes up is told of the job.
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

    /// What went wrong since this was last asked.
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
