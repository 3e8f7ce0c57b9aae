//! kvs-watch.*: lookups that wait and lookups that continue (protocol/04 section 8).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::data::Tree;
use crate::kvs;
use crate::schema::{JsonSchema, Schema};
use crate::{BadPayload, Never, Payload};

/// Looks up a key, now or when it exists, once or at every change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lookup {
    /// Namespace.
    pub namespace: String,
    /// Key, in any form.
    pub key: String,
    /// Flags of `kvs.lookup`, and WATCH, WAITCREATE, STREAM and the flags that go with
    /// them.
    pub flags: u32,
}

impl Lookup {
    /// A lookup with `flags`.
    pub fn new(namespace: &str, key: &str, flags: u32) -> Lookup {
        Lookup {
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            flags,
        }
    }
}

/// One value, or, if empty, the mark that the initial data is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// A tree object (RFC 11); `None` is the mark, a response without payload.
    pub val: Option<Tree>,
}

impl Watched {
    /// True if this is the mark.
    pub fn is_sentinel(&self) -> bool {
        self.val.is_none()
    }

    /// The bytes of a val; `None` for another object and for the mark.
    pub fn bytes(self) -> Option<Bytes> {
        match self.val? {
            Tree::Val(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl Payload for Watched {
    fn encode(&self) -> Bytes {
        match &self.val {
            Some(val) => kvs::Found { val: val.clone() }.encode(),
            None => Bytes::new(),
        }
    }
    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
        let val = match payload {
            None => None,
            some => Some(kvs::Found::decode(some)?.val),
        };
        Ok(Watched { val })
    }
    fn schema() -> Option<Schema> {
        kvs::Found::schema()
    }
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Number of watchers.
    pub watchers: u64,
    /// Number of namespaces watched.
    #[serde(rename = "namespace-count")]
    pub namespace_count: u64,
    /// By namespace.
    pub namespaces: BTreeMap<String, NamespaceStats>,
}

/// Counters of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceStats {
    /// User id of its owner, if known.
    pub owner: i64,
    /// Newest version announced, -1 before any.
    pub rootseq: i64,
    /// Root directory.
    pub rootref: String,
    /// Number of watchers.
    pub watchers: u64,
}

crate::refusals! {
    /// Errors of a watch, at its start or its end. Errors of `kvs.lookup` are passed on.
    pub enum LookupError {
        /// WATCH requires a streaming request.
        WatchNeedsStreaming => EPROTO
            "KVS watch request rejected without streaming RPC flag",
        /// STREAM requires a streaming request.
        StreamNeedsStreaming => EPROTO
            "KVS stream request rejected without streaming RPC flag",
        /// WATCH and STREAM exclude each other.
        WatchAndStream => EINVAL "Cannot KVS watch and stream at the same time",
        /// FULL, UNIQ or APPEND without WATCH.
        NotWatching => EINVAL "Must set KVS watch flag with other watch flags",
        /// The sentinel requires APPEND.
        SentinelWithoutAppend => EINVAL
            "Must set KVS watch append flag with initial sentinel flag",
        /// The key was removed, or never existed.
        NotFound => ENOENT "",
        /// The namespace was removed, or never existed.
        UnknownNamespace => EOPNOTSUPP "",
        /// The value no longer begins with the part already sent.
        Overwritten => EINVAL "value of key watched with WATCH_APPEND overwritten",
        /// The value is empty now.
        Truncated => EINVAL "key watched with WATCH_APPEND truncated",
        /// The value is shorter than the part already sent.
        Shortened => EINVAL "key watched with WATCH_APPEND shortened",
        /// Only values can be appended to.
        DirAppend(&'static str) => EISDIR "{0} cannot be watched with WATCH_APPEND",
        /// A link cannot be appended to.
        SymlinkAppend => EINVAL "symlink cannot be watched with WATCH_APPEND",
        /// Only values have blobs.
        DirStream(&'static str) => EISDIR "{0} cannot be streamed",
        /// A link has no blobs.
        SymlinkStream => EINVAL "symlink cannot be streamed",
        /// There are too many watchers.
        TooMany => ENOBUFS "too many watchers",
    }
}

crate::json_payloads!(Lookup, Stats);
crate::no_payloads!(StatsGet);

crate::methods! {
    Lookup = "kvs-watch.lookup" (USER) => Watched, LookupError, idempotent, Either
        : "Looks up a key, now or when it exists, once or at every change.";
    StatsGet = "kvs-watch.stats-get" (USER) => Stats, Never, idempotent
        : "Counters of the service.";
}
