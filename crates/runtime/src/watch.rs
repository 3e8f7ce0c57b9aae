//! News of a connection that ZeroMQ makes and breaks in the background: its socket
//! monitor.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use crate::limits::OVERLAY_MESSAGES_PER_TURN;
use crate::link::{Context, system_error};

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Both ends know each other.
    Up,
    /// It broke, or was closed from the other side.
    Down,
}

/// Listens to one socket.
pub(crate) struct Watch {
    socket: zmq::Socket,
    fd: RawFd,
}

impl Watch {
    /// Listens to `watched` from now on.
    pub(crate) fn open(context: &Context, watched: &zmq::Socket) -> io::Result<Watch> {
        let events =
            zmq::SocketEvent::HANDSHAKE_SUCCEEDED as i32 | zmq::SocketEvent::DISCONNECTED as i32;
        watched.monitor(ENDPOINT, events).map_err(system_error)?;
        let socket = context.socket(zmq::PAIR)?;
        socket.set_linger(0).map_err(system_error)?;
        socket.connect(ENDPOINT).map_err(system_error)?;
        let fd = socket.get_fd().map_err(system_error)?;
        Ok(Watch { socket, fd })
    }

    /// Becomes readable with news: see "When to wait" in `link.rs`.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the socket's own, and open as long as it lives.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    /// Whether there is news.
    pub(crate) fn has_news(&self) -> bool {
        let events = self.socket.get_events();
        events.is_ok_and(|events| events.contains(zmq::POLLIN))
    }

    /// The news so far, oldest first.
    pub(crate) fn take(&self) -> Vec<News> {
        let mut news = Vec::new();
        for _ in 0..OVERLAY_MESSAGES_PER_TURN {
            let Ok(parts) = self.socket.recv_multipart(zmq::DONTWAIT) else {
                break;
            };
            // The number of the event is the first two bytes of the first part.
            let Some([low, high, ..]) = parts.first().map(Vec::as_slice) else {
                continue;
            };
            match zmq::SocketEvent::from_raw(u16::from_le_bytes([*low, *high])) {
                zmq::SocketEvent::HANDSHAKE_SUCCEEDED => news.push(News::Up),
                zmq::SocketEvent::DISCONNECTED => news.push(News::Down),
                _ => {}
            }
        }
        news
    }
}

/// A context has one link that is watched: that to the parent.
const ENDPOINT: &str = "inproc://parent-monitor";
