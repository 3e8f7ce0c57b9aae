//! Transport of transactions from this rank, and from those below it, to rank 0.
//!
//! A lone transaction goes at once. While its relay is unanswered, transactions that queue in
//! the same namespace join the next one, so that under load there is one message a link for all
//! of a subtree, regardless of how many clients make them. Other namespaces do not wait for it,
//! as long as few relays are under way.
//!
//! Nothing is sent twice from here: a kvs above that dies has the relay again, by its broker.
//! An error of a relay as a whole is sent to all in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use node::{Call, Cx, Reply};
use proto::attr::names;
use proto::kvs::{Commit, Relay, RelayBlock, RelayTxn, Relayed};
use proto::{Errno, Refusal};

use crate::Kvs;
use crate::limits::{RELAY_BYTES_MAX, RELAYED_BYTES_MAX, RELAYS_MAX};
use crate::namespace::{ForVersion, Version, Waiter};
use crate::owed::{Place, read_result, result_of};

/// Relays that are answered before we know that everything that a predecessor of this
/// process owed has been handed to us: see `node::Recall`.
const RELAYS_TO_SETTLE: u32 = 3;

/// A transaction on its way up.
#[derive(Debug)]
pub struct Item {
    /// Rank at which it was made.
    pub rank: u32,
    /// UUID of that rank's broker.
    pub origin: Rc<str>,
    /// Of another rank: the numbers up to which that rank has received answers. Ours is
    /// set when it is sent.
    pub floor: u64,
    /// Transaction.
    pub txn: RelayTxn,
    /// Receiver of its result.
    pub teller: Teller,
}

/// Receiver of the result of an item.
#[derive(Debug)]
pub enum Teller {
    /// A client of ours.
    Client(Reply<Commit>),
    /// A rank below.
    Below(Place),
}

/// The way up.
#[derive(Debug, Default)]
pub struct Uplink {
    /// Waiting items, by namespace.
    queues: BTreeMap<String, VecDeque<Item>>,
    /// Namespaces with something to send that are in no relay under way.
    ready: VecDeque<String>,
    /// Relays under way, and the bytes of each.
    under_way: BTreeMap<u64, Sent>,
    /// Namespaces of those.
    busy: BTreeSet<String>,
    /// Bytes that wait, and those under way.
    queued_bytes: usize,
    sent_bytes: usize,
    n_items: usize,
    numbered: u64,
    n_answered: u32,
    /// Numbers of our own transactions, and namespaces being made, that are not answered.
    open: BTreeSet<u64>,
}

#[derive(Debug)]
struct Sent {
    items: Vec<InFlight>,
    bytes: usize,
}

/// Data kept of an item that is under way.
#[derive(Debug)]
struct InFlight {
    number: u64,
    namespace: String,
    teller: Teller,
}

impl Item {
    fn bytes(&self) -> usize {
        self.txn.ops.as_str().len() + 256
    }
}

impl Uplink {
    /// True if there is room for `bytes` more.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.n_items == 0 || self.queued_bytes + self.sent_bytes + bytes <= RELAYED_BYTES_MAX
    }

    /// Transactions that wait or are under way.
    pub fn n_items(&self) -> usize {
        self.n_items
    }

    /// Queues a transaction to be sent.
    pub fn push(&mut self, item: Item) {
        self.n_items += 1;
        self.queued_bytes += item.bytes();
        if matches!(item.teller, Teller::Client(_)) {
            self.begin(item.txn.number);
        }
        let name = item.txn.namespace.clone();
        let queue = self.queues.entry(name.clone()).or_default();
        queue.push_back(item);
        if queue.len() == 1 && !self.busy.contains(&name) {
            self.ready.push_back(name);
        }
    }

    /// A request of ours with this number may come again.
    pub fn begin(&mut self, number: u64) {
        if number != 0 {
            self.open.insert(number);
        }
    }

    /// A request of ours is answered.
    pub fn end(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// Below which numbers everything of ours is answered, 0 when that is not sure.
    pub fn floor(&self) -> u64 {
        let first = self.open.first().copied();
        let is_sure = self.n_answered >= RELAYS_TO_SETTLE;
        first.filter(|_| is_sure).unwrap_or(0)
    }

    /// The next relay, if one may go.
    fn next(&mut self) -> Option<Vec<Item>> {
        if self.under_way.len() >= RELAYS_MAX {
            return None;
        }
        let mut items = Vec::new();
        let mut bytes = 0;
        while let Some(name) = self.ready.front() {
            let Some(queue) = self.queues.get_mut(name) else {
                self.ready.pop_front();
                continue;
            };
            let Some(first) = queue.front() else {
                self.queues.remove(name);
                self.ready.pop_front();
                continue;
            };
            let more = first.bytes();
            let is_alone = items.is_empty() && self.under_way.is_empty();
            let has_room = bytes + more <= RELAY_BYTES_MAX
                && self.sent_bytes + bytes + more <= RELAYS_MAX * RELAY_BYTES_MAX;
            if !is_alone && !has_room {
                break;
            }
            bytes += more;
            items.extend(queue.pop_front());
        }
        for item in &items {
            if !self.busy.contains(&item.txn.namespace) {
                self.busy.insert(item.txn.namespace.clone());
            }
        }
        // One that is only partly in it waits for the rest.
        self.ready.retain(|name| !self.busy.contains(name));
        self.queued_bytes -= bytes;
        self.sent_bytes += bytes;
        (!items.is_empty()).then_some(items)
    }

    fn sent(&mut self, items: Vec<InFlight>, bytes: usize) -> u64 {
        self.numbered += 1;
        self.under_way.insert(self.numbered, Sent { items, bytes });
        self.numbered
    }

    fn answered(&mut self, relay: u64) -> Vec<InFlight> {
        let Some(sent) = self.under_way.remove(&relay) else {
            return Vec::new();
        };
        self.sent_bytes -= sent.bytes;
        self.n_items -= sent.items.len();
        self.n_answered = self.n_answered.saturating_add(1);
        for item in &sent.items {
            let name = &item.namespace;
            if self.busy.remove(name) && self.queues.get(name).is_some_and(|q| !q.is_empty()) {
                self.ready.push_back(name.clone());
            }
        }
        sent.items
    }

    /// Panics if the tables disagree.
    pub fn check(&self) {
        let queued: usize = self.queues.values().flatten().map(Item::bytes).sum();
        let n_queued: usize = self.queues.values().map(VecDeque::len).sum();
        let sent = self.under_way.values();
        let n_sent: usize = sent.clone().map(|sent| sent.items.len()).sum();
        assert_eq!(self.queued_bytes, queued);
        assert_eq!(self.sent_bytes, sent.map(|sent| sent.bytes).sum::<usize>());
        assert_eq!(self.n_items, n_queued + n_sent);
        for (name, queue) in &self.queues {
            let is_known = self.busy.contains(name) || self.ready.contains(name);
            assert!(queue.is_empty() || is_known, "{name} is forgotten");
        }
    }
}

impl Kvs {
    /// Sends the queued items up.
    pub(crate) fn send_relays(&mut self, cx: &mut Cx<Self>) {
        while let Some(follower) = &mut self.follower
            && let Some(items) = follower.uplink.next()
        {
            let (rank, broker) = here(cx);
            let floor = follower.floor();
            let bytes = items.iter().map(Item::bytes).sum();
            let (blocks, told) = blocks_of(items, |item| match item.origin == broker {
                true => floor,
                false => item.floor,
            });
            let relay = follower.uplink.sent(told, bytes);
            let call = Call::new(&Relay { blocks }).upstream(rank);
            cx.call_with(call, move |core: &mut Kvs, cx, result| {
                core.relay_answered(cx, relay, result);
            });
        }
    }

    fn relay_answered(&mut self, cx: &mut Cx<Self>, relay: u64, result: Result<Relayed, Refusal>) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        let items = follower.uplink.answered(relay);
        let results = result.and_then(|relayed| match relayed.results.len() == items.len() {
            true => Ok(relayed.results),
            false => Err(Refusal::new(Errno::EPROTO, "kvs.relay: malformed response")),
        });
        let results: Vec<Result<Version, Refusal>> = match results {
            Ok(results) => results.into_iter().map(read_result).collect(),
            Err(refusal) => items.iter().map(|_| Err(refusal.clone())).collect(),
        };
        for (item, result) in items.into_iter().zip(results) {
            self.answer_item(cx, item, result);
        }
        self.advance(cx);
    }

    /// Answers an item with its result. Its author here sees it from then on, even if the
    /// event was missed.
    fn answer_item(&mut self, cx: &mut Cx<Self>, item: InFlight, result: Result<Version, Refusal>) {
        let namespace = self.namespaces.get_mut(&item.namespace);
        if let (Ok(version), Some(namespace)) = (&result, namespace) {
            namespace.receive_version(cx, *version);
            if namespace.is_paused
                && namespace.version.seq < version.seq
                && let Teller::Client(reply) = item.teller
            {
                self.end_own(item.number);
                let (seq, reply) = (version.seq, ForVersion::Made(reply, *version));
                return namespace_waits(self, &item.namespace, Waiter { seq, reply });
            }
        }
        match item.teller {
            Teller::Client(reply) => {
                self.end_own(item.number);
                reply.send_refusal(cx, result.map(Version::committed));
            }
            Teller::Below(place) => self.ends.relays.fill(cx, place, result_of(&result)),
        }
    }

    fn end_own(&mut self, number: u64) {
        if let Some(follower) = &mut self.follower {
            follower.uplink.end(number);
        }
    }
}

fn namespace_waits(core: &mut Kvs, name: &str, waiter: Waiter) {
    if let Some(namespace) = core.namespaces.get_mut(name) {
        namespace.waiters.push(waiter);
    }
}

/// Our rank, and the UUID of our broker.
pub fn here(cx: &Cx<Kvs>) -> (u32, Rc<str>) {
    let broker = cx.attr(&names::BROKER_UUID).unwrap_or_default();
    (cx.rank(), broker.into())
}

/// The items in their order, those that follow each other from one rank in one block, and
/// the data kept of them.
fn blocks_of(
    items: Vec<Item>,
    floor_of: impl Fn(&Item) -> u64,
) -> (Vec<RelayBlock>, Vec<InFlight>) {
    let (mut blocks, mut told) = (Vec::<RelayBlock>::new(), Vec::with_capacity(items.len()));
    for item in items {
        let floor = floor_of(&item);
        told.push(InFlight {
            number: item.txn.number,
            namespace: item.txn.namespace.clone(),
            teller: item.teller,
        });
        match blocks.last_mut() {
            Some(block) if block.rank == item.rank && block.origin == *item.origin => {
                block.floor = block.floor.max(floor);
                block.txns.push(item.txn);
            }
            _ => blocks.push(RelayBlock {
                rank: item.rank,
                origin: item.origin.to_string(),
                floor,
                txns: vec![item.txn],
            }),
        }
    }
    (blocks, told)
}
