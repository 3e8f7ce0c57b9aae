//! One job as it is kept: a row of numbers and shared parts, about 150 bytes.

use std::rc::Rc;

use proto::data::job::{Asked, Given, JobResult, Raised, State};

use crate::parts::Part;

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Id.
    pub id: u64,
    /// User id of its submitter.
    pub userid: u32,
    /// Last priority.
    pub priority: u32,
    /// When it was submitted, and when it first came to DEPEND, PRIORITY, SCHED, RUN,
    /// CLEANUP and INACTIVE; 0 for not yet.
    pub times: Times,
    /// Time at which its resources expire; 0 for never.
    pub expiration: f64,
    /// An [`Asked`] as bytes, if its jobspec is known.
    pub asked: Option<Part>,
    /// A [`Given`] as bytes, once it has got anything.
    pub given: Option<Part>,
    /// A [`Raised`] as bytes: the worst exception so far, lowest severity, of those the first.
    pub raised: Option<Part>,
    /// Data that few jobs have.
    pub extra: Option<Box<Extra>>,
    /// Status of `finish`.
    pub waitstatus: Option<i32>,
    /// Last urgency.
    pub urgency: i32,
    /// State.
    pub state: State,
    /// Where it has been, as bits.
    pub states_mask: u8,
    /// Result, once it is inactive.
    pub result: Option<JobResult>,
}

/// Data that few jobs have, or only active ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extra {
    /// Annotations as JSON.
    pub annotations: Option<Box<str>>,
    /// Outstanding dependencies, once it has ever had any.
    pub dependencies: Option<Vec<Box<str>>>,
    /// Jobspec as JSON, until it is inactive.
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

impl Extra {
    /// True if it is empty.
    pub fn is_empty(&self) -> bool {
        self.annotations.is_none() && self.dependencies.is_none() && self.jobspec.is_none()
    }
}

impl Times {
    /// In the order of the states.
    pub fn all(&self) -> [f64; 7] {
        [
            self.submit,
            self.depend,
            self.priority,
            self.sched,
            self.run,
            self.cleanup,
            self.inactive,
        ]
    }

    /// From the order of the states.
    pub fn of(all: [f64; 7]) -> Times {
        let [submit, depend, priority, sched, run, cleanup, inactive] = all;
        Times {
            submit,
            depend,
            priority,
            sched,
            run,
            cleanup,
            inactive,
        }
    }
}

impl Job {
    /// A job that was just submitted.
    pub fn new(id: u64) -> Job {
        Job {
            id,
            userid: u32::MAX,
            priority: 0,
            times: Times::default(),
            expiration: 0.0,
            asked: None,
            given: None,
            raised: None,
            extra: None,
            waitstatus: None,
            urgency: 16,
            state: State::New,
            states_mask: State::New.bit() as u8,
            result: None,
        }
    }

    /// True if it has been in `state`.
    pub fn has_reached(&self, state: State) -> bool {
        self.has_reached_any(state.bit())
    }

    /// True if it has been in one of the states with these bits.
    pub fn has_reached_any(&self, states: u32) -> bool {
        u32::from(self.states_mask) & states != 0
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

    /// Request.
    pub fn asked(&self) -> Asked<'_> {
        let asked = self.asked.as_deref().and_then(Asked::decode);
        asked.unwrap_or_default()
    }

    /// Name.
    pub fn name(&self) -> Option<&str> {
        Asked::name_and_queue(self.asked.as_deref()?).0
    }

    /// Queue.
    pub fn queue(&self) -> Option<&str> {
        Asked::name_and_queue(self.asked.as_deref()?).1
    }

    /// Allocation.
    pub fn given(&self) -> Option<Given<'_>> {
        self.given.as_deref().and_then(Given::decode)
    }

    /// Worst exception.
    pub fn raised(&self) -> Option<Raised<'_>> {
        self.raised.as_deref().and_then(Raised::decode)
    }

    /// Annotations as JSON.
    pub fn annotations(&self) -> Option<&str> {
        self.extra.as_ref()?.annotations.as_deref()
    }

    /// Outstanding dependencies, once it has ever had any.
    pub fn dependencies(&self) -> Option<&[Box<str>]> {
        self.extra.as_ref()?.dependencies.as_deref()
    }

    /// Changes the data that few jobs have.
    pub fn change_extra(&mut self, change: impl FnOnce(&mut Extra)) {
        let mut extra = self.extra.take().unwrap_or_default();
        change(&mut extra);
        self.extra = (!extra.is_empty()).then_some(extra);
    }

    /// Tasks: as requested, or counted by its allocation.
    pub fn ntasks(&self) -> Option<u64> {
        let asked = self.asked();
        match (self.given(), asked.per_core, asked.per_node) {
            (Some(given), Some(n), _) => given.ncores.checked_mul(n),
            (Some(given), None, Some(n)) => given.nnodes.checked_mul(n),
            _ => asked.ntasks,
        }
    }

    /// Cores: allocated, else requested.
    pub fn ncores(&self) -> Option<u64> {
        let given = self.given().map(|given| given.ncores);
        given.or_else(|| self.asked().ncores)
    }

    /// Nodes: allocated, else requested.
    pub fn nnodes(&self) -> Option<u64> {
        let given = self.given().map(|given| given.nnodes);
        given.or_else(|| self.asked().nnodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_small() {
        let bytes = size_of::<Job>();
        assert!(bytes <= 160, "{bytes}");
    }
}
