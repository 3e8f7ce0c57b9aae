//! Every limit on files and their objects in one place, unit last.

/// Bytes of a blob unless asked otherwise.
pub const CHUNK_BYTES: u64 = 1 << 20;

/// Bytes of a blob at most, for those who ask for none to be cut.
pub const CHUNK_BYTES_MAX: u64 = i32::MAX as u64;

/// Bytes of the largest file whose contents are in its object, unless asked otherwise.
pub const SMALL_FILE_BYTES: u64 = 1 << 10;

/// The same at most: an object is part of one value of the key-value store.
pub const SMALL_FILE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a path; further ones no file can be opened by.
pub const PATH_BYTES_MAX: usize = 4096;

/// Regions of one file; files with more are refused.
pub const REGIONS_MAX: usize = 1 << 20;

/// Directories within each other; those below are refused.
pub const DEPTH_MAX: usize = 512;
