//! Every limit of submissions in one place, unit last.

/// Bytes of one file that is put into a jobspec.
pub const ADDED_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Levels of resources and of values within each other in a shape.
pub const SHAPE_DEPTH_MAX: usize = 64;

/// Bytes of the script of a batch job.
pub const SCRIPT_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Brokers beside the one of each node.
pub const ADDED_BROKERS_MAX: u32 = 65_536;

/// Columns of one value that is put into a command or an option.
pub const FIELD_COLUMNS_MAX: usize = 4096;
