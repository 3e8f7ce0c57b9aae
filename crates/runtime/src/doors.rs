//! Places where clients and modules come in, and the answer when there is no room for
//! them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::io::Errno as OsError;
use wire::Errno;

use crate::limits::{ACCEPT_PAUSE_MS, TURNED_AWAY_LINES_S, UNACCEPTED_LINES_S};
use crate::poller::Poller;
use crate::tally::{Tally, log_unaccepted};

/// Kind of door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Clients come in here.
    Clients,
    /// Modules come in here.
    Modules,
}

/// The listening sockets.
pub struct Doors {
    clients: (UnixListener, u64),
    modules: Option<(UnixListener, u64)>,
    /// Given up to take a connection when there is no other descriptor, so that the
    /// waiting client can be answered.
    spare: Option<File>,
    /// Until when nobody is let in: there were no descriptors.
    closed_until: Option<Duration>,
    turned_away: Tally,
    unaccepted: Tally,
}

impl Doors {
    /// Listens to clients, and to modules where there are some, with these tokens.
    pub fn open(
        clients: (UnixListener, u64),
        modules: Option<(UnixListener, u64)>,
        poller: &Poller,
    ) -> io::Result<Doors> {
        for (listener, token) in std::iter::once(&clients).chain(&modules) {
            listener.set_nonblocking(true)?;
            poller.add(listener, *token)?;
        }
        Ok(Doors {
            clients,
            modules,
            spare: spare(),
            closed_until: None,
            turned_away: Tally::new(TURNED_AWAY_LINES_S),
            unaccepted: Tally::new(UNACCEPTED_LINES_S),
        })
    }

    /// The next one who waits at a door.
    pub fn next(&mut self, door: Door, now: Duration, poller: &Poller) -> Option<UnixStream> {
        loop {
            match self.accept(door) {
                Ok(stream) => return Some(stream),
                Err(error) => match OsError::from_io_error(&error) {
                    Some(OsError::AGAIN) => return None,
                    Some(OsError::INTR | OsError::CONNABORTED) => {}
                    _ if door == Door::Clients && self.spare.take().is_some() => {
                        if let Ok(stream) = self.accept(door) {
                            self.turn_away(stream, &error, now);
                        }
                        self.spare = spare();
                    }
                    _ => {
                        log_unaccepted(&mut self.unaccepted, "a connection", &error, now);
                        self.close(now, poller);
                        return None;
                    }
                },
            }
        }
    }

    fn accept(&self, door: Door) -> io::Result<UnixStream> {
        let listener = match door {
            Door::Clients => Some(&self.clients),
            Door::Modules => self.modules.as_ref(),
        };
        match listener {
            Some((listener, _)) => Ok(listener.accept()?.0),
            None => Err(OsError::AGAIN.into()),
        }
    }

    /// Sends a client that there is no room for it now.
    pub fn turn_away(
        &mut self,
        mut stream: UnixStream,
        why: &dyn std::fmt::Display,
        now: Duration,
    ) {
        // One byte fits into any new socket; who does not wait for it needs none.
        let _ = stream.write(&[u8::try_from(Errno::EAGAIN.0).unwrap_or(1)]);
        if let Some(n) = self.turned_away.count(now) {
            tracing::error!("{n} clients were refused: {why}");
        }
    }

    /// Nobody is admitted for a moment: repeated events of the same waiting client would
    /// keep the loop busy.
    fn close(&mut self, now: Duration, poller: &Poller) {
        for (listener, _) in std::iter::once(&self.clients).chain(&self.modules) {
            poller.remove(listener);
        }
        self.closed_until = Some(now + Duration::from_millis(ACCEPT_PAUSE_MS));
    }

    /// Time of the next [`Doors::reopen`].
    pub fn deadline(&self) -> Option<Duration> {
        self.closed_until
    }

    /// Lets people in again if it is time.
    pub fn reopen(&mut self, now: Duration, poller: &Poller) -> io::Result<()> {
        if self.closed_until.is_some_and(|until| until <= now) {
            self.closed_until = None;
            self.spare = self.spare.take().or_else(spare);
            for (listener, token) in std::iter::once(&self.clients).chain(&self.modules) {
                poller.add(listener, *token)?;
            }
        }
        Ok(())
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}
