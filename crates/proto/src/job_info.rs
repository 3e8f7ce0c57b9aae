//! job-info.*: a job's data for its user (protocol/10 section 24, RFC 41).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data::JobId;
use crate::schema::{self, JsonSchema, Schema};
use crate::{BadPayload, Coded as _, Never, Refusal};

/// Lookup: decode `jobspec` and `R` instead of giving their text.
pub const JSON_DECODE: u32 = 1;
/// Lookup: apply the updates in the event log to `jobspec` and `R`.
pub const CURRENT: u32 = 2;
/// Watch: wait until the log exists. Guest logs that every job gets (`guest.exec.eventlog`,
/// `guest.output`, `guest.input`) are waited for without it, others until the job has started.
pub const WAITCREATE: u32 = 1;
/// Watch: mark the end of the existing entries with an empty response.
pub const INITIAL_SENTINEL: u32 = 2;

/// Looks up keys of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lookup {
    /// Job id.
    pub id: JobId,
    /// Keys below its directory: `eventlog`, `jobspec`, `R`, `J`, `guest.output`, ...
    pub keys: Vec<String>,
    /// [`JSON_DECODE`] and [`CURRENT`].
    pub flags: u32,
}

/// Values found: the keys by name, each a text, or an object with [`JSON_DECODE`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LookupReply {
    /// Job id.
    pub id: JobId,
    /// The values.
    #[serde(flatten)]
    pub values: Map<String, Value>,
}

/// Follows an event log of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventlogWatch {
    /// Job id.
    pub id: JobId,
    /// `eventlog`, `guest.exec.eventlog`, `guest.output`, `guest.input`.
    pub path: String,
    /// [`WAITCREATE`] and [`INITIAL_SENTINEL`].
    pub flags: u32,
}

/// One event, or, if empty, the mark that all earlier events were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watched {
    /// The line with its newline; `None` is the mark, a response without payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

impl crate::Payload for Watched {
    fn encode(&self) -> bytes::Bytes {
        match self.event {
            Some(_) => crate::payload::encode_json(self),
            None => bytes::Bytes::new(),
        }
    }
    fn decode(payload: Option<&bytes::Bytes>) -> Result<Self, BadPayload> {
        match payload {
            Some(_) => crate::payload::decode_json(payload),
            None => Ok(Watched { event: None }),
        }
    }
    fn schema() -> Option<Schema> {
        schema::of::<Self>()
    }
}

/// Follows `R` or `jobspec` of a job through its updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateWatch {
    /// Job id.
    pub id: JobId,
    /// `R` or `jobspec`.
    pub key: String,
    /// No flag is defined: 0.
    pub flags: u32,
}

/// The object under its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Updated(pub Map<String, Value>);

/// Looks up the current `R` of a job; older clients use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateLookup {
    /// Job id.
    pub id: JobId,
    /// `R` or `jobspec`.
    pub key: String,
    /// No flag is defined: 0.
    pub flags: u32,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Number of open requests of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Stats {
    /// Lookups.
    pub lookups: u64,
    /// Watches of the primary log.
    pub watchers: u64,
    /// Watches of guest logs.
    pub guest_watchers: u64,
    /// Lookups with updates.
    pub update_lookups: u64,
    /// Watches of updates.
    pub update_watchers: u64,
}

crate::refusals! {
    /// Errors of reading a job's data. Errors of the KVS are passed on.
    pub enum JobInfoError {
        /// No job has this id.
        InvalidId => ENOENT "invalid job id",
        /// The job does not have this key.
        KeyNotFound(String) => ENOENT "{0}: key not found",
        /// The client is neither the job's user nor the instance owner.
        Restricted => EPERM "access is restricted to job/instance owner",
        /// An unknown flag of a lookup.
        LookupFlag => EPROTO "lookup request rejected with invalid flag",
        /// An unknown flag of a watch.
        WatchFlag => EPROTO "eventlog-watch request rejected with invalid flag",
        /// A watch is a stream.
        WatchNeedsStreaming => EPROTO
            "eventlog-watch request rejected without streaming RPC flag",
        /// An unknown flag of a watch of updates.
        UpdateFlag => EPROTO "update-watch request rejected with invalid flag",
        /// A watch of updates is a stream.
        UpdateNeedsStreaming => EPROTO
            "update-watch request rejected without streaming RPC flag",
        /// A key without updates.
        UpdateKey => EINVAL "update-watch unsupported key specified",
        /// The job's log is not an event log.
        BadEventlog(String) => EINVAL "error parsing eventlog: {0}",
        /// The key's value is not JSON, or not text.
        BadValue(String) => EINVAL "error parsing {0}",
        /// There are too many watches.
        TooMany => ENOBUFS "too many watchers",
    }
}

crate::json_payloads!(
    Lookup,
    LookupReply,
    EventlogWatch,
    UpdateWatch,
    Updated,
    UpdateLookup,
    Stats,
);
crate::no_payloads!(StatsGet);

/// Topic of the method that ends an `eventlog-watch` (RFC 6).
pub const EVENTLOG_WATCH_CANCEL: &str = "job-info.eventlog-watch-cancel";
/// Topic of the method that ends an `update-watch` (RFC 6).
pub const UPDATE_WATCH_CANCEL: &str = "job-info.update-watch-cancel";

crate::methods! {
    Lookup = "job-info.lookup" (USER) => LookupReply, JobInfoError, idempotent, bulk, Later
        : "Looks up keys of a job.";
    EventlogWatch = "job-info.eventlog-watch" (USER) => Watched, JobInfoError, idempotent, Stream
        : "Follows an event log of a job." {
            const CANCEL: Option<&'static str> = Some(EVENTLOG_WATCH_CANCEL);
            fn needs_streaming() -> Refusal {
                JobInfoError::WatchNeedsStreaming.refusal()
            }
        };
    UpdateWatch = "job-info.update-watch" (USER) => Updated, JobInfoError, idempotent, Stream
        : "Follows `R` or `jobspec` of a job through its updates." {
            const CANCEL: Option<&'static str> = Some(UPDATE_WATCH_CANCEL);
            fn needs_streaming() -> Refusal {
                JobInfoError::UpdateNeedsStreaming.refusal()
            }
        };
    UpdateLookup = "job-info.update-lookup" (USER) => Updated, JobInfoError, idempotent, bulk, Later
        : "Looks up the current `R` or `jobspec` of a job.";
    StatsGet = "job-info.stats-get" (USER) => Stats, Never, idempotent
        : "Number of open requests of each kind.";
}
