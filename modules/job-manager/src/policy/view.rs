//! View of a job for a policy, and the policy's answers.

use node::Now;
use proto::Object;
use proto::data::Jobspec;
use proto::data::job::Priority;
use serde_json::{Map, Value};

use crate::job::Job;
use crate::jobs::Jobs;
use crate::queue::Queues;

/// View of a policy: the jobs, the configuration and the time.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The jobs.
    pub jobs: &'a Jobs,
    /// The queues.
    pub queues: &'a Queues,
    /// The configuration.
    pub conf: &'a Object,
    /// The time.
    pub now: Now,
    /// User id of the instance owner.
    pub owner: u32,
    /// The end of the instance's time in seconds since the epoch; 0 is none.
    pub expiration: f64,
    /// The hosts of the instance by rank, as a hostlist.
    pub hosts: Option<&'a str>,
    /// The broker is on its way to the end.
    pub is_ending: bool,
}

/// A job whose jobspec was read already.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The job.
    pub job: &'a Job,
    /// Jobspec.
    pub jobspec: &'a Jobspec,
}

/// Answer of a policy about a job's priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Nothing: the result of another policy counts, or the earlier one.
    Pass,
    /// The priority is not known yet: the job waits until a policy wants it ranked again.
    Unavailable,
    /// This.
    Is(Priority),
}

/// A value that someone wants a jobspec to have.
#[derive(Clone, Copy)]
pub struct Update<'a> {
    /// Dotted path.
    pub key: &'a str,
    /// The new value.
    pub value: &'a Value,
    /// User id of who wants it.
    pub userid: u32,
    /// True if it is the instance owner.
    pub is_owner: bool,
}

/// Answer of a policy that accepts an update.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Accepted {
    /// The new jobspec need not be validated for it.
    pub validated: bool,
    /// True if the scheduler must be asked whether the new jobspec is satisfiable.
    pub feasibility: bool,
    /// Further values to be set, by dotted path.
    pub updates: Map<String, Value>,
}
