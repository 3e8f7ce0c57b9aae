//! Requests of schedulers and execution services to the job manager (RFC 27, RFC 32,
//! protocol/11 sections 7 and 8). Its requests to them are in `sched.rs` and
//! `job_exec.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::RawJson;
use crate::data::job::Priority;
use crate::data::{IdSet, JobId};
use crate::schema::JsonSchema;

/// A scheduler asks which jobs have resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct SchedHello {
    /// It can handle jobs that gave some of their resources back already.
    #[serde(
        default,
        rename = "partial-ok",
        skip_serializing_if = "Option::is_none"
    )]
    pub partial_ok: Option<bool>,
}

/// One job with resources, which are in the KVS at `job.D.R`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchedHelloJob {
    /// The job.
    pub id: JobId,
    /// Its priority.
    pub priority: Priority,
    /// User id of its submitter.
    pub userid: u32,
    /// When it was submitted, in seconds since the epoch.
    pub t_submit: f64,
    /// Idset of ranks that it has given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<String>,
}

/// A scheduler takes requests from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchedReady {
    /// `unlimited` or `limited`.
    pub mode: String,
    /// With `limited`: how many requests it takes at a time, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// Number of jobs waiting for the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchedReadyReply {
    /// Jobs in the queue.
    pub count: u64,
}

/// A service takes jobs to run from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExecHello {
    /// Its name: `SERVICE.start` is what it is sent.
    pub service: String,
}

/// Asks how many jobs wait and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllocQuery;

/// Number of pending and running jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllocCounts {
    /// In the queue.
    pub queue_length: u64,
    /// With the scheduler.
    pub alloc_pending: u64,
    /// In RUN or CLEANUP.
    pub running: u64,
}

/// Sends a signal to commands that run on the nodes of jobs that have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HousekeepingKill {
    /// Signal number.
    pub signum: i32,
    /// Of this job alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobid: Option<JobId>,
    /// On these ranks alone, as an idset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<String>,
}

/// Housekeeping on the nodes of jobs that have ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct HousekeepingStats {
    /// By job id, those whose nodes are not all free.
    pub running: BTreeMap<String, HousekeepingJob>,
    /// The settings, if there is a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<HousekeepingSettings>,
}

/// Housekeeping on the nodes of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HousekeepingJob {
    /// When it began, in seconds since the epoch.
    pub t_start: f64,
    /// Ranks where it runs.
    pub pending: IdSet,
    /// Ranks that are not free.
    pub allocated: IdSet,
}

/// Settings of housekeeping between jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct HousekeepingSettings {
    /// Seconds from the first rank that is done until ranks become free one by one; -1 for
    /// all together.
    pub release_after: f64,
    /// The command, its words joined by blanks.
    pub command: String,
}

/// Asks for the resources in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceStatus;

/// The resources in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Allocated {
    /// An R object.
    pub allocated: RawJson,
}

/// Event, ours: the job manager was started, again maybe. Schedulers and execution
/// services that had said hello before say it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Online {
    /// Identity of the job manager.
    pub uuid: String,
}

crate::json_payloads!(
    HousekeepingKill,
    HousekeepingStats,
    SchedHello,
    SchedHelloJob,
    SchedReady,
    SchedReadyReply,
    ExecHello,
    AllocCounts,
    Allocated,
    Online,
);
crate::no_payloads!(AllocQuery, ResourceStatus);
