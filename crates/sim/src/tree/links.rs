//! Transport of messages between two brokers, and of the end of a link to each side: as
//! in `runtime::overlay`.
//!
//! A link keeps its order and loses nothing while it holds. When one end has let go of it,
//! the other is notified as soon as it sends something. A sender on a dead connection
//! learns of it from the kernel, later.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{Input, PeerId, PeerKind};
use proto::Method;
use proto::overlay::Goodbye;
use wire::Message;

use super::{Brokers, Due};

/// Number of the first link at a parent's end.
const FIRST_LINK: u64 = 2_000_000;
/// Most that a message takes, in milliseconds.
const DELAY_MAX_MS: usize = 20;
/// Most until a broken connection means a lost broker, in milliseconds.
const GRACE_MAX_MS: usize = 2_000;
/// After which the kernel gives a dead connection up (`tbon.tcp_user_timeout`).
const KERNEL_TIMEOUT: Duration = Duration::from_secs(20);
/// Interval of attempts of a child to reach a parent that is not online yet.
const RETRY: Duration = Duration::from_millis(500);

/// The way of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the parent.
    Up,
    /// To the child.
    Down,
}

/// A link, from the start of a child.
#[derive(Debug)]
pub(super) struct Link {
    pub child: usize,
    pub parent: usize,
    /// Life of the parent that knows of it, once one does.
    pub parent_life: Option<u64>,
    /// True if the child, and true if the parent, still holds it.
    pub child_holds: bool,
    pub parent_holds: bool,
    /// Nothing arrives any more, and nobody has been notified.
    pub is_dead: bool,
    /// When the last message arrives, up and down.
    last: [Duration; 2],
}

/// All links that there have been, by their number at the parent's end.
#[derive(Debug, Default)]
pub(super) struct Links {
    all: BTreeMap<PeerId, Link>,
    /// The link of the broker that runs on a rank.
    of_child: BTreeMap<usize, PeerId>,
    n_opened: u64,
}

impl Links {
    pub fn open(&mut self, child: usize, parent: usize) {
        self.n_opened += 1;
        let id = PeerId(FIRST_LINK + self.n_opened);
        let link = Link {
            child,
            parent,
            parent_life: None,
            child_holds: true,
            parent_holds: false,
            is_dead: false,
            last: [Duration::ZERO; 2],
        };
        self.all.insert(id, link);
        if let Some(old) = self.of_child.insert(child, id)
            && let Some(old) = self.all.get_mut(&old)
        {
            old.child_holds = false;
        }
    }

    pub fn has(&self, id: PeerId) -> bool {
        self.all.contains_key(&id)
    }

    /// The link of the broker on a rank.
    pub fn of_child(&self, child: usize) -> Option<PeerId> {
        self.of_child.get(&child).copied()
    }

    pub fn get_mut(&mut self, id: PeerId) -> Option<&mut Link> {
        self.all.get_mut(&id)
    }
}

impl Brokers {
    /// Arrival time of a message that is sent now: after those that were sent before.
    fn travel(&mut self, id: PeerId, way: Way) -> Duration {
        let due = self.now.mono + self.up_to(DELAY_MAX_MS);
        let Some(link) = self.links.get_mut(id) else {
            return Duration::ZERO;
        };
        let last = &mut link.last[way as usize];
        *last = due.max(*last);
        last.saturating_sub(self.now.mono)
    }

    pub(super) fn send_up(&mut self, child: usize, message: Message) {
        let Some(id) = self.links.of_child(child) else {
            return;
        };
        let link = self.links.get_mut(id);
        let Some(link) = link.filter(|link| link.child_holds) else {
            return;
        };
        if link.is_dead {
            return self.suspect(id, Way::Down);
        }
        let wait = self.travel(id, Way::Up);
        self.later(wait, Due::Arrive(id, Way::Up, Box::new(message)));
    }

    pub(super) fn send_down(&mut self, id: PeerId, message: Message) {
        let link = self.links.get_mut(id);
        let Some(link) = link.filter(|link| link.parent_holds) else {
            return;
        };
        let (child, holds) = (link.child, link.child_holds);
        if link.is_dead {
            return self.suspect(id, Way::Up);
        }
        if !holds || !self.sites[child].is_running {
            let wait = self.up_to(GRACE_MAX_MS);
            return self.later(wait, Due::LinkEnds(id, Way::Up));
        }
        let wait = self.travel(id, Way::Down);
        self.later(wait, Due::Arrive(id, Way::Down, Box::new(message)));
    }

    /// One end has spoken into a dead connection; `way` leads to that end.
    fn suspect(&mut self, id: PeerId, way: Way) {
        let wait = KERNEL_TIMEOUT + self.up_to(GRACE_MAX_MS);
        self.later(wait, Due::LinkEnds(id, way));
    }

    pub(super) fn arrive(&mut self, id: PeerId, way: Way, message: Message) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let (child, parent, is_new) = (link.child, link.parent, link.parent_life.is_none());
        if link.is_dead {
            return;
        }
        match way {
            Way::Down if link.child_holds => {
                self.deliver_message(child, PeerId::PARENT, message);
            }
            Way::Down => {}
            Way::Up if is_new && (!self.sites[parent].is_running || self.is_cut(child)) => {
                self.later(RETRY, Due::Arrive(id, way, Box::new(message)));
            }
            Way::Up => self.arrive_up(id, message),
        }
    }

    fn arrive_up(&mut self, id: PeerId, message: Message) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let (child, parent) = (link.child, link.parent);
        let life = self.sites[parent].life;
        if link.parent_life.is_none() && !link.child_holds {
            return;
        }
        if link.parent_life.is_none() {
            (link.parent_life, link.parent_holds) = (Some(life), true);
            let core = self.sites[child].broker.node().core();
            let identity = core.attrs.value(&proto::attr::names::BROKER_UUID);
            let kind = PeerKind::Child {
                identity: identity.unwrap_or_default().to_owned(),
                key: String::new(),
            };
            self.deliver(parent, Input::PeerUp { peer: id, kind });
        }
        let link = self.links.get_mut(id);
        let is_known = link.is_some_and(|link| link.parent_life == Some(life) && link.parent_holds);
        if is_known {
            self.deliver_message(parent, id, message);
        } else if self.sites[parent].is_running {
            // It does not know this child, and says so.
            let wait = self.up_to(DELAY_MAX_MS);
            self.later(wait, Due::LinkEnds(id, Way::Down));
        }
    }

    fn deliver_message(&mut self, rank: usize, from: PeerId, message: Message) {
        self.counts.count(rank, &message);
        self.note(|| format!("{from:?} -> broker {rank}: {}", node::probe::line(&message)));
        if message.topic() == Goodbye::TOPIC && from != PeerId::PARENT {
            let child = self.links.get_mut(from).map(|link| link.child);
            self.counts.goodbyes.extend(child);
        }
        self.deliver(rank, Input::Message { from, message });
    }

    /// Notifies the end of a link to which `way` leads that it has ended.
    pub(super) fn end_link(&mut self, id: PeerId, way: Way) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let (child, parent) = (link.child, link.parent);
        let (holds, rank, peer) = match way {
            Way::Up => (&mut link.parent_holds, parent, id),
            Way::Down => (&mut link.child_holds, child, PeerId::PARENT),
        };
        let is_of_this_life = way == Way::Down || link.parent_life == Some(self.sites[parent].life);
        if std::mem::take(holds) && is_of_this_life {
            self.note(|| format!("broker {rank} loses {peer:?}"));
            self.deliver(rank, Input::PeerDown { peer });
        }
    }

    /// A broker lets go of its end.
    pub(super) fn close(&mut self, rank: usize, peer: PeerId) {
        let id = match peer {
            PeerId::PARENT => self.links.of_child(rank),
            peer => Some(peer),
        };
        if let Some(link) = id.and_then(|id| self.links.get_mut(id)) {
            match peer {
                PeerId::PARENT => link.child_holds = false,
                _ => link.parent_holds = false,
            }
        }
    }

    /// A broker has ended: its children notice, its parent when it says something.
    pub(super) fn let_go(&mut self, rank: usize) {
        let own = self.links.of_child(rank);
        if let Some(link) = own.and_then(|id| self.links.get_mut(id)) {
            link.child_holds = false;
        }
        let life = self.sites[rank].life;
        for child in self.topology.children(rank as u32).to_vec() {
            let Some(id) = self.links.of_child(child as usize) else {
                continue;
            };
            let known_by = self.links.get_mut(id).and_then(|link| link.parent_life);
            if known_by == Some(life) {
                let wait = self.up_to(GRACE_MAX_MS);
                self.later(wait, Due::LinkEnds(id, Way::Down));
            }
        }
    }
}
