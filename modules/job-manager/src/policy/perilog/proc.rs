//! One prolog or epilog: where it runs, and how it ends. Pure; times are seconds since the
//! epoch.
//!
//! It runs until it has ended on all ranks. When its time has passed, or its job is cancelled,
//! it is asked to end; a process that has not ended after a while is given up.

use proto::Errno;
use proto::data::IdSet;
use proto::data::job::WaitStatus;

use super::Kind;
use super::config::Settings;
use crate::bulk::Outcome;

/// State: running, or the reason for ending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The process was not asked to end.
    Running,
    /// The job was cancelled.
    Canceled,
    /// The time is up.
    Timeout,
}

impl State {
    /// As a query shows it.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Canceled => "canceled",
            State::Timeout => "timeout",
        }
    }
}

/// One prolog or epilog.
#[derive(Debug)]
pub struct Proc {
    kind: Kind,
    settings: Settings,
    state: State,
    total: u64,
    active: IdSet,
    failed: IdSet,
    /// The largest over all ranks.
    status: WaitStatus,
    /// Time at which it must have ended.
    ends_by: f64,
    /// When it is given up, having been asked to end.
    killed_by: f64,
    is_given_up: bool,
}

/// Description of its failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Description: `exited with code=3`.
    pub text: String,
    /// The same for the reason of a drain: `failed`.
    pub verb: &'static str,
    /// Ranks that are not to be used for now.
    pub drain: IdSet,
}

impl Proc {
    /// One that starts now on these ranks.
    pub fn new(kind: Kind, settings: Settings, ranks: &IdSet, now: f64) -> Proc {
        let ends_by = match settings.timeout {
            0.0 => f64::INFINITY,
            seconds => now + seconds,
        };
        Proc {
            kind,
            settings,
            state: State::Running,
            total: ranks.count(),
            active: ranks.clone(),
            failed: IdSet::new(),
            status: WaitStatus::SUCCESS,
            ends_by,
            killed_by: f64::INFINITY,
            is_given_up: false,
        }
    }

    /// Records that the process has ended on a rank. One whose broker is lost does not count:
    /// the job learns of that in other ways.
    pub fn ended(&mut self, rank: u32, outcome: &Outcome) {
        self.active.remove(rank);
        if matches!(outcome, Outcome::Failed(why) if why.errno == Errno::EHOSTUNREACH) {
            return;
        }
        let status = outcome.status();
        self.status = self.status.max(status);
        if !status.is_success() {
            self.failed.insert(rank);
        }
    }

    /// The job was cancelled; returns true if it is to be asked to end.
    pub fn cancel(&mut self, now: f64) -> bool {
        self.settings.cancel_on_exception && self.ask_to_end(State::Canceled, now)
    }

    /// Time has passed; returns true if it is to be asked to end.
    pub fn tick(&mut self, now: f64) -> bool {
        if self.killed_by <= now && !self.active.is_empty() {
            self.is_given_up = true;
        }
        self.ends_by <= now && self.ask_to_end(State::Timeout, now)
    }

    fn ask_to_end(&mut self, why: State, now: f64) -> bool {
        if self.state != State::Running || self.is_over() {
            return false;
        }
        self.state = why;
        self.killed_by = now + self.settings.kill_timeout;
        true
    }

    /// Time of the next check.
    pub fn wakes_at(&self) -> f64 {
        match self.state {
            _ if self.is_over() => f64::INFINITY,
            State::Running => self.ends_by,
            State::Canceled | State::Timeout => self.killed_by,
        }
    }

    /// True if nothing more is waited for.
    pub fn is_over(&self) -> bool {
        self.active.is_empty() || self.is_given_up
    }

    /// True if it still runs somewhere although it was asked to end.
    pub fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// State: running, or the reason for ending it.
    pub fn state(&self) -> State {
        self.state
    }

    /// Ranks on which it runs.
    pub fn active(&self) -> &IdSet {
        &self.active
    }

    /// Number of ranks on which it was started.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Seconds until its time is up; `None` without a limit.
    pub fn remaining(&self, now: f64) -> Option<f64> {
        let remaining = self.ends_by - now;
        remaining.is_finite().then_some(remaining.max(0.0).floor())
    }

    /// The status of its end: the largest of all.
    pub fn status(&self) -> WaitStatus {
        match self.is_given_up {
            // A process killed now is not waited for.
            true => self.status.max(WaitStatus::killed(9)),
            false => self.status,
        }
    }

    /// Failure, if any. A cancelled one that ends when asked to has not failed.
    pub fn failure(&self) -> Option<Failure> {
        let (verb, text) = match (self.state, self.is_given_up) {
            (State::Canceled, false) => return None,
            (State::Canceled, true) => {
                let verb = "canceled then timed out";
                (verb, verb.to_owned())
            }
            (State::Timeout, _) => ("timed out", "timed out".to_owned()),
            (State::Running, _) if self.status.is_success() => return None,
            (State::Running, _) => ("failed", how(self.status)),
        };
        let mut drain = IdSet::new();
        if self.settings.per_rank && self.state != State::Canceled {
            drain.add(&self.failed);
        }
        if self.is_given_up {
            drain.add(&self.active);
        }
        Some(Failure { text, verb, drain })
    }

    /// Prolog or epilog.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// `exited with code=3`, `killed by signal 15`.
fn how(status: WaitStatus) -> String {
    match (status.signal(), status.exit_code()) {
        (Some(signal), _) => format!("killed by signal {signal}"),
        (None, Some(code)) if code > 128 => format!("killed by signal {}", code - 128),
        (None, code) => format!("exited with code={}", code.unwrap_or(1)),
    }
}

#[cfg(test)]
#[path = "proc_tests.rs"]
mod tests;
