//! A link over libzmq: the connection between brokers on different hosts (TCP, CURVE),
//! and the standard against which the connections of `conn.rs`, which speak the same
//! protocol without its threads, are tested and measured.
//!
//! Owns every use of libzmq in the project. A message here is one flattened RFC 3 message and
//! nobody looks inside. Must never wait but at the end of a process, never drop a message in
//! silence, never panic over a peer's message. Read on in `limits.rs`; the library is built by
//! `crates/zmq-sys`.
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
//! ZeroMQ holds a process back until the kernel has its last message, and no longer. But
//! a receiver whose queue is full, and who then sees the connection close, throws away
//! the bytes that the kernel still has (libzmq issue 4660). So a module ends with
//! [`DealerLink::finish`]: it sends an empty message, a farewell, which the router
//! answers in kind once it has received everything before it. Farewells never leave this
//! file, and no message of a caller is empty.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::limits::IDENTITY_BYTES_MAX;

use crate::limits::{LINK_COPY_BYTES_MAX, LINK_RECONNECT_FIRST_MS, LINK_RECONNECT_LAST_MS};
use crate::watch::Watch;
use crate::zap::ZAP_DOMAIN;

mod terms;

use terms::is_here;
pub use terms::{Curve, LinkLimits, Readiness, RecvError, SendError, Tcp};
pub(crate) use terms::{NotSent, Sender};

/// Holds the I/O thread that moves the messages of all links of a process.
///
/// Mask every signal that the process handles before making it: the thread inherits
/// the mask, and a signal that it takes never reaches a signalfd.
///
/// Dropping the last of a context *and* its links waits, at most the linger time of the
/// links, until their messages are with the kernel. So a process that has answered must
/// return from `main`, never `process::exit` past a live link. The thread does not
/// survive a fork: children are started by fork and exec only.
pub struct Context(zmq::Context);

impl Context {
    /// Starts ZeroMQ. Fails when the process is out of descriptors.
    pub fn new() -> io::Result<Context> {
        Context::with_io_threads(1)
    }

    /// The same with several I/O threads, for a broker with many children.
    pub fn with_io_threads(n: i32) -> io::Result<Context> {
        let context = zmq::Context::new();
        context.set_io_threads(n).map_err(system_error)?;
        Ok(Context(context))
    }

    /// A socket that answers the context's own questions.
    pub(crate) fn socket(&self, kind: zmq::SocketType) -> io::Result<zmq::Socket> {
        self.0.socket(kind).map_err(system_error)
    }
}

/// True if links between hosts can be encrypted: a property of the build.
pub fn has_curve() -> bool {
    zmq::has("curve") == Some(true)
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
        let router = RouterLink(link);
        router.listen(endpoint)?;
        Ok(router)
    }

    /// Logs events of the connections from now on.
    pub(crate) fn watch(&self, context: &Context) -> io::Result<Watch> {
        Watch::open(context, &self.0.socket, "children", true)
    }

    /// Opens an end that lets in who proves to hold a key that the [`crate::zap::Zap`] of
    /// the context knows. It listens nowhere yet.
    pub(crate) fn encrypted(
        context: &Context,
        curve: &Curve,
        tcp: Tcp,
        limits: LinkLimits,
    ) -> io::Result<RouterLink> {
        let link = Link::open(context, zmq::ROUTER, limits)?;
        let set = || {
            link.socket.set_router_mandatory(true)?;
            link.socket.set_router_handover(true)?;
            link.socket.set_curve_server(true)?;
            link.socket.set_zap_domain(ZAP_DOMAIN)?;
            curve.set_on(&link.socket)
        };
        set().map_err(system_error)?;
        let mut router = RouterLink(link);
        router.0.set_tcp(tcp)?;
        Ok(router)
    }

    /// Listens on one more endpoint; gives it with its port, if that was left open.
    pub fn listen(&self, endpoint: &str) -> io::Result<String> {
        let socket = &self.0.socket;
        socket.bind(checked(endpoint)?).map_err(system_error)?;
        let bound = socket.get_last_endpoint().map_err(system_error)?;
        bound.map_err(|_| invalid("an endpoint that is not text"))
    }

    /// Wakes up a waiting loop: see "When to wait" above.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// Operations that are possible now. The last thing to ask before waiting.
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
        let received = self.recv_with_sender()?;
        Ok(received.map(|(identity, message, _)| (identity, message)))
    }

    /// The same with the identity of an encrypted connection.
    pub(crate) fn recv_with_sender(&self) -> Result<Option<(Bytes, Bytes, Sender)>, RecvError> {
        let Some(mut identity) = self.0.recv_part()? else {
            return Ok(None);
        };
        let sender = Sender {
            key: identity.gets("User-Id").unwrap_or_default().to_owned(),
            is_here: identity.gets("Peer-Address").is_none_or(is_here),
        };
        let identity = Bytes::copy_from_slice(&identity);
        match self.0.recv_single(&identity)? {
            // No loop to the next message: a peer must not be able to keep us here.
            Some(farewell) if farewell.is_empty() => {
                self.answer_farewell(&identity);
                Ok(None)
            }
            message => Ok(message.map(|message| (identity, message, sender))),
        }
    }

    /// Sends bytes that the caller keeps.
    pub(crate) fn send_copy(&self, identity: &[u8], message: &[u8]) -> Result<(), NotSent> {
        let flags = zmq::DONTWAIT | zmq::SNDMORE;
        self.0.socket.send(identity, flags).map_err(NotSent::from)?;
        self.0
            .socket
            .send(message, zmq::DONTWAIT)
            .map_err(NotSent::from)
    }

    /// As far as possible: a peer that receives nothing leaves when its time has passed.
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
        let link = DealerLink::named(context, identity, limits)?;
        link.reach(endpoint)
    }

    /// The same with keys: only who holds `server_key` can be at the other end.
    pub(crate) fn connect_encrypted(
        context: &Context,
        endpoint: &str,
        identity: &[u8],
        (curve, server_key): (&Curve, &str),
        tcp: Tcp,
        limits: LinkLimits,
    ) -> io::Result<DealerLink> {
        let mut link = DealerLink::named(context, identity, limits)?;
        let set = || {
            link.0.socket.set_curve_serverkey(server_key.as_bytes())?;
            curve.set_on(&link.0.socket)
        };
        set().map_err(system_error)?;
        link.0.set_tcp(tcp)?;
        link.reach(endpoint)
    }

    fn named(context: &Context, identity: &[u8], limits: LinkLimits) -> io::Result<DealerLink> {
        // ZeroMQ keeps identities that begin with 0 for peers that have none.
        if identity.len() > IDENTITY_BYTES_MAX || matches!(identity, [] | [0, ..]) {
            return Err(invalid("not an identity"));
        }
        let link = Link::open(context, zmq::DEALER, limits)?;
        link.socket.set_identity(identity).map_err(system_error)?;
        Ok(DealerLink(link))
    }

    fn reach(self, endpoint: &str) -> io::Result<DealerLink> {
        let socket = &self.0.socket;
        socket.connect(checked(endpoint)?).map_err(system_error)?;
        Ok(self)
    }

    /// Wakes up a waiting loop: see "When to wait" above.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// Operations that are possible now. The last thing to ask before waiting.
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
        // A buffer handed over cannot be taken back, so ask first. Nobody but us fills
        // the queue, and the queue of a connecting socket outlives its connections.
        if self.ready().map_err(SendError::Other)?.writable {
            self.0.send(message)
        } else {
            Err(SendError::Full(message))
        }
    }

    /// Sends bytes that the caller keeps.
    pub(crate) fn send_copy(&self, message: &[u8]) -> Result<(), NotSent> {
        self.0
            .socket
            .send(message, zmq::DONTWAIT)
            .map_err(NotSent::from)
    }

    /// Watches the connection from now on, and logs all that happens to it if `is_verbose`.
    pub(crate) fn watch(&self, context: &Context, is_verbose: bool) -> io::Result<Watch> {
        Watch::open(context, &self.0.socket, "parent", is_verbose)
    }

    /// The next message, or `None` for now.
    pub fn recv(&self) -> Result<Option<Bytes>, RecvError> {
        let message = self.0.recv_single(&Bytes::new())?;
        Ok(message.filter(|message| !message.is_empty()))
    }

    /// Ends the link at once. Unsent messages are dropped.
    pub fn abandon(self) {
        // It fails only for a socket that is none.
        let _ = self.0.socket.set_linger(0);
    }

    /// Ends the link when the broker has received everything sent over it, or after the
    /// linger time. Messages that still arrive are dropped. Returns true if all went
    /// well.
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

/// State shared by both ends.
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

    /// Sets the behaviour of connections that are made from now on.
    fn set_tcp(&mut self, tcp: Tcp) -> io::Result<()> {
        let set = |socket: &zmq::Socket| {
            socket.set_ipv6(tcp.ipv6)?;
            socket.set_reconnect_ivl(LINK_RECONNECT_FIRST_MS)?;
            socket.set_reconnect_ivl_max(LINK_RECONNECT_LAST_MS)?;
            socket.set_connect_timeout(tcp.connect_timeout_ms)
        };
        set(&self.socket).map_err(system_error)?;
        let timeout = tcp.user_timeout_ms;
        // SAFETY: the socket is alive, and the option is an int.
        let result = unsafe {
            zmq_sys::zmq_setsockopt(
                self.socket.as_mut_ptr(),
                zmq_sys::ZMQ_TCP_MAXRT as i32,
                (&raw const timeout).cast(),
                size_of_val(&timeout),
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
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
pub(crate) fn system_error(error: zmq::Error) -> io::Error {
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
