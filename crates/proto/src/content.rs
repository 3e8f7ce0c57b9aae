//! content.*: blobs under the hash of their contents, and checkpoints (protocol/04
//! section 3). The store behind it is in `content_backing.rs`.
//!
//! Blobs and digests are raw payloads. `content.records` and `content.commit` are ours:
//! with them the kvs stores the blobs and the roots of a transaction in one step, so that
//! no acknowledged transaction is lost; their format is in `content/frame.rs`.
//! `content.damage` and `content.damage-accept` are ours too.

mod edit;
mod frame;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{BadPayload, Empty, Never, Payload, Refusal};

pub use edit::{Edit, Part};
pub use frame::{Commit, Record, RecordList};

/// Asks for the blob with this digest (20 bytes for sha1, 32 for sha256).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load(pub Bytes);

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob(pub Bytes);

/// Stores a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store(pub Bytes);

/// The digest of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(pub Bytes);

/// Waits until everything stored before is in the backing store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flush;

/// Drops the blobs from memory that are in the backing store too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropcache;

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Blobs in memory.
    pub count: u64,
    /// Of those, the ones whose data are in memory.
    pub valid: u64,
    /// Of those, the ones that are not in the backing store yet.
    pub dirty: u64,
    /// Bytes of all of them.
    pub size: u64,
    /// Stores under way to the backing store.
    #[serde(rename = "flush-batch-count")]
    pub flush_batch_count: u64,
    /// Mapped files.
    pub mmap: MmapStats,
}

/// The mapped files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct MmapStats {
    /// Paths by tag.
    pub tags: BTreeMap<String, Vec<String>>,
    /// Blobs in them.
    pub blobs: u64,
}

/// Registers a backing store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegisterBacking {
    /// Name of its module.
    pub name: String,
}

/// Unregisters the backing store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnregisterBacking;

/// A root to restart from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// Version of the format: 1.
    pub version: i64,
    /// Blobref of the root directory.
    pub rootref: String,
    /// Version number of the namespace.
    #[serde(default)]
    pub sequence: i64,
    /// Time of its creation, in seconds since the epoch.
    #[serde(default)]
    pub timestamp: f64,
}

/// Asks for the stored checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointGet;

/// The stored checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoints {
    /// Newest first.
    pub value: Vec<Checkpoint>,
}

/// Stores a checkpoint. All blobs stored before are in the backing store before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointPut {
    /// Checkpoint to store.
    pub value: Checkpoint,
}

/// Makes the caller the writer of the records and asks for all of them. Later commits of
/// the previous writer are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Records {
    /// The caller's UUID.
    pub writer: String,
}

/// Maps a file of rank 0's host into the store: its parts can be loaded as blobs, which are
/// then read from the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MmapAdd {
    /// Absolute path of the file.
    pub path: String,
    /// Bytes of a part; 0 for parts up to the next hole.
    pub chunksize: u64,
    /// Tag by which files are unmapped.
    pub tag: String,
}

/// Unmaps the files with a tag. It is no error if there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MmapRemove {
    /// Tag.
    pub tag: String,
}

/// Asks for damage and losses found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damage;

/// Damage and losses found, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// All of them.
    pub findings: Vec<Finding>,
}

/// Damage or a loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Time at which it was found, in seconds since the epoch.
    pub timestamp: f64,
    /// Description.
    pub what: String,
    /// True if it was acknowledged.
    pub accepted: bool,
}

/// Acknowledges all damage found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DamageAccept;

crate::refusals! {
    /// Errors of loading a blob. Failures of the store are passed on with its text.
    pub enum LoadError {
        /// The digest has another length than this instance's hashes.
        WrongDigest => EPROTO "",
        /// There is no such blob.
        NotFound => ENOENT "",
        /// The blob was in a mapped file, which has changed.
        MappedChanged => EINVAL "mapped file content has changed",
    }
}

crate::refusals! {
    /// Errors of storing a blob. Failures of the store are passed on with its text:
    /// ENOSPC when the disk is full, EROFS or EACCES when it cannot be written.
    pub enum StoreError {
        /// The blob is larger than the limit.
        TooBig => EFBIG "",
    }
}

crate::refusals! {
    /// Errors of getting a checkpoint.
    pub enum CheckpointGetError {
        /// There is no checkpoint yet.
        NoneYet => ENOENT "",
        /// There is no backing store.
        NoBacking => ENOSYS "checkpoint get unavailable, no backing store",
    }
}

crate::refusals! {
    /// Errors of registering a backing store.
    pub enum RegisterError {
        /// There is a backing store already.
        Active => EBUSY "content backing store is already active",
        /// Another store had been configured.
        OnTheFly => EINVAL "content backing store cannot be changed on the fly",
        /// Only rank 0 has a backing store.
        NotRankZero => EINVAL "content backing store can only be registered on rank 0",
    }
}

crate::refusals! {
    /// Errors of unregistering a backing store.
    pub enum UnregisterError {
        /// There is no backing store.
        NotActive => EINVAL "content backing store is not active",
        /// The store is part of this service.
        BuiltIn => EBUSY "content backing store is built in and leaves with the module",
    }
}

crate::refusals! {
    /// Errors of mapping files.
    pub enum MmapError {
        /// Only rank 0 reads files of its host.
        NotRankZero => EINVAL "content may only be mmapped on rank 0",
        /// The path is relative, to an unknown directory.
        NotQualified => EINVAL "path must be fully qualified",
        /// Not a regular file, or an empty one.
        NotSuitable(String) => EINVAL "{0}: not suitable for mapping",
        /// A part is larger than a blob may be.
        TooBig(String, u64) => EFBIG "{0}: a part is longer than {1} bytes",
        /// The tag is too long.
        TagTooLong(usize) => EINVAL "a tag has at most {0} bytes",
        /// The maximum number of files or parts is mapped.
        Full => ENOSPC "too many files, or parts of files, are mapped",
        /// The tag was removed meanwhile.
        Removed => ECANCELED "files with this tag were unmapped",
    }
}

crate::refusals! {
    /// Errors of committing records. Failures of the store are passed on.
    pub enum CommitError {
        /// Another writer has opened the records since.
        Replaced => EPERM "the records have another writer",
        /// The commit that it builds on is not stored.
        Unfounded => ECANCELED "the commit before this one is not stored",
        /// A blob is larger than the limit.
        TooBig => EFBIG "",
        /// Records are kept on rank 0 only.
        NotRankZero => EINVAL "records are kept on rank 0 only",
    }
}

macro_rules! raw_payloads {
    ($($name:ident),*) => {
        $(impl Payload for $name {
            fn encode(&self) -> Bytes { self.0.clone() }
            fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
                Ok($name(payload.cloned().unwrap_or_default()))
            }
        })*
    };
}

raw_payloads!(Load, Blob, Store, Digest);
crate::json_payloads!(
    Stats,
    RegisterBacking,
    Checkpoints,
    CheckpointPut,
    Records,
    Findings,
    MmapAdd,
    MmapRemove
);
crate::no_payloads!(
    Flush,
    Dropcache,
    StatsGet,
    UnregisterBacking,
    CheckpointGet,
    Damage,
    DamageAccept
);

crate::methods! {
    Load = "content.load" (OWNER) => Blob, LoadError, idempotent, bulk, Later
        : "Returns the blob with a digest.";
    Store = "content.store" (OWNER) => Digest, StoreError, idempotent, Later
        : "Stores a blob and answers with its digest once it is safe.";
    Flush = "content.flush" (OWNER) => Empty, Refusal, idempotent, Later
        : "Waits until everything stored before is in the backing store.";
    Dropcache = "content.dropcache" (OWNER) => Empty, Never, idempotent
        : "Drops the blobs from memory that are in the backing store too.";
    StatsGet = "content.stats-get" (OWNER) => Stats, Never, idempotent
        : "Counters of the service.";
    RegisterBacking = "content.register-backing" (OWNER) => Empty, RegisterError
        : "Registers a backing store.";
    UnregisterBacking = "content.unregister-backing" (OWNER) => Empty, UnregisterError
        : "Unregisters a backing store.";
    CheckpointGet = "content.checkpoint-get" (OWNER) => Checkpoints, CheckpointGetError, idempotent, Later
        : "Returns the stored checkpoints.";
    CheckpointPut = "content.checkpoint-put" (OWNER) => Empty, Refusal, idempotent, Later
        : "Stores a checkpoint.";
    Records = "content.records" (OWNER) => RecordList, CommitError, idempotent, Later
        : "Makes the caller the writer of the records and returns all of them.";
    Commit = "content.commit" (OWNER) => Empty, CommitError, idempotent, Later
        : "Stores blobs and records in one step, wholly or not at all.";
    MmapAdd = "content.mmap-add" (OWNER) => Empty, MmapError, idempotent, Later
        : "Maps a file of rank 0's host into the store.";
    MmapRemove = "content.mmap-remove" (OWNER) => Empty, MmapError, idempotent
        : "Unmaps the files with a tag.";
    Damage = "content.damage" (OWNER) => Findings, Refusal, idempotent, Later
        : "Returns damage and losses found.";
    DamageAccept = "content.damage-accept" (OWNER) => Empty, Refusal, idempotent, Later
        : "Acknowledges all damage found so far.";
}
