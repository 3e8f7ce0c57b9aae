//! The words of a link: those that it receives, and those that it sends.

use std::io;

use bytes::Bytes;
use wire::limits::MESSAGE_BYTES_MAX;

use super::system_error;
use crate::limits::{LINK_LINGER_MS, LINK_RECEIVE_MESSAGES_MAX, LINK_SEND_MESSAGES_MAX};

/// The keys of one end of an encrypted link, in Z85.
#[derive(Clone)]
pub struct Curve {
    /// Public key.
    pub public: String,
    /// Secret key.
    pub secret: String,
}

impl Curve {
    pub(super) fn set_on(&self, socket: &zmq::Socket) -> zmq::Result<()> {
        socket.set_curve_publickey(self.public.as_bytes())?;
        socket.set_curve_secretkey(self.secret.as_bytes())
    }
}

/// Settings of connections over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp {
    /// Time that sent bytes may stay unacknowledged, in milliseconds; 0 leaves it to the
    /// system, which waits a quarter of an hour.
    pub user_timeout_ms: i32,
    /// Time limit of an attempt to connect, in milliseconds; 0 leaves it to the system.
    pub connect_timeout_ms: i32,
    /// True if IPv6 addresses are used.
    pub ipv6: bool,
}

/// Limits of a link's queues. The default is in `limits.rs`.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// Messages queued to one peer; not 0.
    pub send_messages: u32,
    /// Messages queued from one peer; not 0.
    pub receive_messages: u32,
    /// Longest message sent or received, in bytes. A peer that sends a longer one is
    /// disconnected.
    pub message_bytes: usize,
    /// Time for which sent messages may delay the end of the process, in milliseconds.
    pub linger_ms: i32,
}

impl Default for LinkLimits {
    fn default() -> Self {
        LinkLimits {
            send_messages: LINK_SEND_MESSAGES_MAX,
            receive_messages: LINK_RECEIVE_MESSAGES_MAX,
            message_bytes: MESSAGE_BYTES_MAX,
            linger_ms: LINK_LINGER_MS,
        }
    }
}

/// Operations that are possible without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "waiting on the descriptor without looking at this is a stall"]
pub struct Readiness {
    /// A receive will give a message.
    pub readable: bool,
    /// The queue to the peer has room; of a router, to at least one peer.
    pub writable: bool,
}

/// Errors of sending a message. The caller gets it back and decides.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer does not read; try again when the link is writable.
    #[error("the queue to the peer is full")]
    Full(Vec<u8>),
    /// No peer of that identity is connected.
    #[error("no such peer is connected")]
    Unreachable(Vec<u8>),
    /// Above [`LinkLimits::message_bytes`]: the peer would hang up on it.
    #[error("a message of {} bytes is too long to send", .0.len())]
    TooLong(Vec<u8>),
    /// The link is of no use any more.
    #[error("cannot send")]
    Other(#[source] io::Error),
}

/// Errors of receiving a message.
#[derive(Debug, thiserror::Error)]
pub enum RecvError {
    /// The peer does not speak our protocol. The message is lost, the link is intact.
    #[error("a message of {parts} parts where one was expected")]
    Malformed {
        /// Identity of the sender; empty on a dealer.
        identity: Bytes,
        /// Parts of the message, without the identity.
        parts: usize,
    },
    /// The link is of no use any more.
    #[error("cannot receive")]
    Other(#[source] io::Error),
}

/// Errors of sending bytes that the caller keeps.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// The peer does not read; try again when the link is writable.
    Full,
    /// No peer of that identity is connected.
    Unreachable,
    /// The link is of no use any more.
    Other(io::Error),
}

impl From<zmq::Error> for NotSent {
    fn from(error: zmq::Error) -> NotSent {
        match error {
            zmq::Error::EAGAIN => NotSent::Full,
            zmq::Error::EHOSTUNREACH => NotSent::Unreachable,
            error => NotSent::Other(system_error(error)),
        }
    }
}

/// Facts about the sender of a message besides its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The key that it has proved to hold, in Z85; empty on a link that is not encrypted.
    pub key: String,
    /// True if it runs on this host, so that a broken connection means that it is lost.
    pub is_here: bool,
}

/// True if ZeroMQ's name of a peer is one of this host: a UNIX socket has no address.
pub(super) fn is_here(address: &str) -> bool {
    match address.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => true,
    }
}
