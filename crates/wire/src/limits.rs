//! Every limit of the wire format in one place.

/// Longest message accepted from a peer, in bytes. A longer one ends the
/// connection: RFC 3 sets no bound, and a bound must stand somewhere.
pub const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// Most route identities on one message. Each hop adds one, so a longer stack is
/// a loop or an attack.
pub const ROUTES_MAX: usize = 64;

/// Longest route identity, in bytes. Ours are 36-character UUIDs.
pub const IDENTITY_BYTES_MAX: usize = 255;

/// Longest topic, in bytes.
pub const TOPIC_BYTES_MAX: usize = 4096;

/// Bytes that a decoder reserves before a message has arrived: the announced length is
/// believed only as bytes come in. Without memory the connection ends.
pub const STREAM_RESERVE_BYTES: usize = 64 * 1024;

/// Longest ZMTP command, in bytes: READY is about 80.
pub const ZMTP_COMMAND_BYTES_MAX: usize = 4096;

/// Bytes of buffer that a decoder keeps when nothing is in it. Memory beyond it is given
/// back.
pub const IDLE_BYTES_MAX: usize = 4096;

/// Shortest message that stays in the buffer in which it arrived, in bytes. A shorter one
/// is copied out, because to keep it would keep all that arrived with it.
pub const SHARED_BYTES_MIN: usize = 8192;

const _: () = assert!(STREAM_RESERVE_BYTES < MESSAGE_BYTES_MAX);
