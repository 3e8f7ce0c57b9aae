//! Bytes on the socket: those to be sent and those received, never blocking.

use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno as Os;
use rustix::net::{SendFlags, send};
use wire::{Errno, Message, StreamDecoder, StreamError, encode_stream};

use crate::limits::READ_BYTES;
use crate::open::{OpenError, Options, connect_link};
use crate::ssh::Remote;

/// A connection to a broker, for those who pass on messages of others: a [`crate::Handle`] makes
/// them itself.
pub struct Link {
    socket: UnixStream,
    decoder: StreamDecoder,
    /// Encoded messages, of which the first `sent` bytes have been sent.
    out: Vec<u8>,
    sent: usize,
    buf: Box<[u8]>,
    /// The program that leads to another host.
    remote: Option<Remote>,
}

impl Link {
    /// Connects to `uri`.
    pub fn open(uri: &str, options: &Options) -> Result<Link, OpenError> {
        connect_link(uri, options.retries, &options.ssh)
    }

    pub(crate) fn new(socket: UnixStream) -> io::Result<Link> {
        socket.set_nonblocking(true)?;
        Ok(Link {
            socket,
            decoder: StreamDecoder::default(),
            out: Vec::new(),
            sent: 0,
            buf: vec![0; READ_BYTES].into_boxed_slice(),
            remote: None,
        })
    }

    /// The same through a program, which ends with it.
    pub(crate) fn with_remote(mut self, remote: Remote) -> Link {
        self.remote = Some(remote);
        self
    }

    /// Queues a message and sends as much as the socket accepts.
    pub fn send(&mut self, message: &Message) -> Result<(), Errno> {
        encode_stream(message, &mut self.out);
        self.flush()
    }

    /// Sends as much as the socket accepts.
    pub fn flush(&mut self) -> Result<(), Errno> {
        while self.sent < self.out.len() {
            // A lost broker is an error to report, not a signal.
            match send(&self.socket, &self.out[self.sent..], SendFlags::NOSIGNAL) {
                Ok(n) => self.sent += n,
                Err(Os::AGAIN) => break,
                Err(Os::INTR) => {}
                Err(Os::PIPE) => return Err(Errno::ECONNRESET),
                Err(error) => return Err(Errno(error.raw_os_error().unsigned_abs())),
            }
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent > self.out.len() / 2 {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Number of bytes that wait for the broker to read them.
    pub fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Reads once, and gives whole messages to `take`.
    pub fn read(&mut self, mut take: impl FnMut(Message)) -> Result<(), Errno> {
        match self.socket.read(&mut self.buf) {
            Ok(0) => return Err(Errno::ECONNRESET),
            Ok(n) => self
                .decoder
                .push(&self.buf[..n])
                .map_err(|_| Errno::ENOMEM)?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(_) => return Err(Errno::ECONNRESET),
        }
        loop {
            match self.decoder.next_message() {
                Ok(Some(message)) => take(message),
                Ok(None) => return Ok(()),
                Err(StreamError::NoMemory(_)) => return Err(Errno::ENOMEM),
                Err(_) => return Err(Errno::EPROTO),
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(mut remote) = self.remote.take() {
            // Its input ends; what it still has on its way goes out.
            let _ = self.flush();
            let _ = self.socket.shutdown(Shutdown::Write);
            remote.end();
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
