//! The hand of a job-exec: its work on every rank. It starts the shell of its own rank and
//! receives its messages, passes orders down to the job-execs below and news up to the one
//! above. Rank 0 has one too, whose news goes to the head (`gather.rs`) without a message.
//!
//! Read on in `part.rs` (its part of a job), `shell.rs` (the shell of its own rank),
//! `obey.rs` (orders on their way down), `uplink.rs` and `links.rs` (to the one above, from
//! those below), `barrier.rs` and `letters.rs` (what shells have to do with each other).

mod barrier;
mod letters;
mod links;
mod obey;
mod part;
mod shell;
mod uplink;

use std::collections::BTreeMap;

use node::{ChildId, Cx, Peer, Stream, StreamId, TimerId};
use proto::data::{IdSet, JobId};
use proto::job_exec::{Join, Order};
use proto::overlay::Tree;
use wire::Identity;

pub use part::Part;
pub use uplink::Uplink;

use crate::JobExec;

/// Shells and links of a job-exec.
#[derive(Default)]
pub struct Hand {
    /// Part of each job.
    pub parts: BTreeMap<JobId, Part>,
    /// The brokers below; `None` if there are none.
    pub tree: Option<Tree>,
    /// The job-execs below that have joined, by the rank of their brokers.
    pub links: BTreeMap<u32, Link>,
    /// Links that had parts, and may come again.
    pub gone: BTreeMap<u32, Gone>,
    /// Joins whose place in the tree is being looked up.
    pub joining: BTreeMap<StreamId, (Join, Stream<Join>)>,
    /// Streams on which those below take orders.
    pub joined: BTreeMap<StreamId, u32>,
    /// Shells that are our children.
    pub children: BTreeMap<ChildId, JobId>,
    /// Streams on which shells of our own rank take orders.
    pub streams: BTreeMap<StreamId, JobId>,
    /// The way to the job-exec above.
    pub up: Uplink,
    /// Bytes in the boxes of all leading shells here.
    pub mail_bytes: usize,
    /// Bytes of words that wait for the way up.
    pub transit_bytes: usize,
    /// Bytes of output of shells that wait for the way up.
    pub wrote_bytes: usize,
}

/// A job-exec below.
pub struct Link {
    /// Broker and all below that.
    pub below: IdSet,
    /// Identity of the sender.
    pub sender: Option<Identity>,
    /// UUID of its broker.
    pub broker: String,
    /// Takes orders.
    pub stream: Stream<Join>,
    /// Orders that go with the next message.
    pub queue: BTreeMap<JobId, Vec<Order>>,
    /// True if it waits for the answer to its join.
    pub is_new: bool,
    /// True if it may not know all of its shells yet.
    pub is_fresh: bool,
}

/// A job-exec below that is not there.
pub struct Gone {
    /// Broker and all below that.
    pub below: IdSet,
    /// See [`Link::sender`].
    pub sender: Option<Identity>,
    /// See [`Link::broker`].
    pub broker: String,
    /// Runs until its shells are given up.
    pub timer: Option<TimerId>,
}

impl Gone {
    /// One that was there.
    pub fn of(link: &Link) -> Gone {
        Gone {
            below: link.below.clone(),
            sender: link.sender.clone(),
            broker: link.broker.clone(),
            timer: None,
        }
    }
}

impl Link {
    /// The order for a job to which something can be added.
    fn order(&mut self, id: JobId, lease: &str) -> &mut Order {
        let orders = self.queue.entry(id).or_default();
        let can_grow = |order: &Order| order.lease == lease && order.dismiss.is_none();
        if !orders.last().is_some_and(can_grow) {
            orders.push(Order::of(id, lease));
        }
        let last = orders.len() - 1;
        &mut orders[last]
    }
}

impl Hand {
    /// The job-exec below through which a rank is reached: the nearest to it.
    pub fn link_to(&self, rank: u32) -> Option<u32> {
        if self.links.contains_key(&rank) {
            return Some(rank);
        }
        let has_it = |link: &&(&u32, &Link)| link.1.below.contains(rank);
        let links = self.links.iter();
        let nearest = links.filter(|link| has_it(&link));
        nearest
            .min_by_key(|(_, link)| link.below.count())
            .map(|(rank, _)| *rank)
    }

    /// The job-execs below through which ranks are reached, and which; and those that are
    /// reached through none. Our own rank is left out.
    pub fn split(&self, own: u32, ranks: &IdSet) -> (BTreeMap<u32, IdSet>, IdSet) {
        let mut by_link: BTreeMap<u32, IdSet> = BTreeMap::new();
        let mut others = IdSet::new();
        for rank in ranks.iter().filter(|rank| *rank != own) {
            match self.link_to(rank) {
                Some(link) => by_link.entry(link).or_default().insert(rank),
                None => others.insert(rank),
            }
        }
        (by_link, others)
    }

    /// True if a request came through the broker of a job-exec below, which is offline just
    /// now, or it would not be ours to answer.
    pub fn is_from_below(&self, peer: &Peer) -> bool {
        let links = self.links.values().map(|link| &link.sender);
        let senders = links.chain(self.gone.values().map(|gone| &gone.sender));
        let broker = peer.sender.as_ref().map(broker_of);
        broker.is_some()
            && senders
                .flatten()
                .any(|sender| Some(broker_of(sender)) == broker)
    }

    /// Walks the cross-references.
    pub fn check(&self) {
        for (child, id) in &self.children {
            let part = self.parts.get(id);
            let child_of = part.and_then(|part| part.shell.child);
            assert_eq!(child_of, Some(*child), "a child is no shell's");
        }
        for (stream, rank) in &self.joined {
            let link = self.links.get(rank).map(|link| link.stream.id());
            assert_eq!(link, Some(*stream), "a stream leads to no link");
        }
        let mail: usize = self
            .parts
            .values()
            .map(|part| part.shell.mail.bytes())
            .sum();
        assert_eq!(mail, self.mail_bytes, "letters are counted wrong");
    }
}

/// The broker through which a sender speaks that is not of our own.
fn broker_of(sender: &Identity) -> &str {
    let name = sender.as_str();
    name.split_once('/').map_or(name, |(broker, _)| broker)
}

impl JobExec {
    /// A job has news: the head looks at them, or they are sent to the job-exec above.
    pub(crate) fn news(&mut self, cx: &mut Cx<Self>, id: JobId) {
        match cx.rank() {
            0 => self.advance(cx, id),
            _ => drop(self.hand.up.dirty.insert(id)),
        }
    }

    /// Adds to the next message for a job-exec below.
    pub(crate) fn queue(&mut self, id: JobId, link: u32, add: impl FnOnce(&mut Order)) {
        let lease = self.hand.parts.get(&id).map(|part| part.lease.clone());
        if let (Some(link), Some(lease)) = (self.hand.links.get_mut(&link), lease) {
            add(link.order(id, &lease));
        }
    }

    /// Gives an order for a job: here, and to those below that have part in it.
    pub(crate) fn order_all(&mut self, cx: &mut Cx<Self>, id: JobId, set: impl FnOnce(&mut Order)) {
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        let mut order = Order::of(id, &part.lease);
        set(&mut order);
        self.obey(cx, order);
    }
}
