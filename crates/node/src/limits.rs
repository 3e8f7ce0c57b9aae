//! Every limit of the harness in one place.

/// Calls that one component may have waiting for an answer. When full, a further
/// call fails at once with ENOBUFS: the caller is in a loop or its peer is stuck.
pub const PENDING_CALLS_MAX: usize = 1 << 20;

/// Requests that one component may hold unanswered. When full, a further request
/// is answered EBUSY.
pub const OPEN_REQUESTS_MAX: usize = 1 << 20;

/// Timers that one component may have. When full, setting one more is our bug.
pub const TIMERS_MAX: usize = 1 << 20;

/// How long a stopping module waits for the broker to agree, in seconds
/// (protocol/03 section 4.2).
pub const FINALIZE_WAIT_S: u64 = 10;

/// Causes of work, each topic one, for which a component counts how long its handlers took. There
/// are as many as are declared; when full, the time of further ones counts as that of `other`.
pub const CAUSES_MAX: usize = 256;
