//! Requests of schedulers and execution services to the job manager (RFC 27, RFC 32,
//! protocol/11 sections 7 and 8). Its requests to them are in `sched.rs` and
//! `job_exec.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::RawJson;
use crate::data::job::Priority;
use crate::data::{IdSet, JobId};
use crate::schema::JsonSchema;

/// A scheduler asks for the jobs that have resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct SchedHello {
    /// True if it can handle jobs that have already freed some of their resources.
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
    /// Job id.
    pub id: JobId,
    /// Priority.
    pub priority: Priority,
    /// User id of its submitter.
    pub userid: u32,
    /// Time of submission, in seconds since the epoch.
    pub t_submit: f64,
    /// Idset of ranks that it has freed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<String>,
}

/// A scheduler accepts requests from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchedReady {
    /// `unlimited` or `limited`.
    pub mode: String,
    /// Number of requests that it accepts at a time with `limited`, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// Number of jobs waiting for the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchedReadyReply {
    /// Jobs in the queue.
    pub count: u64,
}

/// A service accepts jobs to run from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExecHello {
    /// Name: requests go to `SERVICE.start`.
    pub service: String,
}

/// Asks for the number of pending and running jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllocQuery;

/// Number of pending and running jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllocCounts {
    /// Jobs in the queue.
    pub queue_length: u64,
    /// Jobs with a request at the scheduler.
    pub alloc_pending: u64,
    /// Jobs in RUN or CLEANUP.
    pub running: u64,
}

/// Sends a signal to housekeeping commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HousekeepingKill {
    /// Signal number.
    pub signum: i32,
    /// Only those of this job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobid: Option<JobId>,
    /// Only those on these ranks, as an idset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<String>,
}

/// Housekeeping on the nodes of jobs that have ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct HousekeepingStats {
    /// Jobs whose nodes are not all free, by id.
    pub running: BTreeMap<String, HousekeepingJob>,
    /// The settings, if there is a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<HousekeepingSettings>,
}

/// Housekeeping on the nodes of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HousekeepingJob {
    /// Start time, in seconds since the epoch.
    pub t_start: f64,
    /// Ranks where it is running.
    pub pending: IdSet,
    /// Ranks that are not free.
    pub allocated: IdSet,
}

/// Settings of housekeeping between jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct HousekeepingSettings {
    /// Seconds from the end on the first rank until ranks are freed one by one; -1 to free
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

/// Event, our extension: the job manager was started, perhaps again. Schedulers and
/// execution services then repeat their hello.
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
