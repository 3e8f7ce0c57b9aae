//! The broker among others: its parent and its children in the tree, its bootstrap, and
//! the loss of one of them (protocol/20).
//!
//! Read on in `link.rs` (the states of a link), `children.rs` (their states, pure), `join.rs` (we
//! come to our parent), `admit.rs` (a child comes to us), `quorum.rs` (whether there are enough),
//! `pulse.rs` (keepalives), `loss.rs` (lost brokers), `leave.rs` (the end). Messages go through
//! `router/`; links are the runtime's. An instance of one broker has neither parent nor children,
//! and none of this does anything.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{PeerId, Stream, StreamId};
use proto::data::{Hostlist, IdSet, Topology};
use proto::overlay::{Health, Monitor};
use wire::{Kind, Message};

mod admit;
mod children;
mod join;
mod leave;
mod link;
mod loss;
mod pulse;
mod quorum;

pub(crate) use children::Children;
pub(crate) use link::{Climb, Parent};

/// Connections of a broker, known before it starts.
#[derive(Debug, Clone)]
pub struct Links {
    /// The tree.
    pub topology: Topology,
    /// The public key of each child, where every broker has its own.
    pub keys: BTreeMap<u32, String>,
    /// Address of the parent.
    pub parent_uri: Option<String>,
}

impl Links {
    /// Connections known from the start: the shape of the tree.
    pub fn new(topology: Topology) -> Links {
        Links {
            topology,
            keys: BTreeMap::new(),
            parent_uri: None,
        }
    }

    /// A broker without others.
    pub fn alone() -> Links {
        Links::new(Topology::new(proto::data::topology::Scheme::Kary(0), 1))
    }
}

/// A broker that has not said hello.
#[derive(Debug)]
struct Stranger {
    identity: String,
    key: String,
    /// Hello, while we are not ready ourselves.
    hello: Option<Message>,
}

/// State of the other brokers.
pub(crate) struct Tree {
    pub(crate) children: Children,
    pub(crate) parent: Parent,
    /// State of the parent, by number, once it has sent it.
    pub(crate) parent_state: Option<i64>,
    keys: BTreeMap<u32, String>,
    parent_uri: String,
    strangers: BTreeMap<PeerId, Stranger>,
    /// Names of hosts by rank.
    hosts: Hostlist,
    pub(crate) health: BTreeMap<StreamId, Stream<Health>>,
    pub(crate) monitors: BTreeMap<StreamId, Stream<Monitor>>,
    /// On rank 0, the ranks that are there.
    online: IdSet,
    /// True if the quorum is reached, and whether that took long.
    is_full: bool,
    was_delayed: bool,
    /// Time of the last check of peers.
    looked: Duration,
    /// Time of the last message to the parent.
    told: Duration,
}

impl Tree {
    /// A place in the tree, with nobody there yet.
    pub(crate) fn new(rank: u32, links: &Links, hosts: Hostlist) -> Tree {
        Tree {
            children: Children::new(links.topology.children(rank)),
            parent: match rank {
                0 => Parent::None,
                _ => Parent::Joining,
            },
            parent_state: None,
            keys: links.keys.clone(),
            parent_uri: links.parent_uri.clone().unwrap_or_default(),
            strangers: BTreeMap::new(),
            hosts,
            health: BTreeMap::new(),
            monitors: BTreeMap::new(),
            online: IdSet::new(),
            is_full: false,
            was_delayed: false,
            looked: Duration::ZERO,
            told: Duration::ZERO,
        }
    }

    /// A rank with its host, as users see it: `HOST (rank N)`.
    pub(crate) fn name(&self, rank: u32) -> String {
        let host = self.hosts.get(rank as usize).unwrap_or("?");
        format!("{host} (rank {rank})")
    }

    /// The host of a rank.
    pub(crate) fn host(&self, rank: u32) -> Option<&str> {
        self.hosts.get(rank as usize)
    }

    /// The hosts are these from now on.
    pub(crate) fn set_hosts(&mut self, hosts: Hostlist) {
        self.hosts = hosts;
    }

    /// Something happens between us and our parent. Returns true if it fits.
    fn climb(&mut self, step: Climb) -> bool {
        let next = link::climb(self.parent, step);
        self.parent = next.unwrap_or(self.parent);
        next.is_some()
    }

    /// Lets go of a stream whose client has left.
    pub(crate) fn forget_stream(&mut self, id: StreamId) {
        if let Some(stream) = self.health.remove(&id) {
            stream.forget();
        }
        if let Some(stream) = self.monitors.remove(&id) {
            stream.forget();
        }
    }
}

/// A control message.
fn control(control: u32, status: u32) -> Message {
    let mut message = Message::new(Kind::Control { control, status });
    message.enable_routes();
    message
}

#[cfg(test)]
mod tests;
