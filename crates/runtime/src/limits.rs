//! Every limit of the loop in one place.

/// Descriptors reported by one wait.
pub const EVENTS_PER_WAIT: usize = 256;

/// Bytes read from one stream before the others get their turn.
pub const READ_BYTES_PER_TURN: usize = 256 * 1024;

/// Messages of one stream that are received before their results are sent: each may go to
/// many.
pub const MESSAGES_PER_PAUSE: usize = 64;

/// Reads of each module's connection when one has ended: more than a socket holds.
pub const LAST_READS_MAX: usize = 64;

/// Time for which a module that lost its connection waits to learn whether the broker has
/// exited too, in seconds.
pub const LIFELINE_WAIT_S: i64 = 1;

/// The part of the machine's memory that messages of clients may take by default: one byte
/// in N. When it, or the share of a user, is used up, the client that holds most of it is
/// disconnected, and a log line has the reason (`peers.rs`).
pub const MEMORY_FRACTION: usize = 8;

/// The least that messages of clients may take by default, however small the machine.
pub const MEMORY_BYTES_MIN: usize = 64 << 20;

/// Shortest message that is charged to its sender for as long as it is kept, in bytes.
/// Shorter ones are bounded by their number.
pub const CHARGED_BYTES_MIN: usize = 1024;

/// Shortest payload that is written from where it is, in bytes. A shorter one is copied,
/// which is cheaper, and does not keep the buffer in which it arrived.
pub const SHARED_PAYLOAD_BYTES_MIN: usize = 32 * 1024;

/// Copied bytes that wait in one piece; then another is begun.
pub const OUT_CHUNK_BYTES: usize = 64 * 1024;

/// Room that an empty queue to a peer keeps. Memory beyond it is given back.
pub const OUT_IDLE_BYTES_MAX: usize = 4096;

/// Least that a connection must hold to be ended for its holder's excess, in bytes: ending
/// smaller ones would not help.
pub const EVICTION_BYTES_MIN: usize = 64 * 1024;

/// Bytes waiting for one peer above which the clients whose requests come on top of them
/// are not read from, until the peer has read half of it.
pub const PACE_BYTES: usize = 4 << 20;

/// Bytes waiting for one peer above which it is behind with reading, which is reported to
/// the node, until it has read half of it.
pub const BEHIND_BYTES: usize = 1 << 20;

/// Descriptors without which a broker with all its modules cannot work. With fewer it does
/// not start, and reports that.
pub const DESCRIPTORS_MIN: usize = 128;

/// Descriptors that clients never get: those of modules, children and files. An eighth of
/// all if that is more.
pub const DESCRIPTORS_RESERVED_MIN: usize = 96;

/// Time for which nobody is admitted when the system has no descriptors, in milliseconds.
pub const ACCEPT_PAUSE_MS: u64 = 10;

/// Least time between two log lines on clients that were turned away, in seconds. The next
/// line has their number.
pub const TURNED_AWAY_LINES_S: u64 = 10;

/// Least time between two log lines on brokers that may not come in, in seconds. The next
/// line has their number.
pub const REFUSED_LINES_S: u64 = 1;

/// The same for connections that could not be accepted, of clients, modules or brokers.
pub const UNACCEPTED_LINES_S: u64 = 1;

/// Users whose groups are being looked up. A client of a further one is turned away.
pub const LOOKUPS_MAX: usize = 256;

/// Time for which the groups of a user are cached, in seconds. Then they are looked up
/// again.
pub const USER_EXPIRY_S: u64 = 60;

/// Users whose groups are known. When full, all are forgotten.
pub const USERS_KNOWN_MAX: usize = 4096;

/// Clients that may be connected at once. A further one is turned away with EAGAIN, as is
/// one whose user, class or process has as many connections as it may (`seats.rs`).
pub const CLIENTS_MAX: usize = 65_536;

/// Connections on the modules' socket that may not have greeted yet. When full, the one
/// that has waited longest is closed.
pub const GREETINGS_MAX: usize = 64;

/// Time that such a connection may wait, in seconds. Then it is closed.
pub const GREETING_WAIT_S: u64 = 10;

/// Log lines waiting to be sent. When full, further ones are dropped and counted.
pub const LOG_LINES_MAX: usize = 4096;

/// Bytes of a log line that are written at once to a file or to standard error: a pipe that
/// is writable takes as many without waiting.
pub const SINK_WRITE_BYTES: usize = 4096;

/// Bytes read from a child's stream at once.
pub const CHILD_READ_BYTES: usize = 64 * 1024;

/// Bytes waiting for a child that does not read its input. When full, further input is
/// dropped, as by a closed pipe: a client that sends more than this looks at how much was
/// taken.
pub const CHILD_BACKLOG_BYTES_MAX: usize = 64 << 20;

/// Socket pairs that one child may have. A child with more is not started.
pub const CHANNELS_MAX: usize = 16;

/// Signals that are kept for a child that a zygote has not started yet. Further ones are
/// dropped.
pub const EARLY_SIGNALS_MAX: usize = 64;

/// Bytes of a request to a zygote. A child with more is started without it, as is one for
/// which the socket to the zygote has no room.
pub const ZYGOTE_REQUEST_BYTES_MAX: usize = 16 * 1024;

/// Time for which an exiting process tries to send its last messages, in seconds.
pub const FLUSH_WAIT_S: u64 = 5;

/// Messages waiting in this process for one peer of a ZeroMQ link. When full, a send
/// answers `Full`. Explicit, because the default of ZeroMQ drops messages above it.
pub const LINK_SEND_MESSAGES_MAX: u32 = 8192;

/// Messages from one peer of a ZeroMQ link waiting to be received. When full, the peer's
/// own queue fills, and then its sends answer `Full`. Several times that queue: a peer
/// that dies while ours is full loses its messages (link.rs, "How to end").
pub const LINK_RECEIVE_MESSAGES_MAX: u32 = 65_536;

/// Longest that the end of a process waits for messages that ZeroMQ has taken, in
/// milliseconds. Only a peer that no longer reads makes anyone wait that long.
pub const LINK_LINGER_MS: i32 = 2_000;

/// The first wait before a connection between brokers is tried again, in milliseconds;
/// doubled each time.
pub const LINK_RECONNECT_FIRST_MS: i32 = 50;

/// The longest wait between two attempts, in milliseconds.
pub const LINK_RECONNECT_LAST_MS: i32 = 500;

/// Bytes that are kept for a broker at the other end of a link until it has said that it
/// has them, or on one host until it has read them. When full, that broker is taken for lost.
pub const OVERLAY_BACKLOG_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes that may be under way to another broker. A message that is longer goes alone.
pub const OVERLAY_WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// Bytes from another broker after which their arrival is acknowledged.
pub const OVERLAY_ACK_BYTES: usize = 1024 * 1024;

/// Time that a connection between hosts may be broken before the broker at its other end
/// counts as lost, in milliseconds. Within a host it is lost at once.
pub const OVERLAY_GRACE_MS: u64 = 2_000;

/// Brokers from which a broker receives, known or not. From further ones nothing is
/// taken.
pub const OVERLAY_PEERS_MAX: usize = 65_536;

/// Brokers of one host that may wait to be let in. A further one tries again.
pub const NEAR_BACKLOG: i32 = 4096;

/// Messages that are kept for a parent on this host that is not there yet. Further ones,
/// which only show that we live, are dropped.
pub const NEAR_UNSENT_MESSAGES_MAX: usize = 64;

/// Messages that are taken from other brokers before the rest of the loop has its turn.
pub const OVERLAY_MESSAGES_PER_TURN: usize = 1024;

/// Longest part that is copied rather than handed over with its buffer, in bytes.
/// libzmq reads in pieces of this size and lends parts of a piece out, so a short
/// message kept uncopied would keep a whole piece in memory.
pub const LINK_COPY_BYTES_MAX: usize = 8192;

const _: () = assert!(LINK_RECEIVE_MESSAGES_MAX >= 4 * LINK_SEND_MESSAGES_MAX);
const _: () = assert!(DESCRIPTORS_MIN > DESCRIPTORS_RESERVED_MIN);
const _: () = assert!(CHANNELS_MAX <= 28);
