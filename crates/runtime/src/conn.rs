//! One end of a local stream socket: framed messages in both directions, with
//! partial reads and writes.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use wire::{Message, StreamDecoder, encode_stream};

use crate::limits::{BACKLOG_BYTES_MAX, READ_BYTES_PER_TURN};

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A connected stream.
pub struct Conn {
    stream: UnixStream,
    decoder: StreamDecoder,
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
    /// Takes over a connected socket.
    pub fn new(stream: UnixStream) -> std::io::Result<Conn> {
        stream.set_nonblocking(true)?;
        Ok(Conn {
            stream,
            decoder: StreamDecoder::default(),
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
        encode_stream(message, &mut self.out);
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

    /// Reads what is there, up to the turn's share, and hands out whole messages.
    pub fn read(&mut self, scratch: &mut Vec<u8>, mut each: impl FnMut(Message)) -> ReadEnd {
        scratch.resize(CHUNK_BYTES, 0);
        let mut taken = 0;
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return ReadEnd::Gone,
                Ok(n) => {
                    self.decoder.push(&scratch[..n]);
                    taken += n;
                    loop {
                        match self.decoder.next_message() {
                            Ok(Some(message)) => each(message),
                            Ok(None) => break,
                            Err(error) => {
                                tracing::debug!("connection dropped: {error}");
                                return ReadEnd::Gone;
                            }
                        }
                    }
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
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
