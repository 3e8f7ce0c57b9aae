//! kvs.*: namespaces of versioned trees of values (protocol/04 sections 4 to 7, 9, 11).
//!
//! The operations of a transaction are in `kvs/ops.rs`, and its transport from other ranks
//! in `kvs/relay.rs`. Watching is in `kvs_watch.rs`.

mod ops;
mod relay;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::Tree;
use crate::schema::JsonSchema;
use crate::{Empty, Never};

pub use ops::{Dirent, Op};
pub use relay::{Relay, RelayBlock, RelayCommit, RelayCreate, RelayResult, RelayTxn, Relayed};

/// The namespace that always exists, owned by the instance owner.
pub const PRIMARY: &str = "primary";

/// Bytes of one commit's payload, at most: a service that commits on its own stays below.
pub const COMMIT_BYTES_MAX: usize = 64 << 20;

/// Operations of one transaction, at most. Each entry of a directory counts as one, and each
/// cut of a value.
pub const COMMIT_OPS_MAX: usize = 131_072;

/// Places where one value is cut, at most.
pub const CUTS_MAX: usize = 4;

/// Lookup: answer with the directory at the key.
pub const READDIR: u32 = 1;
/// Lookup: answer with the symlink at the key, not its target.
pub const READLINK: u32 = 2;
/// kvs-watch: continue after the first answer.
pub const WATCH: u32 = 4;
/// kvs-watch: wait until the key exists.
pub const WAITCREATE: u32 = 8;
/// Lookup: answer with the tree object as it is stored.
pub const TREEOBJ: u32 = 16;
/// kvs-watch: compare the value at every commit of the namespace.
pub const WATCH_FULL: u32 = 64;
/// kvs-watch: leave out values equal to the one before.
pub const WATCH_UNIQ: u32 = 128;
/// kvs-watch: send only the appended part.
pub const WATCH_APPEND: u32 = 256;
/// kvs-watch: send the value blob by blob, then end.
pub const STREAM: u32 = 512;
/// kvs-watch: mark the end of the initial data with an empty response.
pub const WATCH_INITIAL_SENTINEL: u32 = 1024;

/// Commit: do not merge this transaction with others.
pub const NO_MERGE: u32 = 1;
/// Commit: make it survive a power failure before it is answered; primary only.
pub const SYNC: u32 = 4;
/// In the flags of one operation: append to the value.
pub const APPEND: u32 = 32;

/// Asks for the root of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GetRoot {
    /// Namespace.
    pub namespace: String,
}

/// The root of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Root {
    /// User id of its owner.
    pub owner: u32,
    /// Number of transactions published in it.
    pub rootseq: i64,
    /// Blobref of its root directory.
    pub rootref: String,
    /// Flags given at its creation.
    pub flags: u32,
    /// Name of the namespace.
    pub namespace: String,
}

/// Looks up a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Lookup {
    /// Key, in any form; normalised by the service.
    pub key: String,
    /// [`READDIR`], [`READLINK`], [`TREEOBJ`]; other bits are ignored.
    pub flags: u32,
    /// Namespace; may be absent when `rootdir` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A dirref to start from in place of the namespace's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootdir: Option<Value>,
    /// With `rootdir`, echoed by `kvs.lookup-plus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootseq: Option<i64>,
}

impl Lookup {
    /// A lookup in a namespace.
    pub fn new(namespace: &str, key: &str, flags: u32) -> Lookup {
        Lookup {
            key: key.to_owned(),
            flags,
            namespace: Some(namespace.to_owned()),
            rootdir: None,
            rootseq: None,
        }
    }
}

/// Value found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// A tree object, a val for a plain lookup (RFC 11).
    pub val: Tree,
}

impl Found {
    /// The bytes of a val; `None` for another object.
    pub fn bytes(self) -> Option<Bytes> {
        match self.val {
            Tree::Val(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Looks up a key, with the version in which it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(transparent)]
pub struct LookupPlus(pub Lookup);

/// Value found, with the root it was found in. A missing key is a success with `errno`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundPlus {
    /// A tree object; absent when the key is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<Tree>,
    /// Error number: 2 when the key is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<u32>,
    /// Version read.
    pub rootseq: i64,
    /// Root directory read.
    pub rootref: String,
}

/// Applies a transaction, wholly or not at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Commit {
    /// Namespace.
    pub namespace: String,
    /// [`NO_MERGE`], [`SYNC`]; other bits are ignored.
    pub flags: u32,
    /// Operations, in this order. A transaction without any is legal and makes a new
    /// version.
    pub ops: Vec<Op>,
    /// `WRITER:SEQ`, our extension: a commit whose SEQ is not above the last one
    /// published for WRITER in this namespace is answered but not applied, so that a
    /// writer that does not know the fate of its commit may send it again. WRITER counts
    /// SEQ up from commit to commit; it is at most 64 bytes, a UUID in practice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}

impl Commit {
    /// A transaction without operations yet.
    pub fn new(namespace: &str) -> Commit {
        Commit {
            namespace: namespace.to_owned(),
            ..Commit::default()
        }
    }

    /// The same in which `key` gets the value `bytes`.
    pub fn put(mut self, key: impl Into<String>, bytes: impl Into<Bytes>) -> Commit {
        self.ops.push(Op::put(key, bytes));
        self
    }

    /// The same in which `bytes` are appended to `key`.
    pub fn append(mut self, key: impl Into<String>, bytes: impl Into<Bytes>) -> Commit {
        self.ops.push(Op::append(key, bytes));
        self
    }

    /// The same in which `key` is removed.
    pub fn unlink(mut self, key: impl Into<String>) -> Commit {
        self.ops.push(Op::unlink(key));
        self
    }

    /// The same with one more operation.
    pub fn op(mut self, op: Op) -> Commit {
        self.ops.push(op);
        self
    }

    /// The same, applied at most once regardless of the number of times it is sent; see
    /// [`Commit::once`].
    pub fn once(mut self, writer: &str, seq: u64) -> Commit {
        self.once = Some(format!("{writer}:{seq}"));
        self
    }
}

/// The version that a transaction made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Committed {
    /// Root directory.
    pub rootref: String,
    /// Number.
    pub rootseq: i64,
}

/// Waits until a namespace has reached a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitVersion {
    /// Namespace.
    pub namespace: String,
    /// Version to wait for.
    pub rootseq: i64,
}

/// Holds back new versions of a namespace on this rank: for tests of clients that wait for
/// one. On rank 0 it holds the transactions back, so that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetrootPause {
    /// Namespace.
    pub namespace: String,
}

/// Ends a [`SetrootPause`]. The end of the service ends it as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetrootUnpause {
    /// Namespace.
    pub namespace: String,
}

/// Creates a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceCreate {
    /// Name.
    pub namespace: String,
    /// Root directory to begin with, by blobref. Its existence is not checked.
    pub rootref: String,
    /// User id of its owner; -1 or 4294967295 is the instance owner.
    pub owner: i64,
    /// Stored and reported; without meaning to the service.
    pub flags: u32,
}

/// Removes a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceRemove {
    /// Name; an unknown one is no error.
    pub namespace: String,
}

/// Asks for the names of all namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NamespaceList;

/// The namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// In no particular order.
    pub namespaces: Vec<NamespaceInfo>,
}

/// One namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceInfo {
    /// Name.
    pub namespace: String,
    /// User id of its owner.
    pub owner: u32,
    /// Flags given at its creation.
    pub flags: u32,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Drops objects from memory that are also in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropcache;

/// A summary of samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Summary {
    /// Number of samples.
    pub count: u64,
    /// Smallest.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation.
    pub stddev: f64,
    /// Largest.
    pub max: f64,
}

/// Counters of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Directories and values in memory.
    pub cache: CacheStats,
    /// By namespace.
    pub namespace: BTreeMap<String, NamespaceStats>,
    /// Operations in each transaction.
    #[serde(rename = "transaction-opcount")]
    pub transaction_opcount: OpCounts,
    /// Requests waiting for content or for a version.
    pub pending_requests: u64,
}

/// Contents of the cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CacheStats {
    /// Size of the whole cache, in MiB.
    #[serde(rename = "obj size total (MiB)")]
    pub total_mib: f64,
    /// Size of an object, in KiB.
    #[serde(rename = "obj size (KiB)")]
    pub size_kib: Summary,
    /// Objects not stored yet.
    #[serde(rename = "#obj dirty")]
    pub dirty: u64,
    /// Objects being loaded from content.
    #[serde(rename = "#obj incomplete")]
    pub incomplete: u64,
    /// Loads from content since the start.
    #[serde(rename = "#faults")]
    pub faults: u64,
}

/// Counters of one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceStats {
    /// Requests that wait for a version.
    #[serde(rename = "#versionwaiters")]
    pub versionwaiters: u64,
    /// Blobs made by a transaction that existed already.
    #[serde(rename = "#no-op stores")]
    pub noop_stores: u64,
    /// Transactions waiting, being applied, or being stored.
    #[serde(rename = "#transactions")]
    pub transactions: u64,
    /// Of those, the ones not begun.
    #[serde(rename = "#readytransactions")]
    pub readytransactions: u64,
    /// The current version.
    #[serde(rename = "store revision")]
    pub store_revision: i64,
}

/// Operations in each transaction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpCounts {
    /// Of all commits since the start.
    pub commit: Summary,
}

/// Beginning of every event's topic; `NAMESPACE-setroot`, `-error`, `-created` or
/// `-removed` follows. All are PRIVATE.
pub const EVENT_PREFIX: &str = "kvs.namespace-";

/// Event: a namespace has a new version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetrootEvent {
    /// Namespace.
    pub namespace: String,
    /// The version.
    pub rootseq: i64,
    /// Root directory.
    pub rootref: String,
    /// The transactions merged in.
    pub names: Vec<String>,
    /// Every normalised key written or removed, each with null.
    pub keys: BTreeMap<String, ()>,
    /// User id of the namespace's owner.
    pub owner: u32,
    /// Our extension: the service has restarted, and versions since the previous event
    /// may not have been announced. This version is the current one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restarted: bool,
}

/// Event: transactions failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorEvent {
    /// Namespace.
    pub namespace: String,
    /// Names of the transactions.
    pub names: Vec<String>,
    /// Error number.
    pub errnum: u32,
}

/// Event: a namespace was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedEvent {
    /// Namespace.
    pub namespace: String,
    /// Always 0.
    pub rootseq: i64,
    /// Root directory.
    pub rootref: String,
    /// User id of its owner.
    pub owner: u32,
}

/// Event: a namespace was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemovedEvent {
    /// Namespace.
    pub namespace: String,
}

crate::refusals! {
    /// Errors of access to a namespace.
    pub enum NamespaceError {
        /// There is no namespace of this name.
        Unknown => EOPNOTSUPP "",
        /// The namespace belongs to another user.
        NotYours => EPERM "",
    }
}

crate::refusals! {
    /// Errors of a lookup. Errors of the content service are passed on.
    pub enum LookupError {
        /// Neither namespace nor rootdir was given.
        Nowhere => EPROTO "",
        /// `rootdir` is not a dirref, or READLINK met something else than a symlink.
        Invalid => EINVAL "",
        /// No namespace of this name.
        UnknownNamespace => EOPNOTSUPP "",
        /// The namespace, or one that a symlink leads to, belongs to another user.
        NotYours => EPERM "",
        /// There is nothing at this key, or a blob is missing from the store.
        NotFound => ENOENT "",
        /// A value was requested and the key is a directory.
        IsDir => EISDIR "",
        /// A directory was requested and the key is a value.
        NotDir => ENOTDIR "",
        /// There are too many symlinks in a row.
        Loop => ELOOP "",
        /// A blob is not a valid tree object.
        Corrupt => ENOTRECOVERABLE "",
    }
}

crate::refusals! {
    /// Errors of a commit. Errors of the content service are passed on.
    pub enum CommitError {
        /// A guest may not name blobs or links (RFC 12): the text gives the type.
        GuestObject(&'static str) => EPERM "guests may not commit {0} objects",
        /// A guest may not name blobs through a directory.
        GuestDir => EPERM "guests may not commit non-empty dir objects",
        /// The namespace belongs to another user.
        NotYours => EPERM "",
        /// No namespace of this name.
        UnknownNamespace => EOPNOTSUPP "",
        /// Malformed tree object, write to the root, link into another namespace, or
        /// SYNC elsewhere than in the primary namespace.
        Invalid => EINVAL "",
        /// `cuts` of an operation do not rise, are not within its value, are too many, or
        /// belong to something else than a val that is put.
        Cuts => EINVAL "cuts must rise and lie within a value that is put",
        /// Append to a directory.
        IsDir => EISDIR "",
        /// Append to a symlink.
        AppendToSymlink => EOPNOTSUPP "",
        /// Append of something else than a val.
        AppendOfOther => EPROTO "",
        /// A value is larger than a blob may be.
        TooBig => EFBIG "",
        /// The request is longer than [`COMMIT_BYTES_MAX`]: others would wait for it.
        TooManyBytes(usize) => EFBIG
            "a transaction may have at most {0} bytes: commit it in parts",
        /// There are more operations than [`COMMIT_OPS_MAX`], or entries of directories, or parts.
        TooManyOps(usize) => E2BIG
            "a transaction may have at most {0} operations: commit it in parts",
        /// A blob is not a valid directory.
        Corrupt => ENOTRECOVERABLE "",
    }
}

crate::refusals! {
    /// Errors of creating a namespace.
    pub enum CreateError {
        /// A namespace of this name exists.
        Exists => EEXIST "",
        /// A namespace of this name is being removed.
        BeingRemoved => EEXIST
            "namespace with identical name in process of being removed. Try again later",
        /// The name is empty or too long, or `rootref` is no blobref.
        Invalid => EINVAL "",
        /// There are too many namespaces.
        TooMany => ENOBUFS "too many namespaces",
    }
}

crate::refusals! {
    /// Errors of removing a namespace.
    pub enum RemoveError {
        /// The primary namespace cannot be removed.
        Primary => EOPNOTSUPP "",
    }
}

crate::json_payloads!(
    GetRoot,
    Root,
    Lookup,
    Found,
    LookupPlus,
    FoundPlus,
    Commit,
    Committed,
    Relay,
    Relayed,
    RelayCommit,
    RelayCreate,
    WaitVersion,
    SetrootPause,
    SetrootUnpause,
    NamespaceCreate,
    NamespaceRemove,
    Namespaces,
    Stats,
    SetrootEvent,
    ErrorEvent,
    CreatedEvent,
    RemovedEvent,
);
crate::no_payloads!(NamespaceList, StatsGet, Dropcache);

crate::events! {
    SetrootEvent = "kvs.namespace-NAME-setroot" (OWNER), private : "A namespace has a new version.";
    ErrorEvent = "kvs.namespace-NAME-error" (OWNER), private : "Transactions failed.";
    CreatedEvent = "kvs.namespace-NAME-created" (OWNER), private : "A namespace was created.";
    RemovedEvent = "kvs.namespace-NAME-removed" (OWNER), private : "A namespace was removed.";
}

crate::methods! {
    GetRoot = "kvs.getroot" (USER) => Root, NamespaceError, idempotent, Later
        : "Returns the root of a namespace.";
    Lookup = "kvs.lookup" (USER) => Found, LookupError, idempotent, bulk, Later
        : "Looks up a key.";
    LookupPlus = "kvs.lookup-plus" (USER) => FoundPlus, LookupError, idempotent, bulk, Later
        : "Looks up a key, and returns the version too.";
    Commit = "kvs.commit" (USER) => Committed, CommitError, recognised, Later
        : "Applies a transaction, wholly or not at all; answered when it is stored.";
    Relay = "kvs.relay" (OWNER) => Relayed, CommitError, idempotent, Later
        : "Applies transactions of other ranks; answered when each is stored or refused.";
    RelayCommit = "kvs.relaycommit" (OWNER) => Empty, Never, Nothing
        : "Applies a transaction of another rank; an event announces the result.";
    WaitVersion = "kvs.wait-version" (USER) => Committed, NamespaceError, idempotent, Later
        : "Waits until a namespace has reached a version.";
    SetrootPause = "kvs.setroot-pause" (OWNER) => Empty, NamespaceError, idempotent, Later
        : "Holds back new versions of a namespace on this rank, for tests.";
    SetrootUnpause = "kvs.setroot-unpause" (OWNER) => Empty, NamespaceError, idempotent, Later
        : "Releases the versions held back.";
    NamespaceCreate = "kvs.namespace-create" (OWNER) => Empty, CreateError, recognised, Later
        : "Creates a namespace.";
    RelayCreate = "kvs.relay-create" (OWNER) => Empty, CreateError, idempotent, Later
        : "Creates a namespace for a client of another rank; repeated requests have no effect.";
    NamespaceRemove = "kvs.namespace-remove" (OWNER) => Empty, RemoveError, idempotent, Later
        : "Removes a namespace.";
    NamespaceList = "kvs.namespace-list" (OWNER) => Namespaces, Never, idempotent
        : "Lists the namespaces.";
    StatsGet = "kvs.stats-get" (USER) => Stats, Never, idempotent
        : "Counters of the service.";
    Dropcache = "kvs.dropcache" (OWNER) => Empty, Never, idempotent
        : "Drops objects from memory that are also in the store.";
}
