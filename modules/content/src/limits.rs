//! Every limit of the content store, unit last.

/// Largest blob unless `blob-size-limit` says otherwise. A larger one is refused EFBIG.
pub const BLOB_BYTES_MAX: usize = 1 << 30;

/// Blobs kept in memory unless `purge-target-size` says otherwise. The ones not used for
/// longest make room.
pub const CACHE_BYTES_MAX: usize = 16 << 20;

/// Largest blob of a commit that is kept in memory; of stores, all are that fit.
pub const COMMITTED_BLOB_BYTES_MAX: usize = 1024;

/// Tasks in one transaction unless `flush-batch-limit` says otherwise. The rest waits for
/// the next.
pub const BATCH_TASKS_MAX: usize = 4096;

/// Bytes of blobs in one transaction, so that answers do not wait for gigabytes of others.
/// A single larger task is a transaction of its own.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// Bytes of blobs that wait for the store. A further store is refused EBUSY.
pub const QUEUED_BYTES_MAX: usize = 2 << 30;

/// Checkpoints kept unless `max-checkpoints` says otherwise. Older ones are deleted.
pub const CHECKPOINTS_MAX: usize = 5;

/// Blobs marked in one step of a collection; commits that wait come between two steps.
pub const MARK_STEP_BLOBS: usize = 1024;

/// Rows that one step of a sweep looks at.
pub const SWEEP_STEP_ROWS: i64 = 8192;

/// Blobs that one step of a sweep deletes.
pub const SWEEP_STEP_DELETES: i64 = 512;

/// Pages that one step gives back to the file system.
pub const SHRINK_PAGES: usize = 256;

/// From this size on blobs are compressed.
pub const COMPRESS_BYTES_MIN: usize = 256;

/// Bytes that SQLite may keep of the file.
pub const PAGE_CACHE_BYTES: usize = 4 << 20;

/// Pages in the write-ahead log from which on they are copied into the file.
pub const WAL_PAGES: usize = 4000;

/// How long to wait for another process to let go of the file, in milliseconds: a
/// predecessor that was killed is still being buried.
pub const FILE_BUSY_MS: u64 = 5000;

const _: () = assert!(BATCH_BYTES_MAX < QUEUED_BYTES_MAX);
