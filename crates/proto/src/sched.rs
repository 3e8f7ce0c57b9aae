//! sched.*: asking a scheduler for resources (RFC 27, protocol/11 section 7, protocol/13
//! section 1). The scheduler that is loaded registers this service; the job manager calls it.

use serde::{Deserialize, Serialize};

use crate::data::JobId;
use crate::data::job::Priority;
use crate::schema::JsonSchema;
use crate::{Empty, Never, Object, RawJson, Refusal};

/// Asks for resources for a job. Sent without a matchtag and answered any number of times
/// without the STREAMING flag: the job id distinguishes the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alloc {
    /// Job id.
    pub id: JobId,
    /// Higher is served first, then the lower id.
    pub priority: Priority,
    /// User id of its submitter.
    pub userid: u32,
    /// Time of submission, in seconds since the epoch.
    pub t_submit: f64,
    /// Jobspec with all updates applied and without the environment.
    pub jobspec: RawJson,
}

/// `type` of an [`AllocReply`]: resources were found; `R` is in the KVS.
pub const ALLOC_SUCCESS: u32 = 0;
/// `type` of an [`AllocReply`]: annotations of a request that still waits.
pub const ALLOC_ANNOTATE: u32 = 1;
/// `type` of an [`AllocReply`]: the request can never be met.
pub const ALLOC_DENY: u32 = 2;
/// `type` of an [`AllocReply`]: the request was cancelled by [`Cancel`].
pub const ALLOC_CANCEL: u32 = 3;

/// One answer to an [`Alloc`]. Every type but [`ALLOC_ANNOTATE`] is the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AllocReply {
    /// Job id.
    pub id: JobId,
    /// [`ALLOC_SUCCESS`], [`ALLOC_ANNOTATE`], [`ALLOC_DENY`] or [`ALLOC_CANCEL`].
    #[serde(rename = "type")]
    pub kind: u32,
    /// The resources, with [`ALLOC_SUCCESS`].
    #[serde(default, rename = "R", skip_serializing_if = "Option::is_none")]
    pub r: Option<RawJson>,
    /// Merged into the job's annotations; null removes a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Object>,
    /// Reason for the denial, with [`ALLOC_DENY`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl AllocReply {
    /// An answer of this type without anything else.
    pub fn new(id: JobId, kind: u32) -> AllocReply {
        AllocReply {
            id,
            kind,
            r: None,
            annotations: None,
            note: None,
        }
    }
}

/// Cancels an [`Alloc`]. The request itself is answered, unless it was already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// Job id.
    pub id: JobId,
}

/// Frees resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Free {
    /// Job id.
    pub id: JobId,
    /// Resources that are free now.
    #[serde(rename = "R")]
    pub r: RawJson,
    /// True if the job has nothing left.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// New priorities of pending jobs, for a scheduler in unlimited mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prioritize {
    /// Job and priority.
    pub jobs: Vec<(JobId, Priority)>,
}

/// Asks whether the expiration of a running job may change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expiration {
    /// Job id.
    pub id: JobId,
    /// New expiration, in seconds since the epoch; 0 for none.
    pub expiration: f64,
}

/// Asks for all resources by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceStatus;

/// Three R objects (RFC 20).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// All resources.
    pub all: RawJson,
    /// Allocated resources.
    pub allocated: RawJson,
    /// Resources that are not usable.
    pub down: RawJson,
}

/// Asks for the workload of the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SimpleStats;

/// The same of `sched-fifo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FifoStats;

/// The same of `sched-backfill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackfillStats;

/// Workload of a scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Number of passes over the queue.
    pub sched_passes: u64,
    /// Number of interruptions of a pass.
    pub sched_yields: u64,
    /// Number of estimates of starts of pending jobs.
    pub forecast_passes: u64,
    /// Number of interruptions of an estimate.
    pub forecast_yields: u64,
    /// Seconds that a pass waits for further changes.
    pub sched_delay: f64,
    /// Seconds of a pass, on average; not every pass is timed.
    pub sched_duration_ewma: f64,
    /// Seconds between two passes, on average.
    pub sched_interval_ewma: f64,
    /// Jobs pending in the scheduler.
    pub pending_jobs: u64,
}

crate::json_payloads!(
    Alloc, AllocReply, Cancel, Free, Prioritize, Expiration, Resources, Stats
);
crate::no_payloads!(ResourceStatus, SimpleStats, FifoStats, BackfillStats);

crate::methods! {
    Alloc = "sched.alloc" (OWNER) => AllocReply, Refusal, Stream
        : "Asks for resources for a job; answered by annotations and then by the outcome.";
    Cancel = "sched.cancel" (OWNER) => Empty, Refusal, Nothing
        : "Cancels a request for resources.";
    Free = "sched.free" (OWNER) => Empty, Refusal, Nothing
        : "Frees resources.";
    Prioritize = "sched.prioritize" (OWNER) => Empty, Refusal
        : "Changes the priorities of pending requests.";
    Expiration = "sched.expiration" (OWNER) => Empty, Refusal
        : "Asks whether the expiration of a running job may change; the refusal's text is for \
            its user.";
    ResourceStatus = "sched.resource-status" (USER) => Resources, Refusal, idempotent
        : "All resources, those in use, and those that are not usable.";
    SimpleStats = "sched-simple.stats-get" (OWNER) => Stats, Never, idempotent
        : "Workload of the scheduler.";
    FifoStats = "sched-fifo.stats-get" (OWNER) => Stats, Never, idempotent
        : "Workload of the scheduler.";
    BackfillStats = "sched-backfill.stats-get" (OWNER) => Stats, Never, idempotent
        : "Workload of the scheduler.";
}
