//! News of a connection that ZeroMQ makes and breaks in the background: its socket
//! monitor.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use crate::limits::OVERLAY_MESSAGES_PER_TURN;
use crate::link::{Context, system_error};

/// Event of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Both ends know each other.
    Up,
    /// The connection broke, or was closed from the other side.
    Down,
}

/// Events of connections in ZeroMQ (zmq_socket_monitor(3)), in words.
const EVENTS: [(zmq::SocketEvent, &str); 13] = [
    (zmq::SocketEvent::CONNECTED, "connected"),
    (zmq::SocketEvent::CONNECT_DELAYED, "connect delayed"),
    (zmq::SocketEvent::CONNECT_RETRIED, "connect retried"),
    (zmq::SocketEvent::LISTENING, "listening"),
    (zmq::SocketEvent::BIND_FAILED, "bind failed"),
    (zmq::SocketEvent::ACCEPTED, "accepted"),
    (zmq::SocketEvent::ACCEPT_FAILED, "accept failed"),
    (zmq::SocketEvent::CLOSED, "closed"),
    (zmq::SocketEvent::DISCONNECTED, "disconnected"),
    (zmq::SocketEvent::HANDSHAKE_SUCCEEDED, "handshake succeeded"),
    (
        zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
        "handshake failed",
    ),
    (
        zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
        "handshake failed: protocol",
    ),
    (
        zmq::SocketEvent::HANDSHAKE_FAILED_AUTH,
        "handshake failed: no access",
    ),
];

/// Listens to one socket.
pub(crate) struct Watch {
    socket: zmq::Socket,
    fd: RawFd,
    whom: &'static str,
    /// True if all events are logged.
    is_verbose: bool,
}

impl Watch {
    /// Listens from now on to `watched`, the only socket of its context that leads to the
    /// peer `whom`. Events of its connections are logged if `is_verbose`.
    pub(crate) fn open(
        context: &Context,
        watched: &zmq::Socket,
        whom: &'static str,
        is_verbose: bool,
    ) -> io::Result<Watch> {
        let endpoint = format!("inproc://{whom}-monitor");
        let wanted = EVENTS.iter().map(|(event, _)| event.to_raw());
        let wanted = wanted.filter(|event| is_verbose || NEWS.contains(event));
        let mask = wanted.fold(0, |mask, event| mask | i32::from(event));
        watched.monitor(&endpoint, mask).map_err(system_error)?;
        let socket = context.socket(zmq::PAIR)?;
        socket.set_linger(0).map_err(system_error)?;
        socket.connect(&endpoint).map_err(system_error)?;
        let fd = socket.get_fd().map_err(system_error)?;
        Ok(Watch {
            socket,
            fd,
            whom,
            is_verbose,
        })
    }

    /// Becomes readable with news: see "When to wait" in `link.rs`.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the socket's own, and open as long as it lives.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    /// True if there are events.
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
            let number = u16::from_le_bytes([*low, *high]);
            let known = EVENTS.iter().find(|(event, _)| event.to_raw() == number);
            let Some((event, name)) = known else {
                continue;
            };
            if self.is_verbose {
                let endpoint = parts.get(1).map(Vec::as_slice).unwrap_or_default();
                let endpoint = String::from_utf8_lossy(endpoint);
                tracing::debug!("link to {}: {name} {endpoint}", self.whom);
            }
            match event {
                zmq::SocketEvent::HANDSHAKE_SUCCEEDED => news.push(News::Up),
                zmq::SocketEvent::DISCONNECTED => news.push(News::Down),
                _ => {}
            }
        }
        news
    }
}

/// Events that concern the broker, by number.
const NEWS: [u16; 2] = [
    zmq::SocketEvent::HANDSHAKE_SUCCEEDED as u16,
    zmq::SocketEvent::DISCONNECTED as u16,
];
