//! Queues (RFC 33), the history of a user, and forgetting inactive jobs (protocol/11
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
    /// `scheduler` or `parent`: what keeps it from running jobs although it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
}

/// Lets a queue take jobs, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueEnable {
    /// Absent for the anonymous queue, or with `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Take jobs.
    pub enable: bool,
    /// Reason for the stop. Required then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every queue. To be said; without effect where `name` is.
    pub all: bool,
}

/// Lets a queue run jobs, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueStart {
    /// Absent for the anonymous queue, or with `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Run jobs.
    pub start: bool,
    /// Reason for the stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every queue. To be said; without effect where `name` is.
    pub all: bool,
    /// Not to be remembered over a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nocheckpoint: Option<bool>,
}

/// Forgets inactive jobs. Without limits, all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Purge {
    /// Keep those younger than this, in seconds; -1 for no such limit.
    pub age_limit: f64,
    /// Keep N; -1 for no such limit.
    pub num_limit: i64,
    /// Number of jobs per batch, 1 to 100.
    pub batch: i64,
    /// Do it. Without it, only count.
    pub force: bool,
}

/// Number of jobs that were purged, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purged {
    /// Jobs.
    pub count: u64,
}

/// Forgets one inactive job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PurgeId {
    /// Job id.
    pub id: JobId,
    /// Not 0: do it. A number, not a boolean.
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

/// Once set how long events wait for company before they are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetBatchTimeout {
    /// Seconds.
    pub timeout: f64,
}

/// Event: jobs were forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobPurgeInactive {
    /// Job ids.
    pub jobs: Vec<JobId>,
}

/// Event: a job is to be sent a signal. Its shells listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellKill {
    /// By number.
    pub signum: i64,
}

/// State, besides the jobs, that survives a restart, under [`super::CHECKPOINT_KEY`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// 1.
    #[serde(default)]
    pub version: u32,
    /// The highest job id so far, of jobs that are purged too.
    #[serde(default)]
    pub max_jobid: JobId,
    /// The queues.
    #[serde(default)]
    pub queue: Vec<CheckpointQueue>,
    /// 1, ours: the job log knows every job. Other job managers do not write it, and do
    /// not leave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<u32>,
    /// Ours: when the youngest job that is purged ended, in seconds since the epoch. The
    /// journal does not go back further.
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
