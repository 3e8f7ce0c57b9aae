//! Socket pairs shared with a child process: PMI speaks over one.

use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use bytes::Bytes;
use node::ChildEvent;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};

use crate::children::unread;
use crate::limits::{CHANNELS_MAX, CHILD_BACKLOG_BYTES_MAX, CHILD_READ_BYTES};
use crate::poller::Poller;

/// One socket pair.
pub struct Channel {
    /// The environment variable with the number of the child's end.
    pub name: String,
    ours: Option<OwnedFd>,
    theirs: Option<OwnedFd>,
    token: u64,
    out: Vec<u8>,
    close: bool,
    /// Number of bytes of the child that are yet to be read, once it has ended.
    left: Option<usize>,
    is_paused: bool,
}

impl Channel {
    /// Makes a pair for each name.
    pub fn open(names: &[String]) -> std::io::Result<Vec<Channel>> {
        if names.len() > CHANNELS_MAX {
            return Err(ErrorKind::InvalidInput.into());
        }
        let open = |name: &String| {
            let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
            let (ours, theirs) = socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
            Ok(Channel {
                name: name.clone(),
                ours: Some(ours),
                theirs: Some(theirs),
                token: 0,
                out: Vec::new(),
                close: false,
                left: None,
                is_paused: false,
            })
        };
        names.iter().map(open).collect()
    }

    /// The number of the child's end, which is the same in the child.
    pub fn theirs_number(&self) -> RawFd {
        self.theirs.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// The child has its end: we give up our copy, so that its closing is seen.
    pub fn keep_ours(mut self) -> Channel {
        self.theirs = None;
        self
    }

    /// Has the poller report when something can be read.
    pub fn watch(&mut self, poller: &Poller, token: u64) -> std::io::Result<()> {
        self.token = token;
        if let Some(ours) = &self.ours {
            rustix::io::ioctl_fionbio(ours, true)?;
            poller.add(ours, token)?;
        }
        Ok(())
    }

    /// True if nothing more will come or go.
    pub fn is_closed(&self) -> bool {
        self.ours.is_none()
    }

    /// Stops reading, or goes on.
    pub fn pause(&mut self, is_paused: bool, poller: &Poller) {
        self.is_paused = is_paused;
        self.set_interest(poller);
    }

    fn set_interest(&self, poller: &Poller) {
        if let Some(ours) = &self.ours {
            let _ = poller.set(ours, self.token, !self.is_paused, !self.out.is_empty());
        }
    }

    /// Writes as much as goes and keeps the rest; closes after that if asked to. Returns
    /// the number of bytes that are out of our hands: written, or thrown away because
    /// nobody reads them.
    pub fn write(&mut self, data: &[u8], eof: bool, poller: &Poller) -> usize {
        let waiting = self.out.len() + data.len();
        let has_room = self.out.len() + data.len() <= CHILD_BACKLOG_BYTES_MAX;
        if has_room && self.out.try_reserve(data.len()).is_ok() {
            self.out.extend_from_slice(data);
        }
        self.close |= eof;
        let Some(ours) = &self.ours else {
            self.out.clear();
            return waiting;
        };
        while !self.out.is_empty() {
            match rustix::net::send(ours, &self.out, SendFlags::NOSIGNAL) {
                Ok(n) => drop(self.out.drain(..n)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => self.out.clear(),
            }
        }
        if self.out.is_empty() && self.close {
            self.shut(poller);
        } else {
            self.set_interest(poller);
        }
        waiting - self.out.len()
    }

    /// Reads the bytes that are there.
    pub fn read(&mut self, poller: &Poller) -> Option<ChildEvent> {
        let ours = self.ours.as_ref()?;
        let most = self.left.unwrap_or(CHILD_READ_BYTES);
        let mut buf = vec![0; most.min(CHILD_READ_BYTES)];
        let n = match rustix::io::read(ours, &mut buf) {
            Ok(n) => n,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return None,
            Err(_) => 0,
        };
        buf.truncate(n);
        self.left = self.left.map(|left| left - n);
        let eof = n == 0 || self.left == Some(0);
        if eof {
            self.shut(poller);
        }
        let (name, data) = (self.name.clone(), Bytes::from(buf));
        Some(ChildEvent::Channel { name, data, eof })
    }

    /// The child has ended: its output is still read, but none of a process that it may have
    /// left behind.
    pub fn child_ended(&mut self, poller: &Poller) -> Option<ChildEvent> {
        let left = unread(self.ours.as_ref()?.as_fd());
        self.left = Some(left);
        if left > 0 {
            return None;
        }
        self.shut(poller);
        let (name, data, eof) = (self.name.clone(), Bytes::new(), true);
        Some(ChildEvent::Channel { name, data, eof })
    }

    fn shut(&mut self, poller: &Poller) {
        if let Some(ours) = self.ours.take() {
            poller.remove(ours.as_fd());
        }
    }
}
