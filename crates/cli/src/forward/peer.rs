//! One client: bytes in and out, never blocking.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use proto::Errno;
use rustix::io::Errno as Os;
use rustix::net::SendFlags;
use wire::{Message, StreamDecoder, encode_stream};

use crate::limits::FORWARDED_READ_BYTES;

/// A client.
pub struct Peer {
    input: OwnedFd,
    output: OwnedFd,
    decoder: StreamDecoder,
    out: Vec<u8>,
    sent: usize,
}

impl Peer {
    /// A client that reads `output` and writes `input`, which has been let in.
    pub fn new(input: OwnedFd, output: OwnedFd) -> std::io::Result<Peer> {
        rustix::io::ioctl_fionbio(&input, true)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        Ok(Peer {
            input,
            output,
            decoder: StreamDecoder::default(),
            out: Vec::new(),
            sent: 0,
        })
    }

    /// Descriptor to wait on for its messages.
    pub fn input(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    /// Descriptor to wait on until it accepts more.
    pub fn output(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    /// Bytes that it has not taken.
    pub fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Queues a message and writes as much as the socket accepts.
    pub fn send(&mut self, message: &Message) {
        encode_stream(message, &mut self.out);
        self.flush();
    }

    /// Writes as much as the socket accepts. If the peer accepts nothing any more, the
    /// output is dropped: its messages are still read.
    pub fn flush(&mut self) {
        while self.sent < self.out.len() {
            match write(&self.output, &self.out[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(Os::AGAIN) => break,
                Err(Os::INTR) => {}
                Err(_) => self.sent = self.out.len(),
            }
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent > self.out.len() / 2 {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Reads messages. An error is the end of the client.
    pub fn read(&mut self) -> Result<Vec<Message>, Errno> {
        let mut bytes = [0; FORWARDED_READ_BYTES];
        let n = match rustix::io::read(&self.input, &mut bytes) {
            Ok(0) => return Err(Errno::ECONNRESET),
            Ok(n) => n,
            Err(Os::AGAIN | Os::INTR) => return Ok(Vec::new()),
            Err(_) => return Err(Errno::ECONNRESET),
        };
        self.decoder.push(&bytes[..n]).map_err(|_| Errno::ENOMEM)?;
        let mut messages = Vec::new();
        while let Some(message) = self.decoder.next_message().map_err(|_| Errno::EPROTO)? {
            messages.push(message);
        }
        Ok(messages)
    }
}

/// Writes to a socket or a pipe. A client that has closed its socket is an error, and not the
/// signal SIGPIPE, which would end us and with us all other clients.
pub fn write(output: impl AsFd, bytes: &[u8]) -> Result<usize, Os> {
    match rustix::net::send(&output, bytes, SendFlags::NOSIGNAL) {
        Err(Os::NOTSOCK) => rustix::io::write(output, bytes),
        sent => sent,
    }
}
