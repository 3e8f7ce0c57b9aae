//! The connections of a loop: the messages that wait on each, the user who pays for them,
//! and those that have to wait.
//!
//! A client that holds more than its share is disconnected, see [`Peers::enforce`]. A client
//! whose requests pile up at a peer that is slow to read is not read from until that peer
//! has caught up, see [`Peers::send`]. Modules read always, so such a wait ends.

use std::collections::BTreeMap;

use node::PeerId;
use wire::{Kind, Message};

use crate::budget::{Budget, Excess};
use crate::conn::Conn;
use crate::limits::{BEHIND_BYTES, EVICTION_BYTES_MIN, OVERLAY_BACKLOG_BYTES_MAX, PACE_BYTES};
use crate::outbox::LastEvent;
use crate::poller::Poller;
use crate::reactor::conn_token;
use crate::seats::Seats;
use crate::shares::Whose;

/// Connections by number.
pub struct Peers {
    /// Memory for messages to them that they do not read.
    pub budget: Budget,
    /// Room for connections of clients.
    pub seats: Seats,
    conns: BTreeMap<PeerId, Conn>,
    /// Peers with something to write.
    dirty: Vec<PeerId>,
    last_event: LastEvent,
    /// Clients that are not read from, by the peer that is to read first.
    waiting: BTreeMap<PeerId, Vec<PeerId>>,
}

/// Result of queueing a message.
#[derive(Debug, Default)]
pub struct Sent {
    /// Peers that were disconnected.
    pub evicted: Vec<PeerId>,
    /// The peer is behind with reading since now.
    pub fell_behind: bool,
}

impl Peers {
    /// No connections yet.
    pub fn new(budget: Budget, seats: Seats) -> Peers {
        Peers {
            budget,
            seats,
            conns: BTreeMap::new(),
            dirty: Vec::new(),
            last_event: LastEvent::default(),
            waiting: BTreeMap::new(),
        }
    }

    /// Adds a connection that is not listened to yet. A client's has its seat.
    pub fn insert(&mut self, peer: PeerId, conn: Conn) {
        self.conns.insert(peer, conn);
    }

    /// A connection.
    pub fn get_mut(&mut self, peer: PeerId) -> Option<&mut Conn> {
        self.conns.get_mut(&peer)
    }

    /// The connections of modules.
    pub fn modules(&self) -> Vec<PeerId> {
        let modules = self.conns.iter();
        let modules = modules.filter(|(_, conn)| conn.is_zmtp() && !conn.is_broker);
        modules.map(|(peer, _)| *peer).collect()
    }

    /// Listens to a connection from now on, and sends it the queued messages.
    pub fn watch(&mut self, peer: PeerId, poller: &Poller) {
        let Some(conn) = self.conns.get(&peer) else {
            return;
        };
        match poller.add(conn, conn_token(peer)) {
            Ok(()) => self.touch(peer),
            Err(error) => {
                tracing::error!("cannot watch a connection: {error}");
                self.remove(peer, poller);
            }
        }
    }

    /// Ends a connection. Its memory is free, and those who waited for it go on.
    pub fn remove(&mut self, peer: PeerId, poller: &Poller) -> Option<Conn> {
        let conn = self.conns.remove(&peer)?;
        poller.remove(&conn);
        if let Some(pid) = conn.pid {
            self.seats.leave(conn.charge().account().uid(), pid);
        }
        self.resume(peer, poller);
        Some(conn)
    }

    /// Notes that there is something to write.
    pub fn touch(&mut self, peer: PeerId) {
        if let Some(conn) = self.conns.get_mut(&peer) {
            mark(&mut self.dirty, peer, conn);
        }
    }

    /// Queues a message. If it is a request and the peer has many bytes to read, `cause`, the
    /// client it came from, has to wait: it is flow control, not a fault.
    pub fn send(
        &mut self,
        to: PeerId,
        message: &Message,
        cause: Option<PeerId>,
        poller: &Poller,
    ) -> Sent {
        let mut sent = Sent::default();
        let Some(conn) = self.conns.get_mut(&to) else {
            return sent;
        };
        mark(&mut self.dirty, to, conn);
        let before = conn.backlog();
        let queued = conn.queue(message, &mut self.last_event);
        let backlog = conn.backlog();
        let is_clients = conn.pid.is_some();
        let why = match queued {
            Err(error) => Some(error.to_string()),
            // One message may be of any length.
            Ok(()) if conn.is_broker && before > 0 && backlog > OVERLAY_BACKLOG_BYTES_MAX => {
                Some(format!("it does not read {backlog} bytes"))
            }
            Ok(()) => None,
        };
        if let Some(why) = why {
            tracing::error!("{} was disconnected: {why}", conn.who());
            self.remove(to, poller);
            sent.evicted.push(to);
            return sent;
        }
        if backlog > BEHIND_BYTES && !conn.is_behind {
            conn.is_behind = true;
            sent.fell_behind = true;
        }
        if backlog > PACE_BYTES
            && let Some(cause) = cause
            && matches!(message.kind, Kind::Request { .. })
        {
            self.pause(cause, to, poller);
        }
        // Modules and brokers never hold too much.
        if is_clients {
            sent.evicted = self.enforce(to, poller);
        }
        sent
    }

    /// Disconnects the largest of those who together hold more than their share, one by
    /// one until it fits, if `peer` is one of them. If no connection holds much, the held
    /// bytes are on their way through modules, and `peer` had better stop.
    pub fn enforce(&mut self, peer: PeerId, poller: &Poller) -> Vec<PeerId> {
        let mut evicted = Vec::new();
        while let Some(conn) = self.conns.get(&peer)
            && let Some(excess) = self.budget.excess(conn.charge().account())
        {
            let victim = self.largest_of(excess.whose).unwrap_or(peer);
            if let Some(conn) = self.remove(victim, poller) {
                tracing::error!("{}", farewell(&conn, excess));
            }
            evicted.push(victim);
        }
        evicted
    }

    fn largest_of(&self, whose: Whose) -> Option<PeerId> {
        let theirs = self.conns.iter().filter(|(_, conn)| {
            Budget::is_of(conn.charge().account(), whose)
                && conn.charge().bytes() >= EVICTION_BYTES_MIN
        });
        let largest = theirs.max_by_key(|(_, conn)| conn.charge().bytes());
        largest.map(|(peer, _)| *peer)
    }

    fn pause(&mut self, client: PeerId, slow: PeerId, poller: &Poller) {
        let waiting = self.waiting.entry(slow).or_default();
        if client == slow || waiting.contains(&client) {
            return;
        }
        if let Some(conn) = self.conns.get_mut(&client) {
            waiting.push(client);
            conn.pauses += 1;
            watch_for(poller, client, conn);
        }
    }

    fn resume(&mut self, slow: PeerId, poller: &Poller) {
        for client in self.waiting.remove(&slow).unwrap_or_default() {
            if let Some(conn) = self.conns.get_mut(&client) {
                conn.pauses = conn.pauses.saturating_sub(1);
                watch_for(poller, client, conn);
            }
        }
    }

    /// Writes queued bytes, and watches the connections that are not done. Gives those
    /// that were behind and have caught up.
    pub fn flush(&mut self, poller: &Poller) -> Vec<PeerId> {
        let mut caught_up = Vec::new();
        let mut dirty = std::mem::take(&mut self.dirty);
        for peer in dirty.drain(..) {
            let Some(conn) = self.conns.get_mut(&peer) else {
                continue;
            };
            conn.is_dirty = false;
            conn.flush();
            if conn.closing && conn.is_flushed() {
                self.remove(peer, poller);
                continue;
            }
            let wants_write = !conn.is_flushed();
            if conn.wants_write != wants_write {
                conn.wants_write = wants_write;
                watch_for(poller, peer, conn);
            }
            let backlog = conn.backlog();
            if conn.is_behind && backlog <= BEHIND_BYTES / 2 {
                conn.is_behind = false;
                caught_up.push(peer);
            }
            if backlog <= PACE_BYTES / 2 && !self.waiting.is_empty() {
                self.resume(peer, poller);
            }
        }
        // The emptied list keeps its room for the next turn.
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
        caught_up
    }

    /// Tries to write everything; returns true if it is all out.
    pub fn flush_all(&mut self, poller: &Poller) -> bool {
        for (peer, conn) in &mut self.conns {
            if !conn.is_flushed() {
                mark(&mut self.dirty, *peer, conn);
            }
        }
        self.flush(poller);
        self.conns.values().all(Conn::is_flushed)
    }
}

/// Notes that there is something to write, once.
fn mark(dirty: &mut Vec<PeerId>, peer: PeerId, conn: &mut Conn) {
    if !std::mem::replace(&mut conn.is_dirty, true) {
        dirty.push(peer);
    }
}

/// A connection that is closed by its other end is reported in any case.
fn watch_for(poller: &Poller, peer: PeerId, conn: &Conn) {
    // A client that was not let in yet is not watched.
    let _ = poller.set(conn, conn_token(peer), conn.pauses == 0, conn.wants_write);
}

/// Reason for disconnecting a client: the holder, the limit and the amount.
fn farewell(conn: &Conn, excess: Excess) -> String {
    let whose = match excess.whose {
        Whose::User(uid) => format!("messages of user {uid}"),
        Whose::Guests => "messages of all guests".to_owned(),
        Whose::All => "messages of all clients".to_owned(),
    };
    format!(
        "{} was disconnected: it does not read {} bytes and has sent {} bytes of an unfinished \
         message; {whose} take {} bytes and may take {}",
        conn.who(),
        conn.backlog(),
        conn.unfinished(),
        excess.held,
        excess.limit,
    )
}
