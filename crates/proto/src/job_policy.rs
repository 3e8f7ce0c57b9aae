//! job-policy.*: requests of the job manager to a site's own policy, which answers as a service
//! under a name of the site's: `NAME.validate`, `NAME.priority` (doc/howto/add-a-job-policy.md).
//!
//! A request has all jobs that have gathered since the last answer. None of its jobs has an id twice.

use serde::{Deserialize, Serialize};

use crate::data::JobId;
use crate::data::job::Priority as JobPriority;
use crate::schema::JsonSchema;
use crate::{RawJson, Refusal};

/// One job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// Job id.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// 0 to 31.
    pub urgency: i64,
    /// Time of submission, in seconds since the epoch.
    pub t_submit: f64,
    /// Without `attributes.system.environment`; after an update, the new one.
    pub jobspec: RawJson,
}

/// Validates jobs to be submitted, or their jobspecs after an update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validate {
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// The jobs that are rejected, with reasons. The others are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Validated {
    /// Job and the text for its submitter; an empty one stands for a general text.
    pub errors: Vec<(JobId, String)>,
}

/// Asks for the priority of jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Priority {
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// The priorities known. The other jobs wait until `job-manager.reprioritize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Priorities {
    /// Job and priority; higher runs first, and 0 is held.
    pub priorities: Vec<(JobId, JobPriority)>,
}

crate::json_payloads!(Validate, Validated, Priority, Priorities);

crate::methods! {
    Validate = "job-policy.validate" (OWNER) => Validated, Refusal, idempotent
        : "Returns the jobs that may not be submitted or updated.";
    Priority = "job-policy.priority" (OWNER) => Priorities, Refusal, idempotent
        : "Returns the priority of pending jobs.";
}
