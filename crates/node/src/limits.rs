//! Every limit of the harness in one place.

/// Calls that one component may have waiting for an answer. When full, a further
/// call fails at once with ENOBUFS: the caller is in a loop or its peer is stuck.
pub const PENDING_CALLS_MAX: usize = 1 << 20;

/// Requests that one component may hold unanswered. When full, a further request
/// is answered EBUSY.
pub const OPEN_REQUESTS_MAX: usize = 1 << 20;

/// Timers that one component may have. When full, setting one more is our bug.
pub const TIMERS_MAX: usize = 1 << 20;

/// Time that a stopping module waits for the broker to agree, in seconds (protocol/03
/// section 4.2).
pub const FINALIZE_WAIT_S: u64 = 10;

/// Causes of work, each topic one, for which a component counts how long its handlers took. There
/// are as many as are declared; when full, the time of further ones counts as that of `other`.
pub const CAUSES_MAX: usize = 256;

/// Steps of jobs that a component keeps for `NAME.job-trace`. When full, the oldest is forgotten.
pub const STEPS_MAX: usize = 8192;

/// Tasks at one desk, those included that are done. When full, a further one is refused ENOSPC.
pub const DESK_TASKS_MAX: usize = 100_000;

/// Bytes of the text of a task, and of its result. A longer one is refused EMSGSIZE.
pub const DESK_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the name of a task or worker. A longer one is refused EMSGSIZE.
pub const DESK_NAME_BYTES_MAX: usize = 256;

/// Bytes of the records of a desk before they are rewritten without obsolete ones; twice the
/// size after the last rewrite when that is more.
pub const DESK_LOG_BYTES_MAX: usize = 1 << 20;

/// Interval of checks for expired leases, in milliseconds.
pub const DESK_LOOK_MS: u64 = 250;

/// Until a desk that finds no key-value store asks again, in milliseconds.
pub const DESK_RETRY_MS: u64 = 200;
