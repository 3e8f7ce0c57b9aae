//! Connections on a socket for modules or brokers that have not said who they are: few at a
//! time, and not for long.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use node::PeerId;

use crate::limits::{GREETING_WAIT_S, GREETINGS_MAX, OVERLAY_PEERS_MAX};

/// Peer at the other end, as identified by the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger {
    pub peer: PeerId,
    /// The process group, which a module leads.
    pub group: i32,
    until: Duration,
}

/// The process group at the other end of `stream`, if it is one of our own user.
pub fn group_of(stream: &UnixStream) -> Option<i32> {
    let cred = rustix::net::sockopt::socket_peercred(stream).ok()?;
    if cred.uid != rustix::process::geteuid() {
        return None;
    }
    let group = rustix::process::getpgid(Some(cred.pid)).ok()?;
    Some(group.as_raw_nonzero().get())
}

/// Connections that have not greeted, the oldest first.
#[derive(Debug)]
pub struct Greetings {
    waiting: VecDeque<Stranger>,
    max: usize,
}

impl Default for Greetings {
    fn default() -> Greetings {
        Greetings {
            waiting: VecDeque::new(),
            max: GREETINGS_MAX,
        }
    }
}

impl Greetings {
    /// The same for the brokers' socket, at which all children may knock at once.
    pub fn for_brokers() -> Greetings {
        Greetings {
            waiting: VecDeque::new(),
            max: OVERLAY_PEERS_MAX,
        }
    }

    /// One more has connected. When there are too many, gives the one to be dropped: a
    /// module greets at once, so it is not the one that has waited longest.
    pub fn add(&mut self, peer: PeerId, group: i32, now: Duration) -> Option<PeerId> {
        let full = self.waiting.len() >= self.max;
        let dropped = full.then(|| self.waiting.pop_front()).flatten();
        let until = now + Duration::from_secs(GREETING_WAIT_S);
        self.waiting.push_back(Stranger { peer, group, until });
        dropped.map(|stranger| stranger.peer)
    }

    /// Removes a peer that has greeted, or was lost.
    pub fn take(&mut self, peer: PeerId) -> Option<Stranger> {
        let at = self
            .waiting
            .iter()
            .position(|stranger| stranger.peer == peer)?;
        self.waiting.remove(at)
    }

    /// Time of the next check.
    pub fn deadline(&self) -> Option<Duration> {
        Some(self.waiting.front()?.until)
    }

    /// One whose time is up.
    pub fn expired(&mut self, now: Duration) -> Option<PeerId> {
        let is_due = self.deadline().is_some_and(|until| until <= now);
        let stranger = is_due.then(|| self.waiting.pop_front()).flatten();
        stranger.map(|stranger| stranger.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_greet_is_dropped_in_time_and_for_others() {
        let mut greetings = Greetings::default();
        let at = |s| Duration::from_secs(s);
        for n in 0..GREETINGS_MAX as u64 {
            assert_eq!(greetings.add(PeerId(n), 1, at(n)), None);
        }
        assert_eq!(greetings.add(PeerId(1000), 1, at(1000)), Some(PeerId(0)));
        assert_eq!(greetings.take(PeerId(1)).map(|found| found.group), Some(1));
        assert_eq!(greetings.take(PeerId(1)), None);
        assert_eq!(greetings.deadline(), Some(at(2 + GREETING_WAIT_S)));
        assert_eq!(greetings.expired(at(1)), None);
        assert_eq!(greetings.expired(at(2 + GREETING_WAIT_S)), Some(PeerId(2)));
        assert_eq!(greetings.expired(at(2 + GREETING_WAIT_S)), None);
    }

    #[test]
    fn a_process_of_ours_has_a_group_and_its_socket_tells_it() {
        let (here, _there) = UnixStream::pair().unwrap();
        let ours = rustix::process::getpgrp().as_raw_nonzero().get();
        assert_eq!(group_of(&here), Some(ours));
    }
}
