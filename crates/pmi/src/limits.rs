//! Every limit of PMI-1 as it is spoken here (RFC 13, protocol/13 section 15).

/// Bytes of one line of the protocol.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Keys of one program's space.
pub const KEYS_MAX: usize = 1 << 20;

/// Longest name of a space, in bytes with the end mark.
pub const KVSNAME_MAX: usize = 64;

/// Longest key, in bytes with the end mark.
pub const KEYLEN_MAX: usize = 64;

/// Longest value, in bytes with the end mark.
pub const VALLEN_MAX: usize = 1024;

/// Processes that one server serves.
pub const SIZE_MAX: u32 = 1 << 20;
