//! Every limit of the module in one place.

use std::time::Duration;

/// Events kept in memory for `resource.journal`, by default (`resource.journal-max`);
/// beyond it a mark stands for the oldest.
pub const JOURNAL_EVENTS_MAX: usize = 100_000;

/// The same where the argument `notruncate` asks for no mark: more than an instance has in years.
pub const JOURNAL_UNCUT_EVENTS_MAX: usize = 10_000_000;

/// Events in one response of `resource.journal`.
pub const JOURNAL_BATCH_EVENTS: usize = 1_000;

/// Between two attempts to store events for which there is no room, or no kvs.
pub const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// Requests that wait until the resources are known; further ones are answered that
/// there are none.
pub const WAITING_REQUESTS_MAX: usize = 4_096;

/// CPUs that discovery looks at; a machine with more is taken for this large.
pub const CPUS_MAX: u32 = 65_536;

/// Time for which rank 0 waits for the reports of all ranks, by default
/// (`resource.discovery-timeout`).
pub const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for which a rank waits for those below it before it reports to its parent without
/// them. Later reports are passed on as they come.
pub const REDUCE_HOLD: Duration = Duration::from_secs(2);

/// Between two attempts to report to a parent whose module is not there yet.
pub const REDUCE_RETRY: Duration = Duration::from_millis(100);

/// Ranks that come after R was made are gathered for this long before R grows: R is sent
/// whole to the scheduler.
pub const GROWTH_DELAY: Duration = Duration::from_millis(200);

const _: () = assert!(REDUCE_HOLD.as_millis() < DISCOVERY_TIMEOUT.as_millis());
