//! job-list.*: the jobs of the instance and their attributes (protocol/12, RFC 43).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::common::HiddenError;
use crate::schema::JsonSchema;
use crate::{BadPayload, Coded as _, Empty, Never, Object, Refusal};

/// Asks for jobs, pending before running before inactive ones. The types are checked by
/// the service, whose refusals name the invalid key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct List {
    /// Maximum number of jobs; 0 for no limit. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<Value>,
    /// Names of the attributes wanted, or `all`. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attrs: Option<Value>,
    /// Only inactive jobs that became inactive after this time, in seconds since the
    /// epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Value>,
    /// RFC 31 constraint over the operators of protocol/12 section 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Value>,
    /// Older form, with `states` and `results`: user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userid: Option<Value>,
    /// Older form: mask of states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub states: Option<Value>,
    /// Older form: mask of results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Value>,
    /// Older form: job name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Value>,
    /// Older form: queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Value>,
    /// Our extension to a streaming request: N jobs in one response instead of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u32>,
    /// Our extension: pages. Empty for the first one, then the `cursor` of the one before. Pages
    /// have active jobs by id, then inactive ones, the last first. Regardless of changes to jobs
    /// between two pages, none is left out, and none comes twice except one that has ended
    /// meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Some jobs. A stream has one each, or as many as `chunk` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// Attributes of each, `id` first.
    pub jobs: Vec<Object>,
    /// 1, in the first response of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Start of the next page, with the last jobs of a full page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Asks for jobs, and then for each change of a job. Our extension.
///
/// First come pages of jobs as in `list` with `after`, a response with `listed`, and then responses
/// when jobs change, at once and not before: each has jobs as they are by then. A job that no
/// longer matches the request is sent once more. A consumer that falls behind is sent the current
/// state of jobs, not each change; one that is too far behind gets `again`, and everything from the
/// beginning. Only its position is kept for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Follow {
    /// Names of the attributes wanted, or `all`. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attrs: Option<Value>,
    /// RFC 31 constraint, as in `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Value>,
    /// Only inactive jobs that became inactive after this time, in seconds since the
    /// epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
    /// Jobs in one response, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u32>,
    /// Maximum number of responses not acknowledged; without it, no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
}

/// Some jobs in their current state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Followed {
    /// Attributes of each, `id` first.
    pub jobs: Vec<Object>,
    /// True after all jobs: from here on changes follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// True before all jobs, when they are sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<bool>,
}

/// Acknowledges responses of a stream with a `window`: more may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FollowTaken {
    /// Matchtag of the sender's request for the stream.
    pub matchtag: u32,
    /// Total number of its responses processed so far.
    pub taken: u64,
}

/// Asks for one job, optionally when it has reached a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct ListId {
    /// Job id. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// Names of the attributes wanted, or `all`. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attrs: Option<Value>,
    /// Mask of states, one of which it must have reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListedId {
    /// Attributes, `id` first.
    pub job: Object,
}

/// Asks for the names of all attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListAttrs;

/// The names of all attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attrs {
    /// In the order in which `all` lists them, which is the last.
    pub attrs: Vec<String>,
}

/// Asks for the number of jobs by state and result, once or after every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobStats;

/// Number of jobs, in total and by queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct JobStatsReply {
    /// In all.
    #[serde(flatten)]
    pub all: JobCounts,
    /// By queue; empty without named queues.
    pub queues: Vec<QueueCounts>,
}

/// Number of jobs in one queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct QueueCounts {
    /// Counts.
    #[serde(flatten)]
    pub counts: JobCounts,
    /// Name of the queue.
    pub name: String,
}

/// Number of jobs by state and result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct JobCounts {
    /// By state.
    pub job_states: StateCounts,
    /// Inactive and completed.
    pub successful: u64,
    /// Inactive and failed.
    pub failed: u64,
    /// Inactive and canceled.
    pub canceled: u64,
    /// Inactive and timed out.
    pub timeout: u64,
    /// Purged since the service started; not counted above.
    pub inactive_purged: u64,
}

/// Number of jobs by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[allow(missing_docs, reason = "the fields are the states of RFC 21")]
pub struct StateCounts {
    pub depend: u64,
    pub priority: u64,
    pub sched: u64,
    pub run: u64,
    pub cleanup: u64,
    pub inactive: u64,
    /// The sum.
    pub total: u64,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Stats {
    /// Jobs by list.
    pub jobs: ListCounts,
    /// Waits for jobs that are not known yet.
    pub idsync: IdSyncCounts,
    /// Open `job-stats` streams.
    pub stats_watchers: u64,
}

/// Jobs by list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct ListCounts {
    /// In DEPEND, PRIORITY or SCHED.
    pub pending: u64,
    /// In RUN or CLEANUP.
    pub running: u64,
    /// INACTIVE.
    pub inactive: u64,
}

/// Waits for jobs that are not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct IdSyncCounts {
    /// Lookups of the job in the KVS.
    pub lookups: u64,
    /// Requests that wait for the job to appear or to reach a state.
    pub waits: u64,
}

/// Keeps new journal records from being applied; for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobStatePause;

/// Applies the kept records, and resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobStateUnpause;

crate::refusals! {
    /// Errors of listing jobs.
    pub enum ListError {
        /// A key is missing or wrong.
        Payload(String) => EPROTO "invalid payload: {0}",
        /// The constraint is malformed.
        Constraint(String) => EPROTO "invalid payload: constraint object invalid: {0}",
        /// A name is not a string.
        UnknownAttr(String) => EINVAL "{0} is not a valid attribute",
        /// A name is not a text.
        AttrNotAString => EINVAL "attr has no string value",
        /// The query needs more comparisons than the configuration allows.
        TooManyComparisons => EINVAL
            "Excessive comparisons made, limit search via states or since",
        /// No job has this id, or it is hidden from the caller.
        NotFound => ENOENT "",
        /// There are too many waiting requests.
        TooManyWaits => EBUSY "too many requests wait for jobs",
        /// There are too many followers, in total or of this user.
        TooManyFollowers => EBUSY "too many requests follow jobs",
    }
}

crate::json_payloads!(
    List,
    Listed,
    Follow,
    Followed,
    FollowTaken,
    ListId,
    ListedId,
    Attrs,
    JobStatsReply,
    Stats
);
crate::no_payloads!(
    ListAttrs,
    JobStats,
    StatsGet,
    JobStatePause,
    JobStateUnpause
);

fn bad_payload(reason: &BadPayload) -> Refusal {
    ListError::Payload(reason.to_string()).refusal()
}

crate::methods! {
    List = "job-list.list" (USER) => Listed, ListError, idempotent, bulk, Either : "Lists jobs." {
        fn bad_payload(reason: &BadPayload) -> Refusal { bad_payload(reason) }
    };
    Follow = "job-list.follow" (USER) => Followed, ListError, idempotent, bulk, Stream
        : "Lists jobs, and then each change of a job." {
            fn bad_payload(reason: &BadPayload) -> Refusal { bad_payload(reason) }
        };
    FollowTaken = "job-list.follow-taken" (USER) => Empty, Never, Nothing
        : "Acknowledges responses to a follower with a window.";
    ListId = "job-list.list-id" (USER) => ListedId, ListError, idempotent, Later
        : "Returns one job, optionally when it has reached a state." {
            fn bad_payload(reason: &BadPayload) -> Refusal { bad_payload(reason) }
        };
    ListAttrs = "job-list.list-attrs" (USER) => Attrs, Never, idempotent, Later
        : "Returns the names of all attributes.";
    JobStats = "job-list.job-stats" (USER) => JobStatsReply, HiddenError, idempotent, Either
        : "Counts jobs by state and result, once or after every change.";
    StatsGet = "job-list.stats-get" (USER) => Stats, HiddenError, idempotent, Later
        : "Counters of the service.";
    JobStatePause = "job-list.job-state-pause" (OWNER) => Empty, Never, idempotent, Later
        : "Keeps new journal records from being applied; for tests.";
    JobStateUnpause = "job-list.job-state-unpause" (OWNER) => Empty, Never, idempotent, Later
        : "Applies the kept records, and resumes.";
}
