//! Every limit of the module in one place.

use std::time::Duration;

/// Requests that the job manager may have here at a time by default (protocol/25 section
/// 12.1). It keeps the others.
pub const QUEUE_DEPTH: u32 = 8;

/// Requests that may wait here in unlimited mode; a further one is answered ENOBUFS,
/// after which the job manager starts over.
pub const QUEUE_MAX: usize = 1 << 20;

/// Number of releases that may arrive while the allocations of jobs are being read. After more,
/// that is asked again.
pub const EARLY_FREES_MAX: usize = 1 << 20;

/// Interval between two lookups of a job's allocation, while there is no KVS.
pub const LOOKUP_RETRY: Duration = Duration::from_secs(1);

/// Jobs behind the first one that a backfill pass looks at; those behind them wait until
/// they come nearer.
pub const BACKFILL_JOBS_MAX: usize = 10_000;

/// Shapes of jobs for which a backfill pass remembers that they did not fit.
pub const MISFITS_MAX: usize = 1_024;

/// New jobs that are looked at one by one; when more have come, all are looked at.
pub const ARRIVALS_MAX: usize = 1_024;

/// Waiting jobs of which is said why they wait and when they may start: the first ones.
/// It is also the number of notes that go out in one [`OUTLOOK_PERIOD`] at most.
pub const OUTLOOK_JOBS: usize = 256;

/// Running jobs whose ends are looked at for an estimate; beyond it there is none.
pub const OUTLOOK_ENDS_MAX: usize = 10_000;

/// Time that a job waits before an estimate is given, and between two estimates.
pub const OUTLOOK_PERIOD: Duration = Duration::from_secs(1);

/// Constraints whose nodes are kept in order. A job with another one makes the one that
/// was used the longest ago go.
pub const VIEWS_MAX: usize = 32;
