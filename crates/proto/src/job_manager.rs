//! job-manager.*: the life cycle of each job from submit to inactive (protocol/11
//! sections 3 to 14).
//!
//! The events of a job's log are in `job_manager/event.rs`, the stream of them in
//! `journal.rs`, queues and purging in `queue.rs`, and the requests of schedulers and
//! execution services in `service.rs`.

mod errors;
mod event;
mod jobtap;
mod journal;
mod queue;
mod service;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::common::HiddenError;
use crate::data::JobId;
use crate::data::job::State;
use crate::schema::JsonSchema;
use crate::{BadPayload, Coded as _, Empty, Never, Object, RawJson, Refusal};

pub use errors::*;
pub use event::{JobEvent, JobEventError};
pub use jobtap::{Jobtap, JobtapQuery, Plugins, Reprioritize, UpdateFactors, UpdateFactorsError};
pub use journal::{
    EVENTS_JOURNAL_CANCEL, EventsJournal, EventsJournalTaken, JournalRecord, SENTINEL, WINDOW_MAX,
};
pub use queue::*;
pub use service::*;

/// Stands for every user in `raiseall` and `killall`.
pub const USERID_ANY: u32 = 0xffff_ffff;

/// KVS key of the state, besides the jobs, that survives a restart.
pub const CHECKPOINT_KEY: &str = "checkpoint.job-manager";

/// Key of the saved responses to requests that may be repeated.
pub const REQUESTS_KEY: &str = "checkpoint.job-manager-requests";
/// KVS directory of all jobs.
pub const JOBS_KEY: &str = "job";
/// KVS directory of jobs that could not be read.
pub const LOST_KEY: &str = "job-lost+found.job";

/// Hands over jobs that job-ingest has put into the KVS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Submit {
    /// The jobs. A job that is known already is not accepted twice.
    pub jobs: Vec<SubmitJob>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitJob {
    /// Job id.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// 0 to 31.
    pub urgency: i64,
    /// Time of the request, in seconds since the epoch.
    pub t_submit: f64,
    /// Bits of [`crate::data::job::SubmitFlags`].
    pub flags: u32,
    /// Without `attributes.system.environment`.
    pub jobspec: RawJson,
}

/// The jobs that were rejected, with reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Submitted {
    /// Job and reason.
    pub errors: Vec<(JobId, String)>,
}

/// Asks for active jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Maximum number of jobs; 0 for no limit.
    pub max_entries: u64,
}

/// Active jobs: those in the queue by priority, then the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// The jobs.
    pub jobs: Vec<ListedJob>,
}

/// One active job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListedJob {
    /// Job id.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// 0 to 31.
    pub urgency: i64,
    /// Priority in the queue; -1 before there is one.
    pub priority: i64,
    /// Time of submission, in seconds since the epoch.
    pub t_submit: f64,
    /// State.
    pub state: State,
    /// Annotations of the scheduler and of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Object>,
    /// Outstanding dependencies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
}

/// Asks for the highest job id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetInfo;

/// The highest job id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// 0 if there never was a job.
    pub max_jobid: JobId,
}

/// Asks for attributes of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GetAttr {
    /// Job id.
    pub id: JobId,
    /// `jobspec`, `R`, `eventlog`.
    pub attrs: Vec<Value>,
}

/// The attributes by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Attrs(pub Map<String, Value>);

/// Raises an exception on a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Raise {
    /// Job id.
    pub id: JobId,
    /// 0 ends the job; at most 7.
    pub severity: i64,
    /// Type: not empty, no white space, no `=`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Text for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Wait status to end the job with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_status: Option<i32>,
}

/// Raises an exception on many jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RaiseAll {
    /// True to only count them.
    pub dry_run: bool,
    /// Jobs of this user; [`USERID_ANY`] for all.
    pub userid: i64,
    /// Jobs in one of these states, as a mask.
    pub states: u32,
    /// As in [`Raise`].
    pub severity: i64,
    /// As in [`Raise`].
    #[serde(rename = "type")]
    pub kind: String,
    /// As in [`Raise`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Result of an operation on many jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Counted {
    /// Number of matching jobs.
    pub count: u64,
    /// Number of jobs for which it failed.
    pub errors: u64,
}

/// Sends a signal to every task of a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kill {
    /// Job id.
    pub id: JobId,
    /// Signal number, 1 to 64.
    pub signum: i64,
}

/// Sends a signal to every running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KillAll {
    /// True to only count them.
    pub dry_run: bool,
    /// Jobs of this user; [`USERID_ANY`] for all.
    pub userid: i64,
    /// Signal number, 1 to 64.
    pub signum: i64,
}

/// Changes the urgency of a job that has no resources yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetUrgency {
    /// Job id.
    pub id: JobId,
    /// 0 (hold) to 31 (expedite).
    pub urgency: i64,
}

/// Previous urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OldUrgency {
    /// 0 to 31.
    pub old_urgency: i64,
}

/// Adds a memo to a job, shown as `user` in its annotations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memo {
    /// Job id.
    pub id: JobId,
    /// Any keys; null removes one.
    pub memo: Value,
    /// True to keep it out of the job's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volatile: Option<bool>,
}

/// Gives parts of a job's jobspec new values: all of them, or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Update {
    /// Job id.
    pub id: JobId,
    /// Values by dotted path, which begins with `attributes.`, `resources` or `tasks`.
    pub updates: Object,
}

/// Adds an event to a job's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PostEvent {
    /// Job id.
    pub id: JobId,
    /// Any name. Events known to the job manager have their usual effect.
    pub name: String,
    /// An object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Value>,
}

/// Waits for the end of a job submitted with `waitable`. Each job is reported once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// Job id; -1 for the next waitable job to end.
    pub id: JobId,
}

/// End of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waited {
    /// Job id.
    pub id: JobId,
    /// True if it ran and exited with 0.
    pub success: bool,
    /// Empty for a success, else the error.
    pub errstr: String,
}

/// Answered when no active jobs are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drain;

/// Answered when no job runs and none is with the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Idle;

/// Number of pending jobs while the instance is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pending {
    /// Active jobs.
    pub pending: u64,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// The journal.
    pub journal: JournalStats,
    /// Active jobs.
    pub active_jobs: u64,
    /// Inactive jobs.
    pub inactive_jobs: u64,
    /// The highest id.
    pub max_jobid: JobId,
    /// Housekeeping after jobs.
    pub housekeeping: HousekeepingStats,
}

/// Counters of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct JournalStats {
    /// Open streams.
    pub listeners: u64,
    /// Events sent so far.
    pub events: u64,
}

crate::json_payloads!(
    Submit, Submitted, List, Listed, Info, GetAttr, Attrs, Raise, RaiseAll, Counted, Kill, KillAll,
    SetUrgency, OldUrgency, Memo, Update, PostEvent, Wait, Waited, Pending, Stats,
);
crate::no_payloads!(GetInfo, Drain, Idle, StatsGet);

crate::events! {
    JobPurgeInactive = "job-purge-inactive" (OWNER), private : "Inactive jobs were purged.";
    ShellKill = "shell-ID.kill" (OWNER), private
        : "A signal for all tasks of a job, by its decimal id. Its shells subscribe to it.";
    Online = "job-manager.online" (OWNER), private
        : "The job manager was started, perhaps again; schedulers and execution services repeat \
            their hello.";
}

crate::methods! {
    Submit = "job-manager.submit" (OWNER) => Submitted, Refusal, idempotent, Later
        : "Takes over jobs from job-ingest; answered when their first events are stored.";
    List = "job-manager.list" (OWNER) => Listed, Never, idempotent, bulk
        : "Active jobs: those in the queue by priority, then the others.";
    GetInfo = "job-manager.getinfo" (USER) => Info, HiddenError, idempotent
        : "The highest job id so far.";
    GetAttr = "job-manager.getattr" (USER) => Attrs, GetAttrError, idempotent, Later
        : "Attributes of a job, with updates applied.";
    Raise = "job-manager.raise" (USER) => Empty, RaiseError, recognised, Later
        : "Raises an exception on a job; severity 0 ends it.";
    RaiseAll = "job-manager.raiseall" (USER) => Counted, RaiseAllError, recognised, Later
        : "Raises an exception on many jobs.";
    Kill = "job-manager.kill" (USER) => Empty, KillError, idempotent
        : "Sends a signal to every task of a running job; twice, if job-manager dies at that moment.";
    KillAll = "job-manager.killall" (USER) => Counted, KillAllError, idempotent
        : "Sends a signal to every running job; twice, if job-manager dies at that moment.";
    SetUrgency = "job-manager.urgency" (USER) => OldUrgency, UrgencyError, recognised, Later
        : "Changes the urgency of a job that has no resources yet.";
    Memo = "job-manager.memo" (USER) => Empty, MemoError, recognised, Later
        : "Adds a memo to a job.";
    Update = "job-manager.update" (USER) => Empty, UpdateError, recognised, Later
        : "Gives parts of a job's jobspec new values.";
    PostEvent = "job-manager.post-event.post" (OWNER) => Empty, PostEventError, recognised, Later
        : "Adds an event to a job's log.";
    Wait = "job-manager.wait" (OWNER) => Waited, WaitError, recognised, Later
        : "Waits for the end of a waitable job and returns its result.";
    Drain = "job-manager.drain" (OWNER) => Empty, UnloadingError, idempotent, Later
        : "Answered when no active jobs are left.";
    Idle = "job-manager.idle" (OWNER) => Pending, UnloadingError, idempotent, Later
        : "Answered when no job runs and none is with the scheduler.";
    QueueList = "job-manager.queue-list" (USER) => Queues, Never, idempotent
        : "The names of the queues; none for the anonymous one.";
    QueueStatus = "job-manager.queue-status" (USER) => QueueState, QueueError, idempotent
        : "Returns whether a queue accepts and starts jobs.";
    QueueEnable = "job-manager.queue-enable" (OWNER) => Empty, QueueError, idempotent, Later
        : "Sets whether a queue accepts jobs.";
    QueueStart = "job-manager.queue-start" (OWNER) => Empty, QueueError, idempotent, Later
        : "Sets whether a queue starts jobs.";
    AllocQuery = "job-manager.alloc-query" (USER) => AllocCounts, HiddenError, idempotent
        : "Number of jobs in the queue, at the scheduler, and running.";
    ResourceStatus = "job-manager.resource-status" (OWNER) => Allocated, Never, idempotent
        : "The resources in use, as one R object.";
    SchedHello = "job-manager.sched-hello" (OWNER) => SchedHelloJob, Refusal, idempotent, Stream
        : "A scheduler asks for the jobs that have resources.";
    SchedReady = "job-manager.sched-ready" (OWNER) => SchedReadyReply, Refusal, idempotent
        : "A scheduler accepts requests from now on.";
    ExecHello = "job-manager.exec-hello" (OWNER) => Empty, ExecHelloError, idempotent
        : "A service accepts jobs to run from now on.";
    EventsJournal = "job-manager.events-journal" (USER) => JournalRecord, JournalError, idempotent, Stream
        : "Every event of every job, or of the caller's own: the past, a mark, and then the present." {
            const CANCEL: Option<&'static str> = Some(EVENTS_JOURNAL_CANCEL);
            fn needs_streaming() -> Refusal {
                JournalError::NeedsStreaming.refusal()
            }
            fn bad_payload(reason: &BadPayload) -> Refusal {
                journal::bad_payload(reason)
            }
        };
    EventsJournalTaken = "job-manager.events-journal-taken" (USER) => Empty, Never, Nothing
        : "Acknowledges responses to a consumer with a window.";
    Purge = "job-manager.purge" (OWNER) => Purged, PurgeError, idempotent, Later
        : "Purges inactive jobs by age and number.";
    PurgeId = "job-manager.purge-id" (OWNER) => Purged, PurgeIdError, idempotent, Later
        : "Purges one inactive job.";
    HousekeepingKill = "job-manager.housekeeping-kill" (OWNER) => Empty, HousekeepingKillError, idempotent
        : "Sends a signal to housekeeping commands.";
    Jobtap = "job-manager.jobtap" (OWNER) => Plugins, Refusal
        : "Lists the plugins, or removes some and loads one; a policy of ours counts as a plugin.";
    JobtapQuery = "job-manager.jobtap-query" (OWNER) => Object, JobtapQueryError, idempotent
        : "Data of a plugin." {
            fn bad_payload(_: &BadPayload) -> Refusal {
                JobtapQueryError::NoName.refusal()
            }
        };
    Reprioritize = "job-manager.reprioritize" (OWNER) => Empty, Never, idempotent
        : "Asks the policies again for the priority of all pending jobs.";
    UpdateFactors = "job-manager.priority-factor.update" (OWNER) => Empty, UpdateFactorsError, idempotent
        : "Changes factors of users and banks, with the policy priority-factor.";
    HistoryGet = "job-manager.history.get" (USER) => History, HistoryError, idempotent
        : "The caller's jobs, newest first.";
    StatsGet = "job-manager.stats-get" (USER) => Stats, HiddenError, idempotent
        : "Counters of the service.";
    SetBatchTimeout = "job-manager.set-batch-timeout" (OWNER) => Empty, Refusal, idempotent
        : "Accepted for older clients, without effect: batches have no timer.";
}
