//! Links between brokers of one host: a UNIX socket that the parent has made, spoken on as
//! with modules (`conn.rs`). No thread of ZeroMQ and no encryption lies on the way, and a
//! connection that breaks means a lost broker, so nothing has to be repeated.
//!
//! Only processes of our own user, as identified by the kernel, may connect. Such a process
//! could read our keys from our memory, so keys are shown and not proved: they keep brokers
//! of different instances apart. Owns who waits at the door and how far we are with our
//! parent. Connections are among the others of the loop (`reactor/near.rs`).

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use wire::Message;

use crate::greetings::Greetings;
use crate::limits::{
    ACCEPT_PAUSE_MS, LINK_RECONNECT_FIRST_MS, LINK_RECONNECT_LAST_MS, NEAR_BACKLOG,
    NEAR_UNSENT_MESSAGES_MAX, REFUSED_LINES_S, UNACCEPTED_LINES_S,
};
use crate::poller::Poller;
use crate::reactor::NEAR_TOKEN as TOKEN;
use crate::tally::{Tally, log_refused, log_unaccepted};

/// The path of an endpoint that is reached here; others are ZeroMQ's.
pub(crate) fn path_of(endpoint: &str) -> Option<&Path> {
    let path = endpoint.strip_prefix("ipc://")?;
    (!path.starts_with(['@', '*'])).then(|| Path::new(path))
}

/// The doors and the way up of one broker.
pub(crate) struct Near {
    pub(crate) listener: Option<UnixListener>,
    key: String,
    allowed: BTreeSet<String>,
    /// Children that have not shown their key.
    pub(crate) newcomers: Greetings,
    pub(crate) parent: Option<Parent>,
    /// Until when nobody is let in: there were no descriptors.
    closed_until: Option<Duration>,
    /// Connections that were refused.
    refused: Tally,
    /// Connections that could not be accepted.
    unaccepted: Tally,
    is_verbose: bool,
}

/// A parent on this host.
pub(crate) struct Parent {
    path: PathBuf,
    /// The key that it has to show.
    key: String,
    /// Our greeting.
    greeting: String,
    way: Way,
    /// Delay before the next attempt: longer each time, for a peer that hangs up on us
    /// may do so for ever.
    wait: Duration,
    /// Messages to send when it is connected.
    unsent: Vec<Message>,
}

/// State of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// There is no connection; when to try next.
    Down(Duration),
    /// The peer has not shown its key.
    Greeted,
    /// The peer is connected.
    Up,
}

impl Near {
    /// Nobody yet. We show `key` of ourselves.
    pub(crate) fn new(key: &str) -> Near {
        Near {
            listener: None,
            key: key.to_owned(),
            allowed: BTreeSet::new(),
            newcomers: Greetings::for_brokers(),
            parent: None,
            closed_until: None,
            refused: Tally::new(REFUSED_LINES_S),
            unaccepted: Tally::new(UNACCEPTED_LINES_S),
            is_verbose: false,
        }
    }

    /// Logs events of connections.
    pub(crate) fn log_connections(&mut self) {
        self.is_verbose = true;
    }

    /// Listens for children, in place of a socket that was left behind.
    pub(crate) fn listen(&mut self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = stream_socket()?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Before anybody can connect.
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, owner_only)?;
        listen(&socket, NEAR_BACKLOG)?;
        self.listener = Some(UnixListener::from(socket));
        self.closed_until = Some(Duration::ZERO);
        Ok(())
    }

    /// Lets in children that show this key.
    pub(crate) fn allow(&mut self, key: &str) {
        self.allowed.insert(key.to_owned());
    }

    /// Has a parent at `path`, which shows `key` and knows us as `identity`.
    pub(crate) fn reach_parent(&mut self, path: &Path, key: &str, identity: &str) {
        self.parent = Some(Parent {
            path: path.to_owned(),
            key: key.to_owned(),
            greeting: format!("{identity}/{}", self.key),
            way: Way::Down(Duration::ZERO),
            wait: milliseconds(LINK_RECONNECT_FIRST_MS),
            unsent: Vec::new(),
        });
    }

    /// Our greeting to a child.
    pub(crate) fn greeting(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// Name and key of a child from its greeting; `None` for one that is not admitted.
    pub(crate) fn child_of(&self, greeting: &Bytes) -> Option<(String, String)> {
        let text = std::str::from_utf8(greeting).ok()?;
        let (identity, key) = text.split_once('/')?;
        let is_allowed = self.allowed.contains(key);
        is_allowed.then(|| (identity.to_owned(), key.to_owned()))
    }

    /// Somebody may not come in.
    pub(crate) fn refuse(&mut self, now: Duration) {
        log_refused(&mut self.refused, now);
    }

    /// Time of the next action.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let parent = self.parent.as_ref().and_then(|parent| match parent.way {
            Way::Down(next) => Some(next),
            Way::Greeted | Way::Up => None,
        });
        let due = [parent, self.newcomers.deadline(), self.closed_until];
        due.into_iter().flatten().min()
    }

    /// Lets nobody in for a moment. The child tries again; repeated reports that it waits
    /// would keep the loop busy.
    pub(crate) fn close(&mut self, why: &io::Error, now: Duration, poller: &Poller) {
        log_unaccepted(&mut self.unaccepted, "a broker", why, now);
        if let Some(listener) = &self.listener {
            poller.remove(listener);
            self.closed_until = Some(now + Duration::from_millis(ACCEPT_PAUSE_MS));
        }
    }

    /// Lets others in, from the beginning or again, if it is time.
    pub(crate) fn open(&mut self, now: Duration, poller: &Poller) -> io::Result<()> {
        if let Some(listener) = &self.listener
            && self.closed_until.is_some_and(|until| until <= now)
        {
            self.closed_until = None;
            poller.add(listener, TOKEN)?;
        }
        Ok(())
    }

    /// Logs an event of a connection, if that is wanted.
    pub(crate) fn log(&self, what: &dyn std::fmt::Display) {
        if self.is_verbose {
            tracing::debug!("{what}");
        }
    }
}

impl Parent {
    /// Connects if it is time; gives the connection and how to greet.
    pub(crate) fn connect(&mut self, now: Duration) -> Option<(UnixStream, &str)> {
        let Way::Down(next) = self.way else {
            return None;
        };
        if next > now {
            return None;
        }
        match connect_now(&self.path) {
            Ok(stream) => {
                self.way = Way::Greeted;
                Some((stream, &self.greeting))
            }
            // It does not listen yet, or too many knock at once.
            Err(_) => {
                self.retry_later(now);
                None
            }
        }
    }

    /// Marks the parent as connected once it has shown its key. Returns the greeting for
    /// it, if it is the right one.
    pub(crate) fn is_up(&mut self, key: &Bytes) -> Option<Vec<Message>> {
        if key[..] != *self.key.as_bytes() {
            return None;
        }
        self.way = Way::Up;
        Some(std::mem::take(&mut self.unsent))
    }

    /// Handles the loss of the connection. Returns true if the parent was there: then it
    /// is no more.
    pub(crate) fn broke(&mut self, now: Duration) -> bool {
        let was_up = self.way == Way::Up;
        self.retry_later(now);
        was_up
    }

    fn retry_later(&mut self, now: Duration) {
        self.way = Way::Down(now + self.wait);
        self.wait = (self.wait * 2).min(milliseconds(LINK_RECONNECT_LAST_MS));
    }

    /// Keeps a message until the parent is there; gives it back if it is.
    pub(crate) fn keep(&mut self, message: Message) -> Option<Message> {
        if self.way == Way::Up {
            return Some(message);
        }
        // Only signs of life come again and again, and one of them is as good as many.
        if self.unsent.len() < NEAR_UNSENT_MESSAGES_MAX {
            self.unsent.push(message);
        }
        None
    }
}

/// True if a process of our own user is at the other end, as identified by the kernel.
pub(crate) fn is_ours(stream: &UnixStream) -> bool {
    let cred = rustix::net::sockopt::socket_peercred(stream);
    cred.is_ok_and(|cred| cred.uid == rustix::process::geteuid())
}

fn connect_now(path: &Path) -> io::Result<UnixStream> {
    let socket = stream_socket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    match is_ours(&stream) {
        true => Ok(stream),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

fn stream_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

fn milliseconds(n: i32) -> Duration {
    Duration::from_millis(n.unsigned_abs().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parent that takes the connection and hangs up on the key is as good as none.
    #[test]
    fn one_who_is_turned_away_knocks_less_and_less() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parent");
        let mut near = Near::new("ours");
        near.reach_parent(&path, "theirs", "us");
        let mut parent = near.parent.take().unwrap();
        let (mut now, mut waits) = (Duration::ZERO, Vec::new());
        for turn in 0..8 {
            if turn == 1 {
                near.listen(&path).unwrap();
            }
            let is_there = parent.connect(now).is_some();
            assert_eq!(is_there, turn > 0);
            assert!(!is_there || !parent.broke(now));
            let Way::Down(next) = parent.way else {
                panic!("it waits: {:?}", parent.way);
            };
            waits.push((next - now).as_millis());
            assert!(parent.connect(now).is_none(), "not before its time");
            now = next;
        }
        assert_eq!(waits, [50, 100, 200, 400, 500, 500, 500, 500]);
    }
}
