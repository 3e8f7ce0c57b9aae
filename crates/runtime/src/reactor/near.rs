//! The loop's part in links to brokers of this host, which `near.rs` knows.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use node::{PeerId, PeerKind};
use wire::{Message, Socket};

use super::Reactor;
use crate::conn::Conn;
use crate::greetings::Greetings;
use crate::near::{Near, is_ours};

impl Reactor<'_> {
    pub(super) fn has_near_parent(&self) -> bool {
        self.near.as_ref().is_some_and(|near| near.parent.is_some())
    }

    /// Children are reported when they have sent their identity.
    pub(super) fn accept_children(&mut self) {
        let now = self.clock.now().mono;
        while let Some(near) = &mut self.near
            && let Some(listener) = &near.listener
        {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return near.close(&error, now, &self.poller),
            };
            if !is_ours(&stream) {
                near.refuse(now);
                continue;
            }
            near.log(&"link to children: accepted");
            let own = self.peers.budget.own();
            let Ok(mut conn) = Conn::zmtp(stream, own, Socket::Router, near.greeting()) else {
                continue;
            };
            conn.is_broker = true;
            self.last_peer += 1;
            let peer = PeerId(self.last_peer);
            let oldest = near.newcomers.add(peer, 0, now);
            self.peers.insert(peer, conn);
            self.peers.watch(peer, &self.poller);
            if let Some(oldest) = oldest {
                self.drop_conn(oldest);
            }
        }
    }

    /// Goes to the parent if it is time, and closes the connections of those who send
    /// nothing.
    pub(super) fn serve_near(&mut self) {
        let now = self.clock.now().mono;
        let Some(near) = &mut self.near else {
            return;
        };
        if let Err(error) = near.open(now, &self.poller) {
            tracing::error!("cannot listen to brokers: {error}");
        }
        if let Some(parent) = &mut near.parent
            && let Some((stream, greeting)) = parent.connect(now)
        {
            let own = self.peers.budget.own();
            let conn = Conn::zmtp(stream, own, Socket::Dealer, greeting.as_bytes());
            near.log(&"link to parent: connected");
            match conn {
                Ok(mut conn) => {
                    conn.is_broker = true;
                    self.peers.insert(PeerId::PARENT, conn);
                    self.peers.watch(PeerId::PARENT, &self.poller);
                }
                Err(error) => tracing::error!("to the parent broker: {error}"),
            }
            // It cannot be listened to: another try later.
            if self.peers.get_mut(PeerId::PARENT).is_none()
                && let Some(parent) = &mut near.parent
            {
                parent.broke(now);
            }
        }
        while let Some(near) = &mut self.near
            && let Some(peer) = near.newcomers.expired(now)
        {
            tracing::warn!("closed a silent connection to the brokers' socket");
            self.drop_conn(peer);
        }
    }

    /// A message for the parent, which goes when the parent is there.
    pub(super) fn keep_for_parent(&mut self, message: Message) -> Option<Message> {
        match self.near.as_mut().and_then(|near| near.parent.as_mut()) {
            Some(parent) => parent.keep(message),
            None => Some(message),
        }
    }

    /// Handles the loss of the connection to another broker. Returns true if the node
    /// knew that broker.
    pub(super) fn near_broke(&mut self, peer: PeerId) -> bool {
        let now = self.clock.now().mono;
        let Some(near) = &mut self.near else {
            return true;
        };
        if near.newcomers.take(peer).is_some() {
            return false;
        }
        match &mut near.parent {
            Some(parent) if peer == PeerId::PARENT => {
                let was_up = parent.broke(now);
                if was_up {
                    near.parent = None;
                }
                near.log(&"link to parent: disconnected");
                was_up
            }
            _ => true,
        }
    }

    /// We are not to reach this broker any more.
    pub(super) fn abandon(&mut self, peer: PeerId) {
        if peer == PeerId::PARENT
            && let Some(near) = &mut self.near
        {
            near.parent = None;
        }
    }
}

/// Consequence of a greeting.
pub(super) enum Greeted {
    /// Somebody has come.
    New(PeerKind),
    /// A peer that the node knows from the beginning, and the messages that waited for
    /// it.
    Known(Vec<Message>),
    /// Somebody who may not come in.
    No,
}

/// A connection has shown who is at its other end.
pub(super) fn greeted(
    (modules, near): (&mut Greetings, &mut Option<Near>),
    peer: PeerId,
    greeting: &Bytes,
    now: Duration,
) -> Greeted {
    if let Some(stranger) = modules.take(peer) {
        let identity = String::from_utf8_lossy(greeting).into_owned();
        let group = stranger.group;
        return Greeted::New(PeerKind::Module { identity, group });
    }
    let Some(near) = near else {
        return Greeted::No;
    };
    if near.newcomers.take(peer).is_some() {
        return match near.child_of(greeting) {
            Some((identity, key)) => {
                near.log(&"link to children: handshake succeeded");
                Greeted::New(PeerKind::Child { identity, key })
            }
            None => {
                near.refuse(now);
                Greeted::No
            }
        };
    }
    let parent = near.parent.as_mut().filter(|_| peer == PeerId::PARENT);
    match parent.and_then(|parent| parent.is_up(greeting)) {
        Some(unsent) => {
            near.log(&"link to parent: handshake succeeded");
            Greeted::Known(unsent)
        }
        None => Greeted::No,
    }
}
