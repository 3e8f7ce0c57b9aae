//! Every limit of kvs-watch, unit last.

/// Watchers at a time. A further one is refused ENOBUFS. Tests reach it sooner.
pub const WATCHERS_MAX: usize = if cfg!(test) { 10_000 } else { 1 << 17 };

/// Lookups and blobs that one watcher has asked for and not got. The rest is asked for
/// when these have come.
pub const ASKED_MAX: usize = 64;

/// Steps that one watcher may be behind. One that falls further back, because the kvs
/// does not answer, ends with ENOBUFS.
pub const STEPS_MAX: usize = 1 << 20;
