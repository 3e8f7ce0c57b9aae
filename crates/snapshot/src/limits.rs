//! Every limit of snapshots in one place, unit last.

/// Bytes of one value restored from an archive: the default maximum of a blob in the
/// content store.
pub const RESTORED_VALUE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Bytes of values on their way to the store while an archive is restored.
pub const RESTORE_BYTES_IN_FLIGHT_MAX: usize = 32 * 1024 * 1024;
