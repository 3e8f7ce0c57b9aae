//! Every limit of following jobs in one place, unit last.

/// Jobs that are followed at once; the others wait for their turn.
pub const FOLLOWED_JOBS_MAX: usize = 512;

/// Bytes of keys that one request hands to a terminal.
pub const KEYS_BYTES_MAX: usize = 4096;

/// Bytes that a terminal shows before we say that we have read them: well below what it shows
/// without such a word.
pub const UNTOLD_BYTES: usize = 256 * 1024;

/// Bytes of standard input that one request hands to a job.
pub const INPUT_BYTES_MAX: usize = 32 * 1024;

/// Bytes of output up to which the log of a job is read to its end for what the shell says there.
pub const READ_ON_BYTES_MAX: u64 = 16 * 1024 * 1024;
