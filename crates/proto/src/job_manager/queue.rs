//! Queues (RFC 33), the history of a user, and purging inactive jobs (protocol/11
//! sections 11 and 13).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::JobId;
use crate::schema::JsonSchema;

/// Asks for the names of the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueList;

/// The names of the queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queues {
    /// Empty when there is only the anonymous one.
    pub queues: Vec<String>,
}

/// Asks for the state of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct QueueStatus {
    /// Absent for the anonymous queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The state of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueState {
    /// True if it accepts jobs.
    pub enable: bool,
    /// True if it starts jobs.
    pub start: bool,
    /// Reason for not accepting jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_reason: Option<String>,
    /// Reason for not starting jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// The queue it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Reason for which a started queue does not run jobs: `scheduler` or `parent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
}

/// Sets whether a queue accepts jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueEnable {
    /// Absent for the anonymous queue, or with `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// True to accept jobs.
    pub enable: bool,
    /// Reason for the stop. Required to disable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// True for all queues. Required key; without effect if `name` is given.
    pub all: bool,
}

/// Sets whether a queue starts jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueStart {
    /// Absent for the anonymous queue, or with `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// True to start jobs.
    pub start: bool,
    /// Reason for the stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// True for all queues. Required key; without effect if `name` is given.
    pub all: bool,
    /// True to discard the state at a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nocheckpoint: Option<bool>,
}

/// Purges inactive jobs. Without limits, all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Purge {
    /// Keep jobs inactive for less than this, in seconds; -1 for no such limit.
    pub age_limit: f64,
    /// Keep the N most recent jobs; -1 for no such limit.
    pub num_limit: i64,
    /// Number of jobs per batch, 1 to 100.
    pub batch: i64,
    /// True to purge them. Without it, they are only counted.
    pub force: bool,
}

/// Number of jobs that were purged, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purged {
    /// Number of jobs.
    pub count: u64,
}

/// Purges one inactive job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PurgeId {
    /// Job id.
    pub id: JobId,
    /// Not 0: purge it. A number, not a boolean.
    pub force: i64,
}

/// Asks for the caller's jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryGet {
    /// Selection of them, as a Python slice in brackets.
    pub slice: String,
}

/// Jobs of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// Newest first.
    pub jobs: Vec<JobId>,
}

/// Formerly set the time that events wait for others before they are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetBatchTimeout {
    /// Time in seconds.
    pub timeout: f64,
}

/// Event: jobs were purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobPurgeInactive {
    /// Job ids.
    pub jobs: Vec<JobId>,
}

/// Event: asks the shells of a job to send a signal. Its shells subscribe to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellKill {
    /// Signal number.
    pub signum: i64,
}

/// State, besides the jobs, that survives a restart, under [`super::CHECKPOINT_KEY`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// Version: 1.
    #[serde(default)]
    pub version: u32,
    /// The highest job id so far, including purged jobs.
    #[serde(default)]
    pub max_jobid: JobId,
    /// The queues.
    #[serde(default)]
    pub queue: Vec<CheckpointQueue>,
    /// Our extension, 1: the job log has every job. Other job managers do not write it,
    /// and do not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<u32>,
    /// Our extension: the end time of the youngest purged job, in seconds since the
    /// epoch. The journal does not go back further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged: Option<f64>,
}

/// One queue in a [`Checkpoint`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointQueue {
    /// Absent for the anonymous queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// True if it takes jobs.
    pub enable: bool,
    /// True if it runs them.
    #[serde(default = "started")]
    pub start: bool,
    /// Reason for not accepting jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_reason: Option<String>,
    /// Reason for not starting jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Keys of later layouts are kept.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

fn started() -> bool {
    true
}

crate::json_payloads!(
    Queues,
    QueueStatus,
    QueueState,
    QueueEnable,
    QueueStart,
    Purge,
    Purged,
    PurgeId,
    HistoryGet,
    History,
    SetBatchTimeout,
    JobPurgeInactive,
    ShellKill,
    Checkpoint,
);
crate::no_payloads!(QueueList);
