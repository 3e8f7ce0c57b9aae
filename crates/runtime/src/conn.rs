//! One end of a stream socket: framed messages in both directions, with partial reads and
//! writes. Clients frame them as protocol/02 says, modules as ZeroMQ does.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use bytes::Bytes;
use wire::{
    Arrived, Message, NoMemory, Socket, StreamDecoder, ZmtpDecoder, encode_hello, encode_pong,
};

use crate::budget::{Account, Charge};
use crate::limits::{CHARGED_BYTES_MIN, MESSAGES_PER_PAUSE, READ_BYTES_PER_TURN};
use crate::outbox::{Framing, LastEvent, Outbox};

/// Number of bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Decoder of messages.
enum Decoder {
    Local(StreamDecoder),
    Zmtp(ZmtpDecoder),
}

/// Result of reading.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all that is heard are messages"
)]
pub enum Received {
    /// A ZeroMQ peer is ready, under this identity.
    Ready(Bytes),
    /// A message.
    Message(Message),
}

/// A connected stream.
pub struct Conn {
    stream: UnixStream,
    decoder: Decoder,
    outbox: Outbox,
    /// Bytes held for the other end.
    charge: Charge,
    /// True if the other end stopped reading; later messages are then dropped.
    broken: bool,
    /// Process id of a client.
    pub pid: Option<i32>,
    /// True if the poller watches for writing.
    pub wants_write: bool,
    /// Peers that must read before we read on here.
    pub pauses: usize,
    /// True if the node knows that the other end is behind with reading.
    pub is_behind: bool,
    /// Close once everything is written.
    pub closing: bool,
    /// True if another broker is at the other end.
    pub is_broker: bool,
    /// True if it is in the list of those with something to write.
    pub is_dirty: bool,
}

/// End of a read.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum ReadEnd {
    /// Nothing more for now.
    Drained,
    /// The turn's share is used up; more may be there.
    More,
    /// Some messages were handed out, and others wait: the results of the first are to be
    /// sent before the next are taken, or it would pile up.
    Paused,
    /// The other end is lost, or used another protocol.
    Gone,
}

/// Rest of a turn.
#[derive(Debug)]
pub struct Turn {
    bytes: usize,
    /// The last read has found less than it had room for.
    is_drained: bool,
}

impl Default for Turn {
    fn default() -> Turn {
        Turn {
            bytes: READ_BYTES_PER_TURN,
            is_drained: false,
        }
    }
}

impl Conn {
    /// Takes over a socket between a client and its broker.
    pub fn local(stream: UnixStream, account: Arc<Account>) -> std::io::Result<Conn> {
        Conn::new(stream, Decoder::Local(StreamDecoder::default()), account)
    }

    /// Takes over a socket between a module and its broker, and greets the other end.
    pub fn zmtp(
        stream: UnixStream,
        account: Arc<Account>,
        socket: Socket,
        identity: &[u8],
    ) -> std::io::Result<Conn> {
        let mut conn = Conn::new(stream, Decoder::Zmtp(ZmtpDecoder::new(socket)), account)?;
        let mut hello = Vec::new();
        encode_hello(socket, identity, &mut hello);
        conn.queue_bytes(&hello);
        Ok(conn)
    }

    fn new(stream: UnixStream, decoder: Decoder, account: Arc<Account>) -> std::io::Result<Conn> {
        stream.set_nonblocking(true)?;
        Ok(Conn {
            stream,
            decoder,
            outbox: Outbox::default(),
            charge: Charge::on(account),
            broken: false,
            pid: None,
            wants_write: false,
            pauses: 0,
            is_behind: false,
            closing: false,
            is_broker: false,
            is_dirty: false,
        })
    }

    /// Queues bytes outside the framing, such as the handshake of protocol/02 section 2.
    pub fn queue_bytes(&mut self, bytes: &[u8]) {
        // A few bytes: without memory for them nothing else goes either.
        let _ = self.outbox.push_bytes(bytes);
    }

    /// Queues a message. If it is an event, `last` may have its encoding.
    pub fn queue(&mut self, message: &Message, last: &mut LastEvent) -> Result<(), NoMemory> {
        if self.broken {
            return Ok(());
        }
        let framing = match self.decoder {
            Decoder::Local(_) => Framing::Local,
            Decoder::Zmtp(_) => Framing::Zmtp,
        };
        let result = match last.encoding_of(message, framing) {
            Some(bytes) => self.outbox.push_bytes(bytes),
            None => self.outbox.push(message, framing),
        };
        self.settle_charge();
        result
    }

    /// True if everything queued was written.
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Number of bytes that the other end has not read.
    pub fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// Writes as much as goes.
    pub fn flush(&mut self) {
        if self.outbox.write_to(&mut self.stream).is_err() {
            self.broken = true;
            self.outbox.clear();
        }
        self.settle_charge();
    }

    /// True if the other end is a module, or a module's broker.
    pub fn is_zmtp(&self) -> bool {
        matches!(self.decoder, Decoder::Zmtp(_))
    }

    /// Bytes held for the other end, with their account.
    pub fn charge(&self) -> &Charge {
        &self.charge
    }

    /// Memory for a message that has not arrived whole.
    pub fn unfinished(&self) -> usize {
        match &self.decoder {
            Decoder::Local(decoder) => decoder.held(),
            Decoder::Zmtp(decoder) => decoder.held(),
        }
    }

    fn settle_charge(&mut self) {
        self.charge.set(self.unfinished() + self.outbox.unpaid());
    }

    /// Reads bytes that are there, up to the turn's share, and hands out whole messages.
    /// To be called again at once when it has paused.
    pub fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        turn: &mut Turn,
        mut each: impl FnMut(Received),
    ) -> ReadEnd {
        let end = self.read_turn(scratch, turn, &mut each);
        self.settle_charge();
        end.unwrap_or_else(|error| {
            match error.downcast_ref::<NoMemory>() {
                Some(_) => tracing::error!("{} was disconnected: {error}", self.who()),
                None => tracing::debug!("connection dropped: {error}"),
            }
            ReadEnd::Gone
        })
    }

    fn read_turn(
        &mut self,
        scratch: &mut Vec<u8>,
        turn: &mut Turn,
        each: &mut impl FnMut(Received),
    ) -> anyhow::Result<ReadEnd> {
        scratch.resize(CHUNK_BYTES, 0);
        let mut messages = MESSAGES_PER_PAUSE;
        loop {
            self.hand_out(&mut messages, each)?;
            if messages == 0 {
                return Ok(ReadEnd::Paused);
            }
            if turn.is_drained {
                return Ok(ReadEnd::Drained);
            }
            if turn.bytes == 0 {
                return Ok(ReadEnd::More);
            }
            match self.stream.read(scratch) {
                Ok(0) => return Ok(ReadEnd::Gone),
                Ok(n) => {
                    match &mut self.decoder {
                        Decoder::Local(decoder) => decoder.push(&scratch[..n])?,
                        Decoder::Zmtp(decoder) => decoder.push(&scratch[..n])?,
                    }
                    turn.bytes = turn.bytes.saturating_sub(n);
                    turn.is_drained = n < scratch.len();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(ReadEnd::Drained);
                }
                Err(_) => return Ok(ReadEnd::Gone),
            }
        }
    }

    /// Hands out at most `messages` that have arrived whole.
    fn hand_out(
        &mut self,
        messages: &mut usize,
        each: &mut impl FnMut(Received),
    ) -> anyhow::Result<()> {
        match &mut self.decoder {
            Decoder::Local(decoder) => {
                while *messages > 0
                    && let Some(mut body) = decoder.next_body()?
                {
                    *messages -= 1;
                    // It is charged to its sender wherever it goes.
                    if body.len() >= CHARGED_BYTES_MIN && self.pid.is_some() {
                        body = self.charge.keep(body);
                    }
                    each(Received::Message(wire::decode(body)?));
                }
            }
            Decoder::Zmtp(decoder) => {
                while *messages > 0
                    && let Some(arrived) = decoder.next_arrived()?
                {
                    *messages -= 1;
                    match arrived {
                        Arrived::Ready(identity) => each(Received::Ready(identity)),
                        Arrived::Message(message) => each(Received::Message(message)),
                        Arrived::Ping(context) => {
                            let mut pong = Vec::new();
                            encode_pong(&context, &mut pong);
                            self.outbox.push_bytes(&pong)?;
                        }
                        Arrived::Parts(parts) => {
                            tracing::error!("a message of {parts} parts where one was expected");
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Description of the peer, for the log.
    pub fn who(&self) -> String {
        match self.pid {
            Some(pid) => format!("client uid={} pid={pid}", self.charge.account().uid()),
            None if self.is_broker => "a broker".to_owned(),
            None if self.is_zmtp() => "a module".to_owned(),
            None => "the broker".to_owned(),
        }
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
