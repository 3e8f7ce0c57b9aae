//! Every limit on scripts in one place.

/// Bytes that all scripts of a shell may have in memory. A script that wants more fails with
/// `not enough memory`.
pub const MEMORY_BYTES_MAX: usize = 128 << 20;

/// Instructions that reading the files may take, a second or so. A script that takes more
/// fails, and so does the job.
pub const LOAD_INSTRUCTIONS_MAX: u64 = 50_000_000;

/// Instructions that the handlers of one topic may take, less than a second's worth. One that takes
/// more has failed.
pub const CALL_INSTRUCTIONS_MAX: u64 = 20_000_000;

/// Instructions between two checks of the number that is left.
pub const LOOK_INSTRUCTIONS: u32 = 10_000;

/// Bytes of one file.
pub const SCRIPT_BYTES_MAX: u64 = 1 << 20;

/// Files that one pattern may match. The rest is not there.
pub const FILES_MAX: usize = 1024;

/// Lines that scripts may say before the shell takes them. The rest is counted, which is said.
pub const LINES_MAX: usize = 1024;

/// Maximum nesting of tables that become values of options.
pub const DEPTH_MAX: usize = 64;

/// Maximum nesting of files that source each other.
pub const SOURCES_MAX: u32 = 32;
