//! epoll, with tokens that identify a descriptor.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;
use rustix::time::Timespec;

use crate::limits::EVENTS_PER_WAIT;

/// Events of a descriptor.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// The token that it was added with.
    pub token: u64,
    /// Reading will not block; also set when the other end is closed.
    pub readable: bool,
    /// Writing will not block.
    pub writable: bool,
}

/// One epoll instance.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    /// A poller without descriptors.
    pub fn new() -> std::io::Result<Poller> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Poller {
            epoll,
            events: Vec::with_capacity(EVENTS_PER_WAIT),
        })
    }

    /// Watches `fd` for reading, level-triggered.
    pub fn add(&self, fd: impl AsFd, token: u64) -> std::io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            fd,
            epoll::EventData::new_u64(token),
            epoll::EventFlags::IN,
        )?)
    }

    /// Watches `fd` for reading and, if `write`, for writing too.
    pub fn set(&self, fd: impl AsFd, token: u64, read: bool, write: bool) -> std::io::Result<()> {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, read);
        flags.set(epoll::EventFlags::OUT, write);
        Ok(epoll::modify(
            &self.epoll,
            fd,
            epoll::EventData::new_u64(token),
            flags,
        )?)
    }

    /// Stops watching `fd`.
    pub fn remove(&self, fd: impl AsFd) {
        // It may be closed already, which removed it.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits until something is ready or `timeout` has passed; `None` waits for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> std::io::Result<Vec<Ready>> {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let gone = epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP;
        let ready = |event: &epoll::Event| {
            // The kernel's struct is packed: copy before use.
            let (flags, data) = (event.flags, event.data);
            Ready {
                token: data.u64(),
                readable: flags.intersects(epoll::EventFlags::IN | gone),
                writable: flags.intersects(epoll::EventFlags::OUT | gone),
            }
        };
        Ok(self.events.iter().map(ready).collect())
    }
}
