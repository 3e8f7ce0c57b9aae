//! One job as it is kept: a row of numbers and shared texts, well below 1 KiB.

use std::rc::Rc;

use proto::data::job::{JobResult, State};

use crate::wish::Wish;
use crate::words::Word;

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: u64,
    /// User id of its submitter.
    pub userid: u32,
    /// Last urgency.
    pub urgency: i64,
    /// Last priority.
    pub priority: u32,
    /// Where it is.
    pub state: State,
    /// Where it has been, as bits.
    pub states_mask: u32,
    /// When it was submitted, and when it first came to DEPEND, PRIORITY, SCHED, RUN,
    /// CLEANUP and INACTIVE; 0 for not yet.
    pub times: Times,
    /// What it asked for.
    pub wish: Rc<Wish>,
    /// What it got.
    pub got: Option<Got>,
    /// The worst exception so far: lowest severity, of those the first.
    pub exception: Option<Box<Exception>>,
    /// Status of `finish`.
    pub waitstatus: Option<i32>,
    /// How it ended, once it is inactive.
    pub result: Option<JobResult>,
    /// Its annotations as JSON.
    pub annotations: Option<Word>,
    /// What it waits for, once it has ever waited.
    #[allow(clippy::box_collection, reason = "one word in each of a million jobs")]
    pub dependencies: Option<Box<Vec<Box<str>>>>,
    /// Its jobspec as JSON, until it is inactive.
    pub jobspec: Option<Rc<str>>,
}

/// Times in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs, reason = "the fields are the states of RFC 21")]
pub struct Times {
    pub submit: f64,
    pub depend: f64,
    pub priority: f64,
    pub sched: f64,
    pub run: f64,
    pub cleanup: f64,
    pub inactive: f64,
}

/// What was derived from R.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    /// Ranks, in brackets if there are more than one.
    pub ranks: Word,
    /// Their hosts.
    pub nodelist: Word,
    /// How many ranks.
    pub nnodes: u64,
    /// How many cores.
    pub ncores: u64,
    /// When it must be given back; 0 for never.
    pub expiration: f64,
}

/// The worst exception.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// Type.
    pub kind: Word,
    /// 0 to 7.
    pub severity: i64,
    /// A sentence.
    pub note: Word,
}

/// The list that a job is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// NEW: on none that is shown.
    Processing,
    /// DEPEND, PRIORITY, SCHED.
    Pending,
    /// RUN, CLEANUP.
    Running,
    /// INACTIVE.
    Inactive,
}

impl Job {
    /// A job that was just submitted.
    pub fn new(id: u64) -> Job {
        Job {
            id,
            userid: u32::MAX,
            urgency: 16,
            priority: 0,
            state: State::New,
            states_mask: State::New.bit(),
            times: Times::default(),
            wish: Rc::default(),
            got: None,
            exception: None,
            waitstatus: None,
            result: None,
            annotations: None,
            dependencies: None,
            jobspec: None,
        }
    }

    /// Whether it has been in `state`.
    pub fn has_reached(&self, state: State) -> bool {
        self.states_mask & state.bit() != 0
    }

    /// The list that it is on.
    pub fn list(&self) -> List {
        match self.state {
            State::New => List::Processing,
            State::Depend | State::Priority | State::Sched => List::Pending,
            State::Run | State::Cleanup => List::Running,
            State::Inactive => List::Inactive,
        }
    }

    /// Tasks: as asked for, or counted by what it got.
    pub fn ntasks(&self) -> Option<u64> {
        use crate::wish::Per;
        match (&self.got, self.wish.per) {
            (Some(got), Some(Per::Core(n))) => got.ncores.checked_mul(n),
            (Some(got), Some(Per::Node(n))) => got.nnodes.checked_mul(n),
            _ => self.wish.ntasks,
        }
    }

    /// Cores: what it got, else what it asked for.
    pub fn ncores(&self) -> Option<u64> {
        let got = self.got.as_ref().map(|got| got.ncores);
        got.or(self.wish.ncores)
    }

    /// Nodes: what it got, else what it asked for.
    pub fn nnodes(&self) -> Option<u64> {
        let got = self.got.as_ref().map(|got| got.nnodes);
        got.or(self.wish.nnodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_small() {
        let bytes = size_of::<Job>() + size_of::<Wish>();
        assert!(bytes <= 600, "{bytes}");
    }
}
