//! content-backing.*: the store behind the content service (protocol/04 section 3). The
//! content module answers these itself. With `gc-info`, `mark` and `sweep` a collector
//! deletes unreferenced blobs (doc/garbage-collection.md).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::content::{Blob, Checkpoint, CheckpointGetError, Checkpoints, Digest};
use crate::content::{LoadError, StoreError};
use crate::kvs::Summary;
use crate::schema::JsonSchema;
use crate::{BadPayload, Empty, Payload, Refusal};

/// Asks for the blob with this digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load(pub Bytes);

/// Stores a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store(pub Bytes);

/// Asks whether the blob with this digest is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validate(pub Bytes);

/// Asks for the stored checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointGet;

/// Stores a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointPut {
    /// Checkpoint to store.
    pub value: Checkpoint,
}

/// Maximum number of blobs in one mark request.
pub const MARK_HASHES_MAX: usize = 16_384;

/// Maximum number of blobs that one sweep deletes; a larger `delete_cap` is cut to it.
pub const SWEEP_DELETES_MAX: i64 = 8192;

/// Maximum number of rows that one sweep visits; a larger `window` is cut to it.
pub const SWEEP_WINDOW_MAX: i64 = 524_288;

/// State at the start of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GcInfo {
    /// Blobs of an epoch below this are counted as candidates.
    pub epoch: i64,
    /// True to count them, which reads every blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub get_count: Option<bool>,
}

/// Data that a collection needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GcState {
    /// The epoch of blobs stored now: the number of the newest checkpoint, 0 without one.
    /// It never decreases.
    pub current_epoch: i64,
    /// The largest row number in use. Blobs stored later have larger ones, or take part
    /// in no earlier collection.
    pub high_water: i64,
    /// Blobs of an epoch below the requested one, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<i64>,
}

/// Raises the epoch of blobs to `epoch`, so that no sweep up to it deletes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// The epoch. Blobs of a higher epoch keep theirs.
    pub epoch: i64,
    /// Blobrefs, at most 16384. Blobs that are not stored are ignored.
    pub hashes: Vec<String>,
}

/// Number of blobs raised to a higher epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Marked {
    /// Number of blobs.
    pub marked: i64,
}

/// Deletes blobs below an epoch among the rows after `cursor`, up to `high_water` and
/// `window` rows further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sweep {
    /// Blobs below this epoch are deleted; at most the current epoch.
    pub epoch: i64,
    /// `cursor` in the response of the previous sweep, 0 for the first.
    pub cursor: i64,
    /// `high_water` from `gc-info`, read before anything was marked.
    pub high_water: i64,
    /// Maximum number of blobs to delete; more than 8192 means 8192.
    pub delete_cap: i64,
    /// Number of rows to visit; more than 524288 means 524288.
    pub window: i64,
}

/// Result of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Swept {
    /// Blobs deleted.
    pub deleted: i64,
    /// Start of the next sweep. When it is `high_water` or above, the collection is
    /// complete.
    pub cursor: i64,
}

/// Asks for the contents and speed of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Contents and speed of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Blobs.
    pub object_count: i64,
    /// The epoch of blobs stored now.
    pub current_epoch: i64,
    /// Bytes of the file, or of all files.
    pub dbfile_size: i64,
    /// Bytes of the file that are not in use.
    pub dbfile_free: i64,
    /// Milliseconds for each blob read.
    pub load_time: Summary,
    /// Milliseconds for each batch of blobs and records written, the wait for the disk
    /// included.
    pub store_time: Summary,
    /// Settings of the store.
    pub config: Config,
    /// The stored checkpoints, newest first.
    pub checkpoints: Vec<KeptCheckpoint>,
}

/// Settings of the store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Config {
    /// SQLite's journal mode; empty where there is none.
    pub journal_mode: String,
    /// SQLite's synchronous mode, or the equivalent for a store of files.
    pub synchronous: String,
}

/// A checkpoint and its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeptCheckpoint {
    /// Number, which was the current epoch after it.
    pub id: i64,
    /// The checkpoint.
    pub value: Checkpoint,
}

crate::refusals! {
    /// Errors of marking blobs. Failures of the store are passed on.
    pub enum MarkError {
        /// The request has too many blobs.
        TooMany(usize) => EINVAL "mark request of {0} hashes exceeds limit of 16384",
        /// A text is no blobref.
        NoBlobref => EPROTO "",
    }
}

crate::refusals! {
    /// Errors of sweeping. Failures of the store are passed on.
    pub enum SweepError {
        /// The cursor or high water mark is negative, or the cap is not positive.
        OutOfRange => EINVAL "",
        /// The sweep would delete blobs stored during the collection.
        BeyondEpoch(i64) => EINVAL "sweep epoch is beyond the current epoch {0}",
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

raw_payloads!(Load, Store, Validate);
crate::json_payloads!(
    CheckpointPut,
    GcInfo,
    GcState,
    Mark,
    Marked,
    Sweep,
    Swept,
    Stats
);
crate::no_payloads!(CheckpointGet, StatsGet);

crate::methods! {
    Load = "content-backing.load" (OWNER) => Blob, LoadError, idempotent, bulk, Later
        : "Returns the blob with a digest.";
    Store = "content-backing.store" (OWNER) => Digest, StoreError, idempotent, Later
        : "Stores a blob and answers with its digest.";
    Validate = "content-backing.validate" (OWNER) => Empty, LoadError, idempotent, Later
        : "Answers if a blob is stored.";
    CheckpointGet = "content-backing.checkpoint-get" (OWNER)
        => Checkpoints, CheckpointGetError, idempotent, Later
        : "Returns the stored checkpoints.";
    CheckpointPut = "content-backing.checkpoint-put" (OWNER) => Empty, Refusal, idempotent, Later
        : "Stores a checkpoint.";
    GcInfo = "content-backing.gc-info" (OWNER) => GcState, Refusal, idempotent, Later
        : "Returns the epoch and the largest row number, with which a collection begins.";
    Mark = "content-backing.mark" (OWNER) => Marked, MarkError, idempotent, Later
        : "Protects blobs from sweeps up to an epoch.";
    Sweep = "content-backing.sweep" (OWNER) => Swept, SweepError, idempotent, Later
        : "Deletes some of the blobs that are below an epoch.";
    StatsGet = "content-backing.stats-get" (OWNER) => Stats, Refusal, idempotent, Later
        : "Returns the contents and speed of the store.";
}
