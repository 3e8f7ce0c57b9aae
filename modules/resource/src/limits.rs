//! Every limit of the module in one place.

/// Events kept in memory for `resource.journal`; beyond it the oldest are forgotten.
pub const JOURNAL_EVENTS_MAX: usize = 100_000;

/// Events in one response of `resource.journal`.
pub const JOURNAL_BATCH_EVENTS: usize = 1_000;

/// Requests that wait until the resources are known; further ones are answered that
/// there are none.
pub const WAITING_REQUESTS_MAX: usize = 4_096;

/// CPUs that discovery looks at; a machine with more is taken for this large.
pub const CPUS_MAX: u32 = 65_536;
