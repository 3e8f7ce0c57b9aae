//! Every limit of terminal sessions in one place.

use std::time::Duration;

/// Sessions that one server has at once. A further one is refused EBUSY. Tasks have theirs
/// besides.
pub const SESSIONS_MAX: usize = 256;

/// Clients that are attached to one session. A further one is refused EBUSY.
pub const CLIENTS_MAX: usize = 64;

/// Bytes that a client is sent without a word of it. When as many are out, the terminal is not
/// read until the client says something, be it nothing at all (`data` of length 0).
pub const UNHEARD_BYTES_MAX: usize = 4 << 20;

/// Time that a terminal waits for such a client. Then the client is detached.
pub const UNHEARD_WAIT: Duration = Duration::from_secs(10);

/// Bytes of input that a terminal has not taken and for which clients are answered at once.
/// With more, an answer waits.
pub const INPUT_BYTES: usize = 64 * 1024;

/// Bytes of input that a terminal has not taken, all together. Input beyond it is refused with
/// EAGAIN.
pub const INPUT_BYTES_MAX: usize = 1 << 20;

/// Answers that wait for one terminal to take input. The request after them is refused EAGAIN.
pub const INPUT_WAITS_MAX: usize = 64;

/// Requests that wait for the end of sessions. A further one is refused EBUSY.
pub const END_WAITS_MAX: usize = 256;

/// Bytes that one message shows.
pub const SHOWN_BYTES_MAX: usize = 64 * 1024;

/// Time that a server without a session waits for its first one.
pub const FIRST_SESSION_WAIT: Duration = Duration::from_secs(10);

/// Size of a terminal that no client has given one.
pub const SIZE: node::WinSize = node::WinSize { rows: 25, cols: 80 };
