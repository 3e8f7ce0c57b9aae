//! Every limit of the subprocess server in one place.

/// Processes that run for clients, or whose exit status is kept for a client. When full, a
/// further one is refused ENOBUFS.
pub const PROCESSES_MAX: usize = 2048;

/// Of those, the processes in the foreground of one client.
pub const PROCESSES_OF_CLIENT_MAX: usize = 1024;

/// Bytes of input that may wait for a process on each of its streams. Further input of a
/// client is dropped.
pub const INPUT_BYTES: u64 = 4 << 20;

/// The same when all processes together have [`INPUT_BYTES_MAX`]: bytes that clients may
/// send before they are stopped (RFC 42).
pub const INPUT_BYTES_MIN: u64 = 4096;

/// Bytes of input that may wait for all processes together, but for the least of each.
pub const INPUT_BYTES_MAX: u64 = 256 << 20;

/// Bytes of output that are kept of a background process, the last ones.
pub const RETAINED_BYTES: usize = 16 * 1024;

/// Bytes of one line of a background process in the log. A longer line is cut into several.
pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;

const _: () = assert!(PROCESSES_OF_CLIENT_MAX < PROCESSES_MAX);
const _: () = assert!(INPUT_BYTES_MIN <= INPUT_BYTES && INPUT_BYTES <= INPUT_BYTES_MAX);
