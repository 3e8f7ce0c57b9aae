//! The loop's part in the links to other brokers, which `overlay.rs` owns.

use std::io;

use node::{Input, PeerId, PeerKind};
use wire::Message;

use crate::limits::OVERLAY_MESSAGES_PER_TURN;
use crate::overlay::{Overlay, Received, Stranger};

use super::{Reactor, token};

impl Reactor<'_> {
    /// Is one of many brokers, linked like this.
    pub fn with_overlay(mut self, mut overlay: Overlay) -> io::Result<Self> {
        let (near, has_far) = overlay.take_near();
        self.near = near;
        if has_far {
            for fd in overlay.fds() {
                self.poller.add(fd, token::make(token::OVERLAY, 0))?;
            }
            self.overlay = Some(overlay);
        }
        Ok(self)
    }

    /// The parent is a peer from the beginning, like a module's broker.
    pub(super) fn announce_parent(&mut self) {
        if self.is_broker(PeerId::PARENT) || self.has_near_parent() {
            self.hand_in(Input::PeerUp {
                peer: PeerId::PARENT,
                kind: PeerKind::Parent,
            });
        }
    }

    pub(super) fn is_broker(&self, peer: PeerId) -> bool {
        let overlay = self.overlay.as_ref();
        overlay.is_some_and(|overlay| overlay.has(peer))
    }

    /// Receives the messages of other brokers, up to the turn's share.
    pub(super) fn serve_overlay(&mut self) {
        let now = self.clock.now().mono;
        let Some(overlay) = &mut self.overlay else {
            return;
        };
        for peer in overlay.serve(now) {
            self.lose_broker(peer);
        }
        for _ in 0..OVERLAY_MESSAGES_PER_TURN {
            let Some(heard) = self.overlay.as_mut().and_then(Overlay::recv) else {
                return;
            };
            match heard {
                Received::New(stranger) => self.meet_child(stranger),
                heard => self.receive_from_link(heard),
            }
            self.do_outputs();
        }
    }

    fn receive_from_link(&mut self, heard: Received) {
        match heard {
            Received::Message(from, message) => self.hand_in(Input::Message { from, message }),
            Received::Lost(peer) => self.lose_broker(peer),
            Received::New(_) => {}
        }
    }

    fn meet_child(&mut self, stranger: Stranger) {
        self.last_peer += 1;
        let peer = PeerId(self.last_peer);
        let kind = PeerKind::Child {
            identity: String::from_utf8_lossy(&stranger.identity).into_owned(),
            key: stranger.sender.key.clone(),
        };
        let overlay = self.overlay.as_mut();
        let first = overlay.and_then(|overlay| overlay.add(peer, stranger));
        self.hand_in(Input::PeerUp { peer, kind });
        if let Some(first) = first {
            self.receive_from_link(first);
        }
    }

    pub(super) fn send_to_broker(&mut self, to: PeerId, message: &Message) {
        let now = self.clock.now().mono;
        let overlay = self.overlay.as_mut();
        if overlay.is_some_and(|overlay| !overlay.send(to, message, now)) {
            self.lose_broker(to);
        }
    }

    /// Messages waiting for a lost broker are dropped with it.
    fn lose_broker(&mut self, peer: PeerId) {
        if self.is_broker(peer) {
            self.forget_broker(peer);
            self.hand_in(Input::PeerDown { peer });
        }
    }

    pub(super) fn forget_broker(&mut self, peer: PeerId) {
        if let Some(overlay) = &mut self.overlay {
            overlay.remove(peer);
        }
    }
}
