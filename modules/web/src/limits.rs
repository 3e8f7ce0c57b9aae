//! Every limit of the web page in one place.

use std::time::Duration;

/// Connections that may be open. More are closed at once, and counted.
pub const CONNECTIONS_MAX: usize = 128;

/// Event streams among them. More are answered 503.
pub const VIEWERS_MAX: usize = 64;

/// Questions to the instance that may be open. More wait, as long as their connections do.
pub const CALLS_MAX: usize = 16;

/// Time limit of a question to the instance; beyond it the answer is 504.
pub const CALL_WAIT: Duration = Duration::from_secs(10);

/// Time limit for TLS, and for the head of a request; beyond it the connection is closed.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);

/// Bytes of the head of a request. More are answered 431 or cut off.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Wait after the system refused a connection, for want of descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes of a token: this much randomness in hexadecimal, or a line of a file of the owner's.
pub const TOKEN_BYTES: usize = 32;

/// Characters that a token must have.
pub const TOKEN_CHARS_MIN: usize = 32;

/// Characters that it may have.
pub const TOKEN_CHARS_MAX: usize = 1024;

/// Jobs on a page unless a number is asked for.
pub const PAGE_JOBS: u32 = 50;

/// Jobs on a page; if more are asked for, there are this many.
pub const PAGE_JOBS_MAX: u32 = 500;

/// Events of one job that are shown. Older ones are left out and counted.
pub const JOB_EVENTS_MAX: usize = 1_000;

/// Queues that are shown. Others are counted.
pub const QUEUES_MAX: usize = 256;

/// Brokers that are asked how those below them are, because not all is well there.
pub const SICK_BROKERS_MAX: usize = 256;

/// Jobs that are looked at for rates, the newest first; with more, the oldest are missing.
pub const RATE_JOBS_MAX: usize = 50_000;

/// Jobs in one response of job-list.
pub const RATE_CHUNK_JOBS: u32 = 1_024;

/// Parts of the time that rates are told for.
pub const RATE_BUCKETS: usize = 60;

/// The longest time that rates are told for, in seconds.
pub const RATE_SPAN_MAX_S: f64 = 7.0 * 24.0 * 3600.0;

/// Names of users that are remembered; with more, all are forgotten.
pub const USERS_MAX: usize = 4_096;

/// Validity of an answer, at least.
pub const CACHE_MIN: Duration = Duration::from_millis(500);

/// The same as a multiple of the time that it took, if that is longer.
pub const CACHE_FACTOR: u32 = 10;

/// Answers that are kept. Others are asked for each time.
pub const CACHE_ANSWERS_MAX: usize = 64;

/// Bytes of an answer. A longer one is refused with 507.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// News that a browser may be behind. One that is further behind is told `again`.
pub const NEWS_MAX: usize = 64;

/// Jobs in one piece of news.
pub const LIVE_CHUNK_JOBS: u32 = 256;

/// Responses that job-list may send ahead of us.
pub const LIVE_WINDOW: u32 = 4;

/// Time between two permissions to send more.
pub const LIVE_PERIOD: Duration = Duration::from_millis(250);

/// Wait before a missing service is asked again.
pub const LIVE_RETRY: Duration = Duration::from_secs(2);

/// Time between two signs of life in a stream without events.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

const _: () = assert!(VIEWERS_MAX < CONNECTIONS_MAX);
const _: () = assert!(2 * TOKEN_BYTES >= TOKEN_CHARS_MIN && TOKEN_CHARS_MAX < HEAD_BYTES_MAX);
