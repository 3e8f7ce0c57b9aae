//! Every limit of job-ingest in one place.

/// Jobs that wait to be stored. When full, a further one is answered EAGAIN.
pub const WAITING_JOBS_MAX: usize = 1 << 16;

/// Jobs that go into the KVS in one commit. What does not fit waits for the next.
pub const BATCH_JOBS_MAX: usize = 2048;

/// Bytes that go into the KVS in one commit, about.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of one jobspec. A larger one is refused.
pub const JOBSPEC_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Milliseconds that job ids may run ahead of the clock, at 1024 ids each, within one
/// turn of the loop.
pub const IDS_AHEAD_MS_MAX: u64 = 1000;
