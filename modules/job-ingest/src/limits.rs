//! Every limit of job-ingest in one place.

/// Jobs that are being checked or wait to be stored. When full, a further one is answered
/// EAGAIN.
pub const WAITING_JOBS_MAX: usize = 1 << 16;

/// Bytes of the jobspecs that are being changed or checked at the same time, by default
/// (`ingest.buffer-size`). A jobspec that finds no room is answered EAGAIN, and one that
/// could not be there alone ENOSPC.
pub const BUFFER_BYTES: usize = 10 << 20;

/// The same as people write it.
pub const BUFFER_TEXT: &str = "10M";

/// Jobs that go into the KVS in one commit, and to job-manager in one request. The rest waits
/// for the next: nobody else is answered while one is made, or received.
pub const BATCH_JOBS_MAX: usize = 256;

/// Bytes that go into the KVS in one commit, about.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one jobspec. A larger one is refused: a commit could not hold it twice, once as
/// it was signed.
pub const JOBSPEC_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a jobspec as it was signed: in base64, with a header. A longer one is refused.
pub const SIGNED_BYTES_MAX: usize = JOBSPEC_BYTES_MAX / 3 * 4 + 64 * 1024;

/// Milliseconds that job ids may run ahead of the clock, at 1024 ids each, within one
/// turn of the loop.
pub const IDS_AHEAD_MS_MAX: u64 = 1000;

/// Bytes of a signed jobspec from which on it may be cut: of a shorter one the list of its parts
/// would be much of it.
pub const CUT_BYTES_MIN: usize = 1024;

/// Bytes of a signed jobspec up to which it is compared with others. A longer one is stored in one
/// piece.
pub const SIMILAR_BYTES_MAX: usize = 128 * 1024;

/// Bytes that are a job's own from which on a way is sought to cut off more.
pub const OWN_BYTES_MIN: usize = 256;

/// Ways in which jobspecs are cut. The one not used for longest makes room.
pub const MODELS_MAX: usize = 16;

/// Signed jobspecs that were not cut and are remembered. The oldest makes room.
pub const SEEN_MAX: usize = 8;

// A commit has both in base64, beside a batch that was not full yet.
const _: () = assert!(
    (BATCH_BYTES_MAX + JOBSPEC_BYTES_MAX + SIGNED_BYTES_MAX) / 3 * 4 + (2 << 20)
        < proto::kvs::COMMIT_BYTES_MAX
);

/// Between two attempts to hand jobs over to a job manager that is being loaded again.
pub const RETRY: std::time::Duration = std::time::Duration::from_secs(1);
