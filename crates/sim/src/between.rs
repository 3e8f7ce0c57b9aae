//! Links between the brokers of a tree, and the end and return of a follower.
//!
//! A link keeps its order. Of the messages on their way when an end died a part arrives,
//! then the other end is notified.

use std::collections::VecDeque;

use node::{Input, PeerId, PeerKind};
use proto::attr::names;
use wire::Message;

use crate::stage::{self, Loader};
use crate::world::World;

/// Number of the first link at a parent's end.
const FIRST_LINK: u64 = 2_000_000;

/// The way of a message between a follower and its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From this follower to its parent.
    Up(usize),
    /// From its parent to this follower.
    Down(usize),
}

/// Message under way.
enum Passing {
    Message(Box<Message>),
    /// Nothing comes after it.
    End,
}

/// The link of a follower to its parent.
#[derive(Default)]
struct Link {
    up: VecDeque<Passing>,
    down: VecDeque<Passing>,
    /// True if the parent has been told of it.
    known: bool,
}

/// All links, by the rank of the follower: that of rank 0 is never used.
#[derive(Default)]
pub(crate) struct Between {
    links: Vec<Link>,
    parents: Vec<usize>,
}

impl Between {
    /// The links of a tree that is about to start.
    pub(crate) fn new(parents: Vec<usize>) -> Between {
        Between {
            links: parents.iter().map(|_| Link::default()).collect(),
            parents,
        }
    }

    /// Where a message of the broker on `rank` to `peer` goes, if to another broker.
    pub(crate) fn leads_to(&self, rank: usize, peer: PeerId) -> Option<Way> {
        if peer == PeerId::PARENT && rank > 0 {
            return Some(Way::Up(rank));
        }
        let child = usize::try_from(peer.0.checked_sub(FIRST_LINK)?).ok()?;
        (self.parents.get(child) == Some(&rank) && child > 0).then_some(Way::Down(child))
    }

    fn queue(&mut self, way: Way) -> &mut VecDeque<Passing> {
        match way {
            Way::Up(child) => &mut self.links[child].up,
            Way::Down(child) => &mut self.links[child].down,
        }
    }

    fn children(&self, rank: usize) -> Vec<usize> {
        let links = 1..self.links.len();
        links.filter(|child| self.parents[*child] == rank).collect()
    }
}

impl World {
    /// Ways on which something can arrive.
    pub(crate) fn busy_between(&self) -> Vec<Way> {
        let runs = |rank: usize| self.brokers[rank].is_some();
        let links = self.between.links.iter().enumerate().skip(1);
        let ways = links.flat_map(|(child, link)| {
            let up = !link.up.is_empty() && runs(self.between.parents[child]);
            let down = !link.down.is_empty() && runs(child);
            [
                up.then_some(Way::Up(child)),
                down.then_some(Way::Down(child)),
            ]
        });
        ways.flatten().collect()
    }

    /// True if a broker runs, and has loaded its modules: those below do not begin before.
    pub(crate) fn runs_modules(&self, rank: usize) -> bool {
        self.brokers[rank].is_some() && self.loaders[rank].is_idle()
    }

    /// Followers that have ended and can start again.
    pub(crate) fn to_be_started(&self) -> Vec<usize> {
        let ranks = 1..self.brokers.len();
        let can_start = |rank: &usize| {
            self.brokers[*rank].is_none()
                && self.runs_modules(self.between.parents[*rank])
                && self.between.links[*rank].up.is_empty()
        };
        ranks.filter(can_start).collect()
    }

    /// A broker says something to another.
    pub(crate) fn send_between(&mut self, way: Way, message: Message) {
        self.note(format!("{way:?}: {}", node::probe::line(&message)));
        self.between
            .queue(way)
            .push_back(Passing::Message(Box::new(message)));
    }

    /// The next thing on a way arrives.
    pub(crate) fn pass_between(&mut self, way: Way) {
        let passing = self.between.queue(way).pop_front();
        match (way, passing) {
            (_, None) => {}
            (Way::Up(child), Some(Passing::Message(message))) => self.arrive_up(child, *message),
            (Way::Up(child), Some(Passing::End)) => {
                if std::mem::take(&mut self.between.links[child].known) {
                    let peer = link_of(child);
                    self.deliver_to_broker(self.between.parents[child], Input::PeerDown { peer });
                }
            }
            (Way::Down(child), Some(Passing::Message(message))) => {
                let (from, message) = (PeerId::PARENT, *message);
                self.deliver_to_broker(child, Input::Message { from, message });
            }
            (Way::Down(child), Some(Passing::End)) => {
                let peer = PeerId::PARENT;
                self.deliver_to_broker(child, Input::PeerDown { peer });
            }
        }
    }

    fn arrive_up(&mut self, child: usize, message: Message) {
        let (from, parent) = (link_of(child), self.between.parents[child]);
        if !std::mem::replace(&mut self.between.links[child].known, true) {
            let broker = self.brokers[child].as_ref();
            let core = broker.map(|broker| broker.node().core());
            let identity = core.and_then(|core| core.attrs.value(&names::BROKER_UUID));
            let kind = PeerKind::Child {
                identity: identity.unwrap_or_default().to_owned(),
                key: String::new(),
            };
            self.deliver_to_broker(parent, Input::PeerUp { peer: from, kind });
        }
        self.deliver_to_broker(parent, Input::Message { from, message });
    }

    /// A broker lets go of a link.
    pub(crate) fn close_between(&mut self, rank: usize, peer: PeerId) {
        if let Some(way) = self.between.leads_to(rank, peer) {
            self.between.queue(way).push_back(Passing::End);
            if let Way::Down(child) = way {
                self.between.links[child].up.clear();
                self.between.links[child].known = false;
            }
        }
    }

    /// Kills or ends a follower: its last messages arrive in part, and its modules, shells
    /// and programs end with it.
    pub(crate) fn follower_ends(&mut self, rank: usize, how: &str) {
        if self.brokers[rank].take().is_none() {
            return;
        }
        self.note(format!("broker {rank} ends {how}"));
        self.processes.retain(|process| process.rank != rank);
        self.lose_shells(rank);
        let said = self.between.links[rank].up.len();
        let arrives = self.rng.below(said + 1);
        let link = &mut self.between.links[rank];
        link.down.clear();
        link.up.truncate(arrives);
        match link.known || arrives > 0 {
            true => link.up.push_back(Passing::End),
            false => link.up.clear(),
        }
        for child in self.between.children(rank) {
            let link = &mut self.between.links[child];
            link.up.clear();
            link.down.push_back(Passing::End);
            link.known = false;
        }
        for at in 0..self.links.len() {
            if self.home(self.links[at]) == rank {
                self.to_broker.remove(&self.links[at]);
                self.programs[at].cut();
                self.links[at] = self.connect(0);
            }
        }
        self.to_broker.remove(&self.loaders[rank].peer);
        self.loaders[rank] = Loader::new(PeerId::BROKER);
    }

    /// A follower starts, again or not.
    pub(crate) fn start_follower(&mut self, rank: usize) {
        self.note(format!("broker {rank} starts"));
        self.seed += 1_000_000;
        let folder = self.folder.as_ref();
        let broker = stage::broker(self.play, rank, self.seed, folder, self.config());
        self.brokers[rank] = Some(broker);
        self.between.links[rank].down.clear();
        self.wake_broker(rank);
        self.load_modules(rank);
    }
}

fn link_of(child: usize) -> PeerId {
    PeerId(FIRST_LINK + child as u64)
}
