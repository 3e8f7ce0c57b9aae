//! Every limit of this crate, unit last.

/// Bytes from which on a file is written again without the lines that are not needed, when
/// half of it or more are such.
pub const LINES_BYTES_MAX: usize = 128 * 1024;

/// Bytes of a file that are read. Lines beyond it are not accepted.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
