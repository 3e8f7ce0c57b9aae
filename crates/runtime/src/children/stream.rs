//! Output of a child: one of its streams, or its terminal.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};

use super::terminal;
use crate::limits::CHILD_READ_BYTES;
use crate::poller::Poller;

pub(super) trait Source: Read + AsFd {}
impl<T: Read + AsFd> Source for T {}

/// Output of a child.
pub(super) struct Stream {
    pub source: Box<dyn Source>,
    /// Number of bytes of the child that are yet to be read, once it has ended. It may have
    /// left a process behind that has the other end open: its output is not the child's.
    pub left: Option<usize>,
    /// The other end, if it is a terminal's.
    pub peer: Option<terminal::Peer>,
}

impl Stream {
    pub fn new(source: impl Source + 'static) -> Stream {
        Stream {
            source: Box::new(source),
            left: None,
            peer: None,
        }
    }

    /// Has the poller report input.
    pub fn begin(&self, token: u64, poller: &Poller) -> std::io::Result<()> {
        rustix::io::ioctl_fionbio(self.source.as_fd(), true)?;
        poller.add(self.source.as_fd(), token)
    }

    /// Stops reading, or goes on.
    pub fn pause(&mut self, is_paused: bool, token: u64, poller: &Poller) {
        if let Some(peer) = &mut self.peer {
            peer.pause(is_paused);
        }
        self.watch(!is_paused, token, poller);
    }

    pub fn watch(&self, reads: bool, token: u64, poller: &Poller) {
        // A terminal can always be written to: that has the end looked for.
        let is_drained = self.peer.as_ref().is_some_and(terminal::Peer::is_drained);
        let _ = poller.set(self.source.as_fd(), token, reads, is_drained);
    }

    /// Reads once; returns the bytes and whether they were the last, or `None` if none
    /// came.
    pub fn read(&mut self) -> Option<(Vec<u8>, bool)> {
        let most = self.left.unwrap_or(CHILD_READ_BYTES);
        let mut buf = vec![0; most.min(CHILD_READ_BYTES)];
        let n = match self.source.read(&mut buf) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => return None,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let peer = self.peer.as_ref().filter(|peer| peer.is_drained());
                return peer.map(|_| (Vec::new(), true));
            }
            Err(_) => 0,
        };
        buf.truncate(n);
        self.left = self.left.map(|left| left - n);
        Some((buf, n == 0 || self.left == Some(0)))
    }

    /// The child has ended; `true` if everything that it has written was read.
    pub fn child_ended(&mut self, token: u64, poller: &Poller) -> bool {
        if let Some(peer) = &mut self.peer {
            peer.end();
            let reads = peer.is_drained();
            self.watch(reads, token, poller);
            return false;
        }
        let left = unread(self.source.as_fd());
        self.left = Some(left);
        left == 0
    }
}

/// Bytes that can be read without waiting.
pub fn unread(fd: BorrowedFd<'_>) -> usize {
    let left = rustix::io::ioctl_fionread(fd).unwrap_or(0);
    usize::try_from(left).unwrap_or(usize::MAX)
}
