//! Every limit of the module in one place.

use std::time::Duration;

/// Comparisons that one `list` may make by default (protocol/12 section 5); beyond it the
/// request is refused.
pub const COMPARISONS: u64 = 1_000_000;

/// Jobs written for one `list` before other requests get their turn.
pub const LIST_SLICE_JOBS: usize = 512;

/// Jobs looked at for one `list` before other requests get their turn.
pub const LIST_SLICE_LOOKED: usize = if cfg!(test) { 1_024 } else { 16_384 };

/// The shortest wait that lets other work have its turn.
pub const NEXT_TURN: Duration = Duration::from_micros(1);

/// Different hosts and ranks of jobs of which a search remembers whether they match; further ones
/// are compared each time.
pub const SEEN_MAX: usize = 65_536;

/// Jobs in one response of a stream, even if its `chunk` asks for more.
pub const CHUNK_JOBS_MAX: u32 = 1_024;

/// Bytes that a response has room for when it is begun.
pub const PAGE_BYTES_USUAL: usize = 4 << 10;

/// Streams of `follow` that may be open. A further one is answered EBUSY.
pub const FOLLOWERS_MAX: usize = 1_024;

/// Streams of `follow` that one guest may have open. A further one is answered EBUSY.
pub const FOLLOWERS_OF_GUEST_MAX: usize = 16;

/// Changes that a follower may be behind. A follower further behind is sent all jobs
/// again.
pub const CHANGES_MAX: usize = if cfg!(test) { 16 } else { 65_536 };

/// Changes looked at for one follower before other requests get their turn.
pub const FOLLOW_SLICE_CHANGES: u64 = 4_096;

/// Requests that wait for the history; further ones are answered EBUSY.
pub const DEFERRED_MAX: usize = 65_536;

/// Requests that wait for a job or for its state; further ones are answered EBUSY.
pub const WAITS_MAX: usize = 65_536;

/// Between two snapshots of a `job-stats` stream.
pub const STATS_PERIOD: Duration = Duration::from_millis(200);

/// Nested operators in a constraint; deeper ones are refused.
pub const CONSTRAINT_DEPTH_MAX: usize = 48;

/// Hosts or ranks that a constraint may name in an instance that is not larger
/// (protocol/12 section 5).
pub const CONSTRAINT_RANKS: usize = 1_024;

/// Journal records kept during `job-state-pause`; one more ends the pause.
pub const PAUSED_RECORDS_MAX: usize = 65_536;

/// Until the job manager is asked for again when there is none; doubled each time, up to
/// [`RETRY_MAX`].
pub const RETRY: Duration = Duration::from_millis(20);

/// Between two attempts to ask a job manager.
pub const RETRY_MAX: Duration = Duration::from_secs(1);

/// Jobs that ended less than this before the last one, in seconds, are asked for again from
/// another job manager: that they ended may not have been stored.
pub const UNSETTLED_S: f64 = 10.0;
