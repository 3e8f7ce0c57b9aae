//! Every limit of the module, unit last, with the result beyond it.

/// Entries, those included that are deleted while a task of theirs runs. One more is refused.
pub const ENTRIES_MAX: usize = 1000;

/// Tasks of the past that an entry may keep. An entry that asks for more is refused.
pub const HISTORY_TASKS_MAX: u64 = 1000;

/// Bytes that an entry keeps of its request: names, command and environment. A longer one is
/// refused.
pub const ENTRY_BYTES_MAX: usize = 256 * 1024;

/// Lines of one task that are logged. Further output is dropped, and the log records
/// that.
pub const TASK_LINES_MAX: u64 = 10_000;

/// The shortest interval, in seconds. A shorter one is refused: it is a loop.
pub const INTERVAL_S_MIN: f64 = 0.001;

/// Time that a task has to exit after SIGTERM when it timed out, or its entry was deleted
/// with `kill`, in seconds. Then it gets SIGKILL.
pub const KILL_WAIT_S: u64 = 10;

/// Longest timer for a time of the calendar, in seconds: then the clock, which may have been
/// set, is read again.
pub const CLOCK_LOOK_S: f64 = 60.0;
