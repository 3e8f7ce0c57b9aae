//! Arrival and departure of modules, programs, and the brokers above and below.

use std::collections::BTreeSet;

use node::PeerId;
use proto::orphans::Cause;
use wire::{Flags, Identity, Message, Role, topic};

use super::subscriptions::Subscriptions;
use super::{Call, Hop, ModuleId, Router, Stop};

/// Text of the answer to requests that a program had when it disconnected.
const PROVIDER_LEFT: &str = "service disconnect";
/// Text of the answer to requests that went up when the broker above was lost.
const PARENT_LEFT: &str = "overlay disconnect";

/// The user of a program, who is not shown everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The user.
    pub userid: u32,
    /// Role of the connection.
    pub rolemask: Role,
}

/// One who can be sent messages, now or when its process is there.
#[derive(Debug)]
pub(super) struct Link {
    pub peer: Option<PeerId>,
    pub identity: Identity,
    pub viewer: Option<Viewer>,
    pub subscriptions: Subscriptions,
    /// Request to the parent for its last subscription that was not known there.
    pub asked: u32,
    /// Names that it has registered besides its own.
    pub services: BTreeSet<String>,
}

impl Link {
    fn new(identity: Identity) -> Link {
        Link {
            peer: None,
            identity,
            viewer: None,
            subscriptions: Subscriptions::default(),
            asked: 0,
            services: BTreeSet::new(),
        }
    }

    /// The user, when it is not the owner.
    pub fn guest(&self) -> Option<u32> {
        let viewer = self.viewer?;
        (!viewer.rolemask.meets(Role::OWNER)).then_some(viewer.userid)
    }

    /// True if an event is to be delivered: private ones only to the owner and their user.
    pub fn wants(&self, event: &Message) -> bool {
        let may_see =
            !event.has(Flags::PRIVATE) || self.guest().is_none_or(|userid| userid == event.userid);
        may_see && self.subscriptions.matches(event.topic())
    }
}

impl Router {
    /// A program has come.
    pub fn client_up(&mut self, peer: PeerId, identity: Identity, viewer: Viewer) {
        let link = Link {
            viewer: Some(viewer),
            ..Link::new(identity)
        };
        self.link_up(Hop::Client(peer), peer, link);
    }

    /// A broker has come: the parent or a child, under the identity that the hello gave.
    pub fn broker_up(&mut self, hop: Hop, peer: PeerId, identity: Identity) {
        self.link_up(hop, peer, Link::new(identity));
        if hop == Hop::Parent {
            self.ask_parent_all();
        }
    }

    fn link_up(&mut self, hop: Hop, peer: PeerId, link: Link) {
        self.parties.insert(link.identity.clone(), hop);
        self.by_peer.insert(peer, hop);
        let peer = Some(peer);
        self.links.insert(hop, Link { peer, ..link });
    }

    /// A module is loaded and answers for its name.
    pub fn add_module(&mut self, module: ModuleId, name: &str) {
        let identity = self.place.identity.clone();
        let hop = Hop::Module(module);
        self.links.insert(hop, Link::new(identity));
        self.services.insert(name.to_owned(), hop);
    }

    /// A process is started for a module, under a fresh identity.
    pub fn expect_module(&mut self, module: ModuleId, identity: Identity) {
        if let Some(link) = self.links.get_mut(&Hop::Module(module)) {
            link.identity = identity.clone();
            self.parties.insert(identity, Hop::Module(module));
        }
    }

    /// A module's process can be spoken to.
    pub fn module_up(&mut self, module: ModuleId, peer: PeerId) {
        if let Some(link) = self.links.get_mut(&Hop::Module(module)) {
            link.peer = Some(peer);
            self.by_peer.insert(peer, Hop::Module(module));
        }
    }

    /// Handles the end of a module's process: returns the requests that it has not
    /// finished answering. Its names stay.
    pub(crate) fn module_ended(&mut self, module: ModuleId) -> Vec<Call> {
        let hop = Hop::Module(module);
        let Some(link) = self.links.get_mut(&hop) else {
            return Vec::new();
        };
        self.parties.remove(&link.identity);
        let peer = link.peer.take();
        let subscriptions = std::mem::take(&mut link.subscriptions);
        if let Some(peer) = peer {
            self.by_peer.remove(&peer);
        }
        self.drop_subscriptions(&subscriptions);
        self.pending.requester_left(hop);
        self.pending.provider_left(hop)
    }

    /// A module is unloaded, and its names with it. Its process has ended before.
    pub fn remove_module(&mut self, module: ModuleId) {
        let hop = Hop::Module(module);
        self.links.remove(&hop);
        self.services.retain(|_, provider| *provider != hop);
    }

    /// Handles the loss of a program or a broker: answers requests that wait for it and,
    /// if it was a broker, notifies those it has asked, which it does not do itself.
    pub fn link_down(&mut self, hop: Hop) {
        let Some(link) = self.links.remove(&hop) else {
            return;
        };
        self.parties.remove(&link.identity);
        if let Some(peer) = link.peer {
            self.by_peer.remove(&peer);
        }
        for name in &link.services {
            self.services.remove(name);
        }
        self.drop_subscriptions(&link.subscriptions);
        if hop == Hop::Parent {
            self.ask_no_more();
        }
        let asked = self.pending.requester_left(hop);
        if hop.is_broker() {
            self.answer_ended(asked);
        }
        let text = match hop {
            Hop::Client(_) => Some(PROVIDER_LEFT),
            Hop::Parent => Some(PARENT_LEFT),
            Hop::Here | Hop::Module(_) | Hop::Child(_) => None,
        };
        for call in self.pending.provider_left(hop) {
            let cause = match hop {
                Hop::Client(_) => Cause::ServerDown,
                _ => Cause::NoPeer,
            };
            let may_repeat = self.may_repeat(call.request.topic());
            self.refuse(call.request, Stop::lost(cause, text, may_repeat));
        }
    }

    /// Sends a disconnect request for each sender and service among `asked`, whose
    /// senders cannot be reached any more (protocol/01 section 6.2).
    fn answer_ended(&mut self, asked: Vec<(Hop, Call)>) {
        let mut told = BTreeSet::new();
        for (provider, call) in asked {
            let mut message = call.request;
            let topic = topic::disconnect_of(message.topic());
            let sender: Vec<Identity> = message.routes_from_sender().cloned().collect();
            if !told.insert((provider, sender, topic.clone())) {
                continue;
            }
            if let wire::Kind::Request { matchtag, .. } = &mut message.kind {
                *matchtag = 0;
            }
            message.set_topic(&topic);
            message.set_payload(bytes::Bytes::new());
            message.set_flag(Flags::NORESPONSE, true);
            self.route_request(Hop::Here, message);
        }
    }

    fn drop_subscriptions(&mut self, subscriptions: &Subscriptions) {
        for (topic, n) in subscriptions.topics() {
            for _ in 0..n {
                self.want_no_more(topic);
            }
        }
    }

    /// Hop at the end of a link.
    pub fn hop_of(&self, peer: PeerId) -> Option<Hop> {
        self.by_peer.get(&peer).copied()
    }

    /// The link to send over, if there is one.
    pub fn peer_of(&self, hop: Hop) -> Option<PeerId> {
        self.links.get(&hop)?.peer
    }

    /// Hop with this identity.
    pub fn party(&self, identity: &Identity) -> Option<Hop> {
        self.parties.get(identity).copied()
    }

    /// The link over which requests of a sender come: the first of its names is the one
    /// that was stamped (see [`Message::sender`]).
    pub fn link_of(&self, sender: &Identity) -> Option<Hop> {
        let stamped = sender.as_str().split('/').next()?;
        self.party(&Identity::new(stamped)?)
    }

    /// Names that a module or program has registered besides its own.
    pub fn services_of(&self, hop: Hop) -> impl Iterator<Item = &str> {
        let link = self.links.get(&hop);
        let services = link.into_iter().flat_map(|link| &link.services);
        services.map(String::as_str)
    }
}
