//! One end of a stream socket: framed messages in both directions, with partial reads and
//! writes. Clients frame them as protocol/02 says, modules as ZeroMQ does.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use bytes::Bytes;
use wire::{
    Arrived, Message, Socket, StreamDecoder, ZmtpDecoder, encode_hello, encode_pong, encode_stream,
    encode_zmtp,
};

use crate::limits::{BACKLOG_BYTES_MAX, READ_BYTES_PER_TURN};

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// How messages are told apart.
enum Framing {
    /// By the prefix of the local socket.
    Local(StreamDecoder),
    /// By the frames of ZeroMQ.
    Zmtp(ZmtpDecoder),
}

/// What was read.
pub enum Heard {
    /// A ZeroMQ peer is ready, under this identity.
    Ready(Bytes),
    /// A message.
    Message(Message),
}

/// A connected stream.
pub struct Conn {
    stream: UnixStream,
    framing: Framing,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// Whether the other end stopped reading; what we say is thrown away then.
    broken: bool,
    /// Whether the poller watches for writing.
    pub wants_write: bool,
    /// Close once `out` is written.
    pub closing: bool,
}

/// How a read went.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum ReadEnd {
    /// Nothing more for now.
    Drained,
    /// The turn's share is used up; more may be there.
    More,
    /// The other end is gone, or spoke another protocol.
    Gone,
}

impl Conn {
    /// Takes over a socket between a client and its broker.
    pub fn local(stream: UnixStream) -> std::io::Result<Conn> {
        Conn::new(stream, Framing::Local(StreamDecoder::default()))
    }

    /// Takes over a socket between a module and its broker, and greets the other end.
    pub fn zmtp(stream: UnixStream, socket: Socket, identity: &[u8]) -> std::io::Result<Conn> {
        let mut conn = Conn::new(stream, Framing::Zmtp(ZmtpDecoder::new(socket)))?;
        encode_hello(socket, identity, &mut conn.out);
        Ok(conn)
    }

    fn new(stream: UnixStream, framing: Framing) -> std::io::Result<Conn> {
        stream.set_nonblocking(true)?;
        Ok(Conn {
            stream,
            framing,
            out: Vec::new(),
            written: 0,
            broken: false,
            wants_write: false,
            closing: false,
        })
    }

    /// Queues one byte outside the framing: the handshake of protocol/02 section 2.
    pub fn queue_byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// Queues a message. `false` when the other end has let too much pile up.
    pub fn queue(&mut self, message: &Message) -> bool {
        if self.broken {
            return true;
        }
        match &self.framing {
            Framing::Local(_) => encode_stream(message, &mut self.out),
            Framing::Zmtp(_) => encode_zmtp(message, &mut self.out),
        }
        self.out.len() - self.written <= BACKLOG_BYTES_MAX
    }

    /// Whether everything queued is out.
    pub fn is_flushed(&self) -> bool {
        self.written == self.out.len()
    }

    /// Writes as much as goes.
    pub fn flush(&mut self) {
        while self.written < self.out.len() && !self.broken {
            match self.stream.write(&self.out[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.broken = true,
            }
        }
        if self.broken || self.is_flushed() {
            self.out.clear();
            self.written = 0;
            self.out.shrink_to(CHUNK_BYTES);
        } else if self.written > self.out.len() / 2 {
            self.out.drain(..self.written);
            self.written = 0;
        }
    }

    /// Whether the other end is a module's, or a module's broker.
    pub fn is_zmtp(&self) -> bool {
        matches!(self.framing, Framing::Zmtp(_))
    }

    /// Reads what is there, up to the turn's share, and hands out what is whole.
    pub fn read(&mut self, scratch: &mut Vec<u8>, mut each: impl FnMut(Heard)) -> ReadEnd {
        scratch.resize(CHUNK_BYTES, 0);
        let mut taken = 0;
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return ReadEnd::Gone,
                Ok(n) => {
                    if let Err(error) = self.hand_out(&scratch[..n], &mut each) {
                        tracing::debug!("connection dropped: {error}");
                        return ReadEnd::Gone;
                    }
                    taken += n;
                    if n < scratch.len() {
                        return ReadEnd::Drained;
                    }
                    if taken >= READ_BYTES_PER_TURN {
                        return ReadEnd::More;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return ReadEnd::Drained,
                Err(_) => return ReadEnd::Gone,
            }
        }
    }

    fn hand_out(&mut self, bytes: &[u8], each: &mut impl FnMut(Heard)) -> anyhow::Result<()> {
        match &mut self.framing {
            Framing::Local(decoder) => {
                decoder.push(bytes);
                while let Some(message) = decoder.next_message()? {
                    each(Heard::Message(message));
                }
            }
            Framing::Zmtp(decoder) => {
                decoder.push(bytes);
                while let Some(arrived) = decoder.next_arrived()? {
                    match arrived {
                        Arrived::Ready(identity) => each(Heard::Ready(identity)),
                        Arrived::Message(message) => each(Heard::Message(message)),
                        Arrived::Ping(context) => encode_pong(&context, &mut self.out),
                        Arrived::Parts(parts) => {
                            tracing::error!("a message of {parts} parts where one was expected");
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
