//! Every limit of following jobs in one place, unit last.

/// Jobs that are followed at once; the others wait for their turn.
pub const FOLLOWED_JOBS_MAX: usize = 512;

/// Bytes of standard input that one request hands to a job.
pub const INPUT_BYTES_MAX: usize = 32 * 1024;
