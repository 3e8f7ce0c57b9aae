//! Every limit of the module in one place.

/// Watches of one kind; a further one is answered ENOBUFS.
pub const WATCHES_MAX: usize = 65_536;

/// Keys in one lookup; more is answered EINVAL.
pub const LOOKUP_KEYS_MAX: usize = 64;

/// Bytes of a line that is not finished yet; a longer one ends its watch.
pub const LINE_BYTES_MAX: usize = 64 << 20;
