//! resource.*: the resources of the instance, their availability, and the event log
//! (protocol/13 sections 3 and 4, RFC 44). R objects are those of RFC 20.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::data::{Entry, IdSet, Rset};
use crate::schema::JsonSchema;
use crate::{BadPayload, Coded as _, Empty, Never, Payload, Refusal};

/// KVS key of the resource set.
pub const R_KEY: &str = "resource.R";
/// KVS key of the event log.
pub const EVENTLOG_KEY: &str = "resource.eventlog";

/// Key of the completed requests that may be repeated.
pub const REQUESTS_KEY: &str = "resource.requests";

/// A scheduler acquires the resources; only one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Acquire;

/// Stops sending changes to the scheduler; for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcquireMute;

/// Resources of the scheduler in the first response, and changes in the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "kebab-case")]
pub struct Acquired {
    /// All resources that are not excluded, as R: in the first response, and again when
    /// ranks were added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Rset>,
    /// Ranks that become usable. With `resources`, all usable ranks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<IdSet>,
    /// Ranks that are no longer usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<IdSet>,
    /// Ranks that are lost for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shrink: Option<IdSet>,
    /// Ranks that gain a property, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property_add: Option<BTreeMap<String, IdSet>>,
    /// Ranks that lose a property, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property_remove: Option<BTreeMap<String, IdSet>>,
    /// New expiration of the instance's resources, in seconds since the epoch; 0 for
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<f64>,
}

/// Asks for all resources by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status;

/// All resources by state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusReply {
    /// All resources, as R.
    #[serde(rename = "R")]
    pub r: Rset,
    /// Drained ranks by idset.
    pub drain: BTreeMap<String, DrainInfo>,
    /// Ranks whose broker is online.
    pub online: IdSet,
    /// Ranks whose broker is offline.
    pub offline: IdSet,
    /// Ranks that are excluded.
    pub exclude: IdSet,
    /// Ranks whose broker is slow to answer.
    pub torpid: IdSet,
}

/// Time and reason of a drain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DrainInfo {
    /// Whole seconds since the epoch.
    pub timestamp: f64,
    /// Empty if none was given.
    pub reason: String,
}

/// Asks for all resources as a scheduler sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchedStatus;

/// All resources as a scheduler sees them, as R.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchedStatusReply {
    /// All resources that are not excluded.
    pub all: Rset,
    /// Resources that are offline or drained.
    pub down: Rset,
    /// Resources allocated to jobs.
    pub allocated: Rset,
}

/// Drains ranks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drain {
    /// Ranks as an idset, or hosts as a hostlist.
    pub targets: String,
    /// Reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Handling of ranks that are drained already: `update`, `overwrite` or
    /// `force-overwrite`. If absent, they make the request fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Undrains ranks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undrain {
    /// Ranks as an idset, or hosts as a hostlist.
    pub targets: String,
    /// `update` ignores ranks that are not drained; if absent, they make the request
    /// fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Asks for the whole resource set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Get;

/// The whole resource set and its origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GetReply {
    /// As R.
    #[serde(rename = "R")]
    pub r: Rset,
    /// `configuration`, `dynamic-discovery`, `reload`, `job-info` or `kvs`.
    pub method: String,
}

/// Replaces the resource set by one in a file, while no scheduler holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reload {
    /// Path of the file, on the host of rank 0.
    pub path: String,
    /// True if the path is a directory of hwloc XML files, which this service does not
    /// read.
    #[serde(default)]
    pub xml: bool,
    /// True to accept ranks that the instance does not have.
    #[serde(default)]
    pub force: bool,
}

/// Changes the expiration of the instance's resources.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpirationUpdate {
    /// New expiration, in seconds since the epoch; 0 for none.
    pub expiration: f64,
}

/// Asks for the event log and for later events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Journal;

/// Some events. One response without any marks the end of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalReply {
    /// In the order in which they happened.
    pub events: Vec<Entry>,
    /// The resources as R, with the event that defines them.
    #[serde(default, rename = "R", skip_serializing_if = "Option::is_none")]
    pub r: Option<Rset>,
}

/// Resources found on some ranks of a subtree, for the parent to add to its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopoReduce {
    /// Number of ranks covered.
    pub count: u32,
    /// Resources, as R. A rank that has found nothing is included without children.
    pub resource: Rset,
}

/// Asks for the topology of the local machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TopoGet;

/// A topology in the XML of hwloc.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology(pub String);

impl Payload for Topology {
    fn encode(&self) -> Bytes {
        let mut text = self.0.clone().into_bytes();
        text.push(0);
        text.into()
    }

    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
        let text = payload.and_then(|bytes| bytes.strip_suffix(b"\0"));
        let text = text.and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or_else(|| BadPayload("payload is no text".to_owned()))?;
        Ok(Topology(text.to_owned()))
    }
}

/// Waits until this many ranks are online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MonitorWaitup {
    /// Number of ranks online.
    pub up: u32,
}

/// Counts ranks as offline, regardless of their messages; for tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MonitorForceDown {
    /// Ranks.
    pub ranks: IdSet,
}

crate::refusals! {
    /// Errors of acquiring the resources.
    pub enum AcquireError {
        /// Another scheduler has acquired them.
        Busy => EBUSY "",
        /// There are no resources.
        NoResources => ENOENT "resource discovery failed or interrupted",
        /// Only rank 0 has the inventory.
        NotRankZero => EPROTO "this RPC only works on rank 0",
    }
}

crate::refusals! {
    /// Errors of querying the inventory.
    pub enum QueryError {
        /// Only rank 0 has the inventory.
        NotRankZero => EPROTO "this RPC only works on rank 0",
        /// There are no resources.
        NoResources => ENOENT "resource discovery failed or interrupted",
        /// The journal is a stream.
        JournalNeedsStreaming => EPROTO "journal requires streaming RPC flag",
        /// The expiration is before the epoch, or missing.
        BadExpiration => EINVAL "invalid expiration",
        /// More ranks than the instance has.
        TooManyUp => EPROTO "up value is out of range",
        /// The topology of the host could not be read.
        NoTopology => ENOENT "the topology of this machine is not known",
        /// A report about ranks that are not below the receiver.
        StrangeRanks(IdSet) => EINVAL "report of ranks {0}, which are not below this one",
    }
}

crate::refusals! {
    /// Errors of draining or undraining ranks.
    pub enum DrainError {
        /// Only rank 0 has the inventory.
        NotRankZero => EPROTO "this RPC only works on rank 0",
        /// One rank cannot be drained again.
        RankDrained(IdSet, &'static str) => EEXIST "rank {0} already drained{1}",
        /// Several ranks cannot be drained again.
        RanksDrained(IdSet, &'static str) => EEXIST "ranks {0} already drained{1}",
        /// One rank cannot be undrained.
        RankNotDrained(IdSet) => EEXIST "rank {0} not drained",
        /// Several ranks cannot be undrained.
        RanksNotDrained(IdSet) => EEXIST "ranks {0} not drained",
        /// Not a mode of draining.
        DrainMode => EINVAL "Invalid mode specified",
        /// Not a mode of undraining.
        UndrainMode(String) => EINVAL "invalid undrain mode '{0}' specified",
        /// The idset is empty.
        Empty => EINVAL "idset is empty",
        /// The idset has unknown ranks.
        OutOfRange => EINVAL "idset is out of range",
        /// Neither idset nor hostlist.
        NotAHostlist => EINVAL "invalid targets: Hostlist cannot be decoded",
        /// Hosts that are not in the instance.
        UnknownHosts(String) => EINVAL "invalid targets: invalid hosts: {0}",
    }
}

crate::refusals! {
    /// Errors of replacing the resources.
    pub enum ReloadError {
        /// Only rank 0 has the inventory.
        NotRankZero => EPROTO "this RPC only works on rank 0",
        /// A scheduler has acquired them.
        Busy => EBUSY "resources are busy (unload scheduler?)",
        /// More ranks than the instance has.
        TooManyRanks(u32) => EINVAL
            "resource object contains ranks execeeding size={0} (override with -f)",
        /// The file cannot be read, or has no R.
        BadFile(String) => EINVAL "{0}",
        /// hwloc XML is not supported.
        Xml => EOPNOTSUPP "hwloc XML is not supported, give a file with R",
    }
}

crate::json_payloads!(
    Acquired,
    StatusReply,
    SchedStatusReply,
    Drain,
    Undrain,
    GetReply,
    Reload,
    ExpirationUpdate,
    JournalReply,
    TopoReduce,
    MonitorWaitup,
    MonitorForceDown,
);
crate::no_payloads!(
    Acquire,
    AcquireMute,
    Status,
    SchedStatus,
    Get,
    Journal,
    TopoGet
);

/// Topic of the method that ends an `acquire` (RFC 6).
pub const ACQUIRE_CANCEL: &str = "resource.acquire-cancel";
/// Topic of the method that ends a `journal` (RFC 6).
pub const JOURNAL_CANCEL: &str = "resource.journal-cancel";

crate::methods! {
    Acquire = "resource.acquire" (OWNER) => Acquired, AcquireError, idempotent, Stream
        : "Acquires the resources for a scheduler, then sends their changes." {
            const CANCEL: Option<&'static str> = Some(ACQUIRE_CANCEL);
        };
    AcquireMute = "resource.acquire-mute" (OWNER) => Empty, Never, Nothing
        : "Stops sending changes to the scheduler; for tests.";
    Status = "resource.status" (USER) => StatusReply, QueryError, idempotent, Later
        : "Returns all resources by state.";
    SchedStatus = "resource.sched-status" (USER) => SchedStatusReply, QueryError, idempotent, Later
        : "Returns all resources as a scheduler sees them.";
    Drain = "resource.drain" (OWNER) => Empty, DrainError, recognised, Later : "Drains ranks.";
    Undrain = "resource.undrain" (OWNER) => Empty, DrainError, recognised, Later : "Undrains \
        ranks.";
    Get = "resource.get" (OWNER) => GetReply, QueryError, idempotent, Later
        : "Returns the whole resource set and its origin.";
    Reload = "resource.reload" (OWNER) => Empty, ReloadError, Later
        : "Replaces the resource set by one in a file.";
    ExpirationUpdate = "resource.expiration-update" (OWNER) => Empty, QueryError, idempotent
        : "Changes the expiration of the instance's resources.";
    Journal = "resource.journal" (OWNER) => JournalReply, QueryError, idempotent, Stream
        : "Returns the event log, then new events." {
            const CANCEL: Option<&'static str> = Some(JOURNAL_CANCEL);
            fn bad_payload(_: &BadPayload) -> Refusal {
                Refusal::bare(crate::Errno::EPROTO)
            }
            fn needs_streaming() -> Refusal {
                QueryError::JournalNeedsStreaming.refusal()
            }
        };
    TopoReduce = "resource.topo-reduce" (OWNER) => Empty, QueryError, idempotent, Later
        : "Reports the resources found in a subtree to the parent; answered when rank 0 has made \
            R of them.";
    TopoGet = "resource.topo-get" (USER) => Topology, QueryError, idempotent, Later
        : "Returns the topology of the local host in the XML of hwloc.";
    MonitorWaitup = "resource.monitor-waitup" (OWNER) => Empty, QueryError, idempotent, Later
        : "Answered when this many ranks are online.";
    MonitorForceDown = "resource.monitor-force-down" (OWNER) => Empty, QueryError, idempotent
        : "Counts ranks as offline; for tests.";
}
