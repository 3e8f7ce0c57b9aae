//! Every limit of following jobs in one place, unit last.

/// Jobs that are followed at once; the others wait for their turn.
pub const FOLLOWED_JOBS_MAX: usize = 512;

/// Bytes of keys that one request hands to a terminal.
pub const KEYS_BYTES_MAX: usize = 4096;

/// Bytes of terminal output before we acknowledge them: well below the amount that it shows
/// without an acknowledgement.
pub const UNTOLD_BYTES: usize = 256 * 1024;

/// Bytes of standard input that one request hands to a job.
pub const INPUT_BYTES_MAX: usize = 32 * 1024;

/// Bytes of output up to which the log of a job is read to its end for messages of the shell.
pub const READ_ON_BYTES_MAX: u64 = 16 * 1024 * 1024;
