//! Every limit of a handle in one place.

use std::time::Duration;

/// Bytes of requests that may wait for the broker to read them. Sending more blocks.
pub const SEND_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of messages that may wait to be taken while the program waits for another one.
/// A stream whose answer comes on top of that ends with ENOBUFS; events are dropped, and
/// the next one taken is an error that counts them.
pub const INBOX_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Time that a dropped handle waits for the broker to accept the messages sent.
pub const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Size counted for a message without payload in the inbox, in bytes.
pub const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// Bytes that one read(2) takes at most.
pub const READ_BYTES: usize = 64 * 1024;

/// Messages taken from the inbox before the caller's own descriptors are looked at again.
pub const TURNS_BETWEEN_POLLS: u32 = 64;

/// Number of restarts of a stream without a single answer in between before its error
/// reaches the program.
pub const FRUITLESS_REPEATS_MAX: u32 = 9;

/// Wait before the second fruitless repeat; it doubles from there, to about two seconds
/// in all: longer than a module is unknown that is removed and loaded again.
pub const REPEAT_DELAY_MIN: Duration = Duration::from_millis(8);

/// Number of further attempts to connect.
pub const CONNECT_RETRIES: u32 = 5;

/// Wait before the second try to connect; it doubles from there.
pub const CONNECT_DELAY_MIN: Duration = Duration::from_millis(16);

/// Longest wait between two tries to connect.
pub const CONNECT_DELAY_MAX: Duration = Duration::from_secs(2);

/// Instances that are climbed to find the root before it must be a loop.
pub const ANCESTORS_MAX: u32 = 64;

const _: () = assert!(SEND_BYTES_MAX < INBOX_BYTES_MAX);

/// The wait before a worker asks a server again that was not there, at first; each further one
/// is twice as long.
pub const WORKER_DELAY_MIN: Duration = Duration::from_millis(10);

/// Default time for which a worker looks for its broker: some years.
pub const WORKER_PATIENCE: Duration = Duration::from_secs(1 << 28);

/// The longest of these.
pub const WORKER_DELAY_MAX: Duration = Duration::from_secs(1);

/// Time that a program that reached another host has to exit once we have disconnected.
pub const SSH_END_WAIT: Duration = Duration::from_secs(2);

/// Longest wait between two looks whether it has ended.
pub const SSH_END_POLL: Duration = Duration::from_millis(20);
