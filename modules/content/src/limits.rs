//! Every limit of the content store, unit last.

use std::time::Duration;

/// Default of `blob-size-limit`: the largest blob. A larger one is refused EFBIG.
pub const BLOB_BYTES_MAX: usize = 1 << 30;

/// Default of `purge-old-entry`: time that an unused blob is kept in memory. It leaves
/// with the next heartbeat.
pub const CACHE_AGE_MAX: Duration = Duration::from_secs(60);

/// Largest blob of a commit that is kept in memory; of stores, all are that fit.
pub const COMMITTED_BLOB_BYTES_MAX: usize = 1024;

/// Default of `flush-batch-limit`: tasks in one transaction. The rest waits for the next.
pub const BATCH_TASKS_MAX: usize = 4096;

/// Bytes of blobs in one transaction, so that answers do not wait for gigabytes of others.
/// A single larger task is a transaction of its own.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// Bytes of blobs that wait for the store. A further store is refused EBUSY.
pub const QUEUED_BYTES_MAX: usize = 2 << 30;

/// Default of `max-checkpoints`: checkpoints kept. Older ones are deleted.
pub const CHECKPOINTS_MAX: usize = 5;

/// Blobs marked in one step of a collection; commits that wait come between two steps.
pub const MARK_STEP_BLOBS: usize = 1024;

/// Rows that one step of a sweep looks at.
pub const SWEEP_STEP_ROWS: i64 = 8192;

/// Blobs that one step of a sweep deletes.
pub const SWEEP_STEP_DELETES: i64 = 512;

/// Largest blob, as it is stored, that is moved to close gaps: a larger one has pages of its own.
pub const MOVED_BLOB_BYTES_MAX: i64 = 2048;

/// Blobs that are moved for each one deleted: where more are kept, the gaps stay.
pub const MOVED_PER_DELETED: i64 = 3;

/// Pages that one step gives back to the file system.
pub const SHRINK_PAGES: usize = 256;

/// From this size on blobs are compressed.
pub const COMPRESS_BYTES_MIN: usize = 256;

/// Largest blob that goes by way of the journal. Larger ones would be written twice.
pub const JOURNALLED_BLOB_BYTES_MAX: usize = 64 << 10;

/// Bytes of a transaction that goes by way of the journal. More go to their places at once.
pub const JOURNALLED_TRANSACTION_BYTES_MAX: usize = 256 << 10;

/// Bytes of a row of the journal: with its head it fills a page.
pub const JOURNAL_SLOT_BYTES: usize = 4040;

/// Transactions that are moved from the journal to their places at a time.
pub const FOLDED_TRANSACTIONS: usize = 256;

/// Bytes of blobs after which such a move ends.
pub const FOLDED_BYTES: usize = 4 << 20;

/// Transactions in the journal. With that number they are moved before anything else is done.
pub const JOURNAL_TRANSACTIONS_MAX: usize = 2048;

/// Bytes of blobs in the journal, likewise; those that came as edits count whole.
pub const JOURNAL_BYTES_MAX: usize = 32 << 20;

/// Bytes of the write-ahead log. At that length it is copied into the file before anything
/// else is done, and begins again; so it has as many and one transaction at most.
pub const LOG_BYTES_MAX: u64 = 8 << 20;

/// Bytes of the write-ahead log with which it is copied when there is nothing else to do.
pub const LOG_BYTES_IDLE: u64 = 4 << 20;

/// Pages of a damaged file that are looked at: 16 TiB of the usual size.
pub const SALVAGED_PAGES_MAX: u32 = u32::MAX - 1;

/// Lines in the log about blobs, and about keys, that are lost with a damaged file. The
/// others are counted.
pub const SALVAGE_LINES_MAX: usize = 100;

/// Bytes of a file that is searched for a blob that its index does not know.
pub const SCANNED_BYTES_MAX: u64 = 64 << 20;

/// Newest roots of a damaged file of which one is looked for that is whole.
pub const SALVAGE_ROOTS_MAX: usize = 64;

/// Findings of damage that wait for someone to notice. Further ones are in the log only.
pub const FINDINGS_MAX: usize = 500;

/// Damaged files that are kept. With that number, someone has to look first.
pub const DAMAGED_FILES_MAX: usize = 100;

/// Time to wait for another process to release the file, in milliseconds: a killed
/// predecessor may not be reaped yet.
pub const FILE_BUSY_MS: u64 = 5000;

/// Time between two checks, in milliseconds.
pub const FILE_BUSY_STEP_MS: u64 = 50;

/// Bytes of records from which on their file is written again.
pub const RECORDS_BYTES_MIN: u64 = 1 << 20;

/// Factor by which the file of records may grow before that.
pub const RECORDS_GROWTH_MAX: u64 = 4;

const _: () = assert!(JOURNAL_SLOT_BYTES < 1 << 16);
const _: () = assert!(JOURNALLED_TRANSACTION_BYTES_MAX / JOURNAL_SLOT_BYTES < 1 << 16);
const _: () = assert!(LOG_BYTES_IDLE < LOG_BYTES_MAX);
const _: () = assert!(FOLDED_BYTES < JOURNAL_BYTES_MAX);
const _: () = assert!(FOLDED_TRANSACTIONS < JOURNAL_TRANSACTIONS_MAX);
const _: () = assert!(BATCH_BYTES_MAX < QUEUED_BYTES_MAX);

/// Mapped files. A further one is refused ENOSPC.
pub const MAPPED_FILES_MAX: usize = 65_536;

/// Parts of mapped files: a TiB in parts of a MiB, and 100 MiB of memory. Further ones are
/// refused ENOSPC.
pub const MAPPED_PARTS_MAX: usize = 1 << 20;

/// Largest part of a mapped file: followers must be able to load it. A larger one is refused
/// EFBIG.
pub const MAPPED_PART_BYTES_MAX: u64 = ABOVE_BLOB_BYTES_MAX as u64;

/// Bytes of a tag of mapped files. A longer one is refused EINVAL.
pub const MAPPED_TAG_BYTES_MAX: usize = 1024;

/// Mapped files in which a blob is looked for, if it is in several of them and the first have
/// changed.
pub const MAPPED_PLACES_TRIED: usize = 8;

/// Bytes of a file that are mapped in one step, one part at least. Other tasks come
/// between two steps.
pub const MAP_STEP_BYTES: u64 = 8 << 20;

/// Parts that one step maps.
pub const MAP_STEP_PARTS: usize = 1024;

/// Largest blob that a follower sends to its parent: a link keeps messages under way in
/// memory. A larger one is refused EFBIG there.
pub const ABOVE_BLOB_BYTES_MAX: usize = 128 << 20;

/// Bytes of blobs that a follower has under way to its parent, and about as many from it. The
/// rest waits; a longer blob goes alone.
pub const ABOVE_BYTES_MAX: usize = 32 << 20;

/// Bytes of blobs that wait to be sent to a parent. A further store is refused EBUSY.
pub const ABOVE_QUEUED_BYTES_MAX: usize = 512 << 20;

/// Blobs that a follower asks its parent for at a time, however short they are.
pub const ABOVE_LOADS_MAX: usize = 1024;

/// Assumed size of a blob before any has come.
pub const ABOVE_EXPECTED_BYTES: usize = 1 << 20;
