//! Messages on a ZeroMQ connection: ZMTP 3.0 (ZeroMQ RFC 23) with the NULL mechanism, as
//! a DEALER speaks it to a ROUTER. Bytes in, messages out; sockets are the caller's.
//!
//! Both ends greet at once and say READY, the dealer with its identity, and then send
//! messages without waiting for the other's greeting. A message of ours is one part, the
//! flattened RFC 3 message; of several parts from a peer none is a message.

use bytes::Bytes;

use crate::frames::{encode_head, encode_tail, encoded_len};
use crate::header::DecodeError;
use crate::inbox::{Inbox, NoMemory};
use crate::limits::{IDENTITY_BYTES_MAX, MESSAGE_BYTES_MAX, ZMTP_COMMAND_BYTES_MAX};
use crate::message::Message;

const GREETING_BYTES: usize = 64;
/// More parts of this message follow.
const MORE: u8 = 1;
/// The length has eight bytes and not one.
const LONG: u8 = 2;
/// Flags and a long length.
const ZMTP_HEAD_BYTES_MAX: usize = 9;
/// A command and not a message.
const COMMAND: u8 = 4;

/// Errors that end a connection. Each ends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZmtpError {
    /// The other end speaks another protocol, or a version before 3.
    #[error("the connection does not carry ZMTP 3")]
    BadGreeting,
    /// The other end wants a security mechanism, and there is none between processes of
    /// one host.
    #[error("the peer asks for a security mechanism that is not NULL")]
    BadMechanism,
    /// The handshake is not READY with a socket type that fits.
    #[error("the peer is not ready: {0}")]
    NotReady(&'static str),
    /// A frame longer than the limit is announced.
    #[error("a frame of {0} bytes is over the limit")]
    TooLong(u64),
    /// Flags that do not exist, or a command in the middle of a message.
    #[error("a frame has flags {0:#04x}")]
    BadFlags(u8),
    /// There is no memory for the frame.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// The frame is not a message.
    #[error(transparent)]
    Message(#[from] DecodeError),
}

/// End of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// The broker's.
    Router,
    /// A module's.
    Dealer,
}

impl Socket {
    fn name(self) -> &'static [u8] {
        match self {
            Socket::Router => b"ROUTER",
            Socket::Dealer => b"DEALER",
        }
    }

    fn takes(self, peer: &[u8]) -> bool {
        match self {
            Socket::Router => matches!(peer, b"DEALER" | b"ROUTER"),
            Socket::Dealer => matches!(peer, b"ROUTER" | b"DEALER"),
        }
    }
}

/// Item received on a connection.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all that arrives are messages"
)]
pub enum Arrived {
    /// The other end is ready, under this identity; first of all, and once.
    Ready(Bytes),
    /// A message.
    Message(Message),
    /// A message of this many parts, which is none of ours. The connection is well.
    Parts(usize),
    /// The other end wants to know whether we live: answer with [`encode_pong`].
    Ping(Bytes),
}

/// Appends what a connection begins with: our greeting, and READY under `identity`.
pub fn encode_hello(socket: Socket, identity: &[u8], out: &mut Vec<u8>) {
    let mut greeting = [0; GREETING_BYTES];
    (greeting[0], greeting[9]) = (0xff, 0x7f);
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    out.extend_from_slice(&greeting);
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [
        (&b"Socket-Type"[..], socket.name()),
        (b"Identity", identity),
    ] {
        body.push(name.len() as u8);
        body.extend_from_slice(name);
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    push_head(out, COMMAND, body.len());
    out.extend_from_slice(&body);
}

/// Appends `message` as a frame to `out`.
pub fn encode_zmtp(message: &Message, out: &mut Vec<u8>) {
    out.reserve(ZMTP_HEAD_BYTES_MAX + encoded_len(message));
    encode_zmtp_head(message, out);
    out.extend_from_slice(message.payload().map_or(&[][..], |payload| payload));
    encode_tail(message, out);
}

/// Appends a frame up to the payload, for a caller that sends the payload from where it
/// is and then what [`encode_tail`] gives.
pub fn encode_zmtp_head(message: &Message, out: &mut Vec<u8>) {
    push_head(out, 0, encoded_len(message));
    encode_head(message, out);
}

/// Appends the answer to a [`Arrived::Ping`].
pub fn encode_pong(context: &[u8], out: &mut Vec<u8>) {
    push_head(out, COMMAND, 5 + context.len());
    out.extend_from_slice(b"\x04PONG");
    out.extend_from_slice(context);
}

fn push_head(out: &mut Vec<u8>, flags: u8, len: usize) {
    match u8::try_from(len) {
        Ok(len) => out.extend_from_slice(&[flags, len]),
        Err(_) => {
            out.push(flags | LONG);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    Ready,
    Open,
}

/// Turns bytes as they arrive, split or joined anyhow, into what they carry.
#[derive(Debug)]
pub struct ZmtpDecoder {
    socket: Socket,
    phase: Phase,
    inbox: Inbox,
    /// Parts seen of a message of several.
    parts: usize,
}

impl ZmtpDecoder {
    /// For the end that `socket` says.
    pub fn new(socket: Socket) -> ZmtpDecoder {
        ZmtpDecoder {
            socket,
            phase: Phase::Greeting,
            inbox: Inbox::default(),
            parts: 0,
        }
    }

    /// Appends bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        self.inbox.push(bytes)
    }

    /// Memory in use for an incomplete message, in bytes.
    pub fn held(&self) -> usize {
        self.inbox.held()
    }

    /// Next item, or `None` until more bytes come.
    pub fn next_arrived(&mut self) -> Result<Option<Arrived>, ZmtpError> {
        if self.phase == Phase::Greeting && !self.take_greeting()? {
            return Ok(None);
        }
        while let Some((flags, body)) = self.take_frame()? {
            if flags & COMMAND != 0 {
                match self.command(&body)? {
                    Some(arrived) => return Ok(Some(arrived)),
                    None => continue,
                }
            }
            if self.phase != Phase::Open {
                return Err(ZmtpError::NotReady("it sent a message before READY"));
            }
            self.parts += 1;
            if flags & MORE != 0 {
                continue;
            }
            let parts = std::mem::take(&mut self.parts);
            return match parts {
                1 => Ok(Some(Arrived::Message(crate::decode(body)?))),
                _ => Ok(Some(Arrived::Parts(parts))),
            };
        }
        Ok(None)
    }

    fn take_greeting(&mut self) -> Result<bool, ZmtpError> {
        let rest = self.inbox.rest();
        let seen = |at: usize| rest.get(at).copied();
        let is_wrong = seen(0).is_some_and(|byte| byte != 0xff)
            || seen(9).is_some_and(|byte| byte & 1 == 0)
            || seen(10).is_some_and(|major| major < 3);
        if is_wrong {
            return Err(ZmtpError::BadGreeting);
        }
        if rest.len() < GREETING_BYTES {
            return Ok(false);
        }
        if rest[12..32] != *b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" {
            return Err(ZmtpError::BadMechanism);
        }
        self.inbox.skip(GREETING_BYTES);
        self.phase = Phase::Ready;
        Ok(true)
    }

    fn take_frame(&mut self) -> Result<Option<(u8, Bytes)>, ZmtpError> {
        let rest = self.inbox.rest();
        let Some(&flags) = rest.first() else {
            return Ok(None);
        };
        let is_command = flags & COMMAND != 0;
        if flags & !(MORE | LONG | COMMAND) != 0
            || (is_command && (flags & MORE != 0 || self.parts > 0))
        {
            return Err(ZmtpError::BadFlags(flags));
        }
        let head = if flags & LONG != 0 { 9 } else { 2 };
        let Some(len) = rest.get(1..head) else {
            return Ok(None);
        };
        let len = len.iter().fold(0, |len, &byte| len << 8 | u64::from(byte));
        let limit = match is_command || self.phase != Phase::Open {
            true => ZMTP_COMMAND_BYTES_MAX,
            false => MESSAGE_BYTES_MAX,
        };
        let Some(len) = usize::try_from(len).ok().filter(|len| *len <= limit) else {
            return Err(ZmtpError::TooLong(len));
        };
        if rest.len() < head + len {
            self.inbox.expect(head + len)?;
            return Ok(None);
        }
        self.inbox.skip(head);
        let body = self.inbox.take(len)?;
        Ok(Some((flags, body)))
    }

    fn command(&mut self, body: &Bytes) -> Result<Option<Arrived>, ZmtpError> {
        if self.phase == Phase::Ready {
            let identity = self.peer_identity(body)?;
            self.phase = Phase::Open;
            return Ok(Some(Arrived::Ready(identity)));
        }
        // PING has a time to live of two bytes before what we are to repeat. Other
        // commands (SUBSCRIBE, CANCEL, ...) are not for us, and may be skipped.
        let context = body
            .strip_prefix(b"\x04PING")
            .and_then(|rest| rest.get(2..));
        Ok(context.map(|context| Arrived::Ping(Bytes::copy_from_slice(context))))
    }

    fn peer_identity(&self, body: &Bytes) -> Result<Bytes, ZmtpError> {
        let Some(mut rest) = body.strip_prefix(b"\x05READY") else {
            return Err(ZmtpError::NotReady("its first command is not READY"));
        };
        let (mut identity, mut fits) = (Bytes::new(), false);
        while let Some((name, value, after)) = split_property(rest) {
            if name.eq_ignore_ascii_case(b"Socket-Type") {
                fits = self.socket.takes(value);
            } else if name.eq_ignore_ascii_case(b"Identity") {
                identity = Bytes::copy_from_slice(value);
            }
            rest = after;
        }
        if !rest.is_empty() {
            return Err(ZmtpError::NotReady("its properties are cut short"));
        }
        if !fits || identity.len() > IDENTITY_BYTES_MAX {
            return Err(ZmtpError::NotReady(
                "its socket type or identity does not fit",
            ));
        }
        Ok(identity)
    }
}

/// A name and a value, and what follows them.
fn split_property(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(len.into())?;
    let (len, rest) = rest.split_first_chunk()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (value, rest) = rest.split_at_checked(len)?;
    Some((name, value, rest))
}
