//! Every limit of the module in one place.

use std::time::Duration;

/// Comparisons that one `list` may make unless the configuration says otherwise
/// (protocol/12 section 5); beyond it the request is refused.
pub const COMPARISONS: u64 = 1_000_000;

/// Jobs written for one `list` before other requests get their turn.
pub const LIST_SLICE_JOBS: usize = 512;

/// Jobs in one response of a stream, even if its `chunk` asks for more.
pub const CHUNK_JOBS_MAX: u32 = 1_024;

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

/// Texts that jobs share are looked over for unused ones when there are twice as many as
/// after the last look, but not below this many.
pub const WORDS_SWEEP_MIN: usize = 4_096;

/// Different resources, asked for or given, whose numbers are remembered; beyond it all
/// are forgotten and derived again.
pub const SHAPES_MAX: usize = 4_096;
