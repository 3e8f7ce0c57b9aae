//! A link over libzmq: what brokers on different hosts need (TCP, CURVE), and what the
//! connections of `conn.rs`, which speak the same protocol without its threads, are
//! tested against and measured by.
//!
//! Owns every use of libzmq in the project. A message here is one flattened RFC 3
//! message and nobody looks inside. Must never wait but at the end of a process, never drop a message in
//! silence, never panic over what a peer sends. Read on in `limits.rs`; the library is built by `crates/zmq-sys`.
//!
//! # When to wait
//!
//! The descriptor of a link ([`RouterLink::fd`], [`DealerLink::fd`]) becomes readable
//! when something *changes*, and any send or receive may take that news in passing.
//! So a loop that waits must, in this order:
//!
//! 1. receive until `None`, send what it has to send;
//! 2. ask `ready()`, which takes all news, and go back to 1 while it says there is
//!    something to do;
//! 3. wait on the descriptor. It is edge- and level-safe, and says neither readable
//!    nor writable: after it wakes, go to 1.
//!
//! To wait after a batch of sends without asking `ready()` is a stall: the answers
//! may be here and the descriptor silent.
//!
//! # How to end
//!
//! ZeroMQ holds a process back until the kernel has its last message, and no longer.
//! But a receiver whose queue is full, and who then sees the connection close, throws
//! away what the kernel still has (libzmq issue 4660). So a module ends with
//! [`DealerLink::finish`]: it sends an empty message, a farewell, which the router
//! answers in kind once it has received everything before it. Farewells never leave
//! this file, and no message of a caller is empty.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::limits::{IDENTITY_BYTES_MAX, MESSAGE_BYTES_MAX};

use crate::limits::{
    LINK_COPY_BYTES_MAX, LINK_LINGER_MS, LINK_RECEIVE_MESSAGES_MAX, LINK_SEND_MESSAGES_MAX,
};

/// Holds the one I/O thread that moves the messages of all links of a process.
///
/// Mask every signal that the process handles before making it: the thread inherits
/// the mask, and a signal that it takes never reaches a signalfd.
///
/// Dropping the last of a context *and* its links waits, at most the linger time of
/// the links, until what they have sent is with the kernel. So a process that has
/// answered must return from `main`, never `process::exit` past a live link. The
/// thread does not survive a fork: children are started by fork and exec only.
pub struct Context(zmq::Context);

impl Context {
    /// Starts ZeroMQ. Fails when the process is out of descriptors.
    pub fn new() -> io::Result<Context> {
        let context = zmq::Context::new();
        context.set_io_threads(1).map_err(system_error)?;
        Ok(Context(context))
    }
}

/// Whether links between hosts can be encrypted: a property of the build.
pub fn has_curve() -> bool {
    zmq::has("curve") == Some(true)
}

/// What a link holds before it refuses. The default is what `limits.rs` says.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// Messages queued to one peer; not 0.
    pub send_messages: u32,
    /// Messages queued from one peer; not 0.
    pub receive_messages: u32,
    /// Longest message sent or received, in bytes. A peer that sends a longer one is
    /// disconnected.
    pub message_bytes: usize,
    /// How long sent messages may delay the end of the process, in milliseconds.
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

/// What can be done without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "waiting on the descriptor without looking at this is a stall"]
pub struct Readiness {
    /// A receive will give a message.
    pub readable: bool,
    /// The queue to the peer has room; of a router, to at least one peer.
    pub writable: bool,
}

/// Why a message was not sent. The caller gets it back and decides.
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

/// Why there was no message to give.
#[derive(Debug, thiserror::Error)]
pub enum RecvError {
    /// The peer does not speak our protocol. The message is gone, the link is well.
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

/// The broker's end: many peers, each under its identity.
pub struct RouterLink(Link);

impl RouterLink {
    /// Listens on `endpoint`, such as `ipc:///run/flux/modules`. A stale socket file
    /// is replaced.
    pub fn bind(context: &Context, endpoint: &str, limits: LinkLimits) -> io::Result<RouterLink> {
        let link = Link::open(context, zmq::ROUTER, limits)?;
        // Without it a send to a full or unknown peer vanishes.
        link.socket
            .set_router_mandatory(true)
            .map_err(system_error)?;
        // A restarted module takes over from a connection that has not yet been
        // noticed to be dead. Without it the new one would never be heard.
        link.socket
            .set_router_handover(true)
            .map_err(system_error)?;
        link.socket.bind(checked(endpoint)?).map_err(system_error)?;
        Ok(RouterLink(link))
    }

    /// Wakes up a waiting loop: see "When to wait" above.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// What can be done now. The last thing to ask before waiting.
    pub fn ready(&self) -> io::Result<Readiness> {
        self.0.ready()
    }

    /// Queues one message to the peer of that identity.
    pub fn send(&self, identity: &[u8], message: Vec<u8>) -> Result<(), SendError> {
        let message = self.0.check_length(message)?;
        // The identity decides: once it is taken, so is the message.
        match self.0.socket.send(identity, zmq::DONTWAIT | zmq::SNDMORE) {
            Ok(()) => self.0.send(message),
            Err(zmq::Error::EAGAIN) => Err(SendError::Full(message)),
            Err(zmq::Error::EHOSTUNREACH) => Err(SendError::Unreachable(message)),
            Err(error) => Err(SendError::Other(system_error(error))),
        }
    }

    /// The next message and the identity of its sender, or `None` for now.
    pub fn recv(&self) -> Result<Option<(Bytes, Bytes)>, RecvError> {
        let Some(identity) = self.0.recv_part()? else {
            return Ok(None);
        };
        let identity = Bytes::copy_from_slice(&identity);
        match self.0.recv_single(&identity)? {
            // No loop to the next message: a peer must not be able to keep us here.
            Some(farewell) if farewell.is_empty() => {
                self.answer_farewell(&identity);
                Ok(None)
            }
            message => Ok(message.map(|message| (identity, message))),
        }
    }

    /// As far as it goes: a peer that hears nothing leaves when its time is up.
    fn answer_farewell(&self, identity: &[u8]) {
        let flags = zmq::DONTWAIT | zmq::SNDMORE;
        if self.0.socket.send(identity, flags).is_ok() {
            let _ = self.0.send(Vec::new());
        }
    }
}

/// A module's end: one peer, the broker.
pub struct DealerLink(Link);

impl DealerLink {
    /// Connects to `endpoint` under `identity`: 1 to 255 bytes, the first not 0. The
    /// connection comes about in the background, and comes back by itself.
    pub fn connect(
        context: &Context,
        endpoint: &str,
        identity: &[u8],
        limits: LinkLimits,
    ) -> io::Result<DealerLink> {
        // ZeroMQ keeps identities that begin with 0 for peers that have none.
        if identity.len() > IDENTITY_BYTES_MAX || matches!(identity, [] | [0, ..]) {
            return Err(invalid("not an identity"));
        }
        let link = Link::open(context, zmq::DEALER, limits)?;
        link.socket.set_identity(identity).map_err(system_error)?;
        link.socket
            .connect(checked(endpoint)?)
            .map_err(system_error)?;
        Ok(DealerLink(link))
    }

    /// Wakes up a waiting loop: see "When to wait" above.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// What can be done now. The last thing to ask before waiting.
    pub fn ready(&self) -> io::Result<Readiness> {
        self.0.ready()
    }

    /// Queues one message to the broker, connected or not. Never `Unreachable`.
    pub fn send(&self, message: Vec<u8>) -> Result<(), SendError> {
        let message = self.0.check_length(message)?;
        if message.len() <= LINK_COPY_BYTES_MAX {
            return match self.0.socket.send(&message[..], zmq::DONTWAIT) {
                Ok(()) => Ok(()),
                Err(zmq::Error::EAGAIN) => Err(SendError::Full(message)),
                Err(error) => Err(SendError::Other(system_error(error))),
            };
        }
        // A buffer handed over cannot be had back, so ask first. Nobody but us fills
        // the queue, and the queue of a connecting socket outlives its connections.
        if self.ready().map_err(SendError::Other)?.writable {
            self.0.send(message)
        } else {
            Err(SendError::Full(message))
        }
    }

    /// The next message, or `None` for now.
    pub fn recv(&self) -> Result<Option<Bytes>, RecvError> {
        let message = self.0.recv_single(&Bytes::new())?;
        Ok(message.filter(|message| !message.is_empty()))
    }

    /// Ends the link when the broker has received everything sent over it, or after
    /// the linger time. What still arrives is thrown away. Says whether all went well.
    pub fn finish(self) -> bool {
        let end = Instant::now() + self.0.linger;
        let mut said = false;
        loop {
            if !said {
                match self.0.socket.send("", zmq::DONTWAIT) {
                    Ok(()) => said = true,
                    Err(zmq::Error::EAGAIN) => {}
                    Err(_) => return false,
                }
            }
            while let Ok(Some(part)) = self.0.recv_part() {
                if said && part.is_empty() {
                    return true;
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let news = if said {
                zmq::POLLIN
            } else {
                zmq::POLLIN | zmq::POLLOUT
            };
            // Rounded up, or the last millisecond would be spent spinning.
            let _ = self.0.socket.poll(news, left.as_millis() as i64 + 1);
        }
    }
}

/// What both ends share.
struct Link {
    socket: zmq::Socket,
    fd: RawFd,
    message_bytes: usize,
    linger: Duration,
}

impl Link {
    fn open(context: &Context, kind: zmq::SocketType, limits: LinkLimits) -> io::Result<Link> {
        // 0 would mean "without limit".
        let mark = |messages: u32| match i32::try_from(messages) {
            Ok(mark) if mark > 0 => Ok(mark),
            _ => Err(invalid("not a high-water mark")),
        };
        let longest = i64::try_from(limits.message_bytes).map_err(|_| invalid("not a length"))?;
        let socket = context.0.socket(kind).map_err(system_error)?;
        socket
            .set_sndhwm(mark(limits.send_messages)?)
            .map_err(system_error)?;
        socket
            .set_rcvhwm(mark(limits.receive_messages)?)
            .map_err(system_error)?;
        socket.set_maxmsgsize(longest).map_err(system_error)?;
        let linger_ms = limits.linger_ms.max(0);
        socket.set_linger(linger_ms).map_err(system_error)?;
        let fd = socket.get_fd().map_err(system_error)?;
        Ok(Link {
            socket,
            fd,
            message_bytes: limits.message_bytes,
            linger: Duration::from_millis(linger_ms.unsigned_abs().into()),
        })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the socket's own, and open as long as it lives.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    fn ready(&self) -> io::Result<Readiness> {
        let events = self.socket.get_events().map_err(system_error)?;
        Ok(Readiness {
            readable: events.contains(zmq::POLLIN),
            writable: events.contains(zmq::POLLOUT),
        })
    }

    fn check_length(&self, message: Vec<u8>) -> Result<Vec<u8>, SendError> {
        if message.is_empty() {
            return Err(SendError::Other(invalid("no message is empty")));
        }
        if message.len() > self.message_bytes {
            return Err(SendError::TooLong(message));
        }
        Ok(message)
    }

    /// Sends the last part, which the socket is known to take.
    fn send(&self, message: Vec<u8>) -> Result<(), SendError> {
        let part = if message.len() <= LINK_COPY_BYTES_MAX {
            zmq::Message::from(&message[..])
        } else {
            zmq::Message::from(message)
        };
        self.socket
            .send(part, zmq::DONTWAIT)
            .map_err(|error| SendError::Other(system_error(error)))
    }

    fn recv_part(&self) -> Result<Option<zmq::Message>, RecvError> {
        match self.socket.recv_msg(zmq::DONTWAIT) {
            Ok(part) => Ok(Some(part)),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(RecvError::Other(system_error(error))),
        }
    }

    /// Receives a message that must be of one part, and throws longer ones away.
    fn recv_single(&self, identity: &Bytes) -> Result<Option<Bytes>, RecvError> {
        let Some(part) = self.recv_part()? else {
            return Ok(None);
        };
        if !part.get_more() {
            return Ok(Some(into_bytes(part)));
        }
        let mut parts = 1;
        // All parts of a message are here as soon as one is.
        while let Some(part) = self.recv_part()? {
            parts += 1;
            if !part.get_more() {
                break;
            }
        }
        Err(RecvError::Malformed {
            identity: identity.clone(),
            parts,
        })
    }
}

fn into_bytes(part: zmq::Message) -> Bytes {
    struct Part(zmq::Message);
    impl AsRef<[u8]> for Part {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    if part.len() <= LINK_COPY_BYTES_MAX {
        Bytes::copy_from_slice(&part)
    } else {
        Bytes::from_owner(Part(part))
    }
}

/// The zmq crate panics on an endpoint with a zero byte in it.
fn checked(endpoint: &str) -> io::Result<&str> {
    if endpoint.contains('\0') {
        return Err(invalid("not an endpoint"));
    }
    Ok(endpoint)
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// EFAULT stands for every number that the zmq crate does not know; errno still has
/// the true one, as nothing has been called since.
fn system_error(error: zmq::Error) -> io::Error {
    match error {
        zmq::Error::EFAULT => io::Error::last_os_error(),
        zmq::Error::ETERM | zmq::Error::EFSM => io::Error::other(error),
        zmq::Error::EMTHREAD | zmq::Error::ENOCOMPATPROTO => io::Error::other(error),
        known => io::Error::from_raw_os_error(known.to_raw()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_parts_is_refused_and_the_next_one_arrives() {
        let context = Context::new().unwrap();
        let limits = LinkLimits::default();
        let router = RouterLink::bind(&context, "inproc://parts", limits).unwrap();
        let peer = DealerLink::connect(&context, "inproc://parts", b"odd", limits).unwrap();
        let parts: [&[u8]; 3] = [b"one", b"", b"three"];
        peer.0.socket.send_multipart(parts, 0).unwrap();
        peer.send(b"well".to_vec()).unwrap();

        match router.recv() {
            Err(RecvError::Malformed { identity, parts: 3 }) => assert_eq!(identity[..], *b"odd"),
            other => panic!("{other:?}"),
        }
        let (_, message) = router.recv().unwrap().unwrap();
        assert_eq!(message[..], *b"well");
    }
}
