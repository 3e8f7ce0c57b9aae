//! Transactions of other ranks known to rank 0: those that wait, and those that are done
//! and may be sent again.
//!
//! A relay may come twice: each kvs on its way may die with it, and its next process has it
//! again. So the numbers of done transactions are stored in the very batch that does it,
//! one record for a rank, and a transaction whose number is there is answered and not done
//! again. A rank sends with each relay the number below which it has had all answers
//! (`floor`); those are forgotten. The transactions kept of one rank are therefore those of
//! its last relays.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use node::Cx;
use proto::Refusal;
use proto::content::Record;
use rustc_hash::FxHashMap;

use crate::Kvs;
use crate::limits::FORMER_BROKERS_MAX;
use crate::namespace::Version;
use crate::owed::{Mark, Owed, Place, Relays, result_of};
use crate::saved::{self, SavedOrigin};

/// Transactions of all other ranks.
#[derive(Debug, Default)]
pub struct Known {
    ranks: BTreeMap<u32, Origin>,
    /// Receivers of the results of those under way.
    open: FxHashMap<Mark, Vec<Place>>,
    /// Marks of the transactions in each batch under way.
    noted: BTreeMap<u64, Vec<(Mark, Version)>>,
}

/// Transactions done of one rank.
#[derive(Debug)]
struct Origin {
    /// UUID of its broker. One that was started again sends nothing of its predecessor's.
    broker: Rc<str>,
    floor: u64,
    done: BTreeMap<u64, Version>,
    /// UUIDs of its predecessors: messages of theirs may still be on their way.
    former: VecDeque<Rc<str>>,
}

impl Origin {
    fn of(broker: Rc<str>) -> Origin {
        Origin {
            broker,
            floor: 0,
            done: BTreeMap::new(),
            former: VecDeque::new(),
        }
    }

    /// Another broker has taken the place of the one that is known.
    fn succeed(&mut self, broker: &str) {
        let before = std::mem::replace(self, Origin::of(broker.into()));
        self.former = before.former;
        if self.former.len() == FORMER_BROKERS_MAX {
            self.former.pop_front();
        }
        self.former.push_back(before.broker);
    }
}

/// State of a transaction that has come.
#[derive(Debug)]
pub enum Seen {
    /// The transaction is new, and its end is owed to this.
    Fresh(Owed),
    /// The transaction was done before.
    Done(Version),
    /// The transaction is under way, and its sender waits with others.
    Waits,
}

impl Known {
    /// Begins with the saved records.
    pub fn of(saved: BTreeMap<u32, SavedOrigin>) -> Known {
        let origin = |saved: SavedOrigin| Origin {
            done: saved.done.into_iter().collect(),
            ..Origin::of(saved.broker.into())
        };
        Known {
            ranks: saved
                .into_iter()
                .map(|(rank, saved)| (rank, origin(saved)))
                .collect(),
            ..Known::default()
        }
    }

    /// Records a rank's broker, and the numbers that it does not need any more. One that is
    /// late and has a successor changes nothing: its transactions are done and not
    /// recognised, for nobody is left to be answered.
    pub fn receive(&mut self, rank: u32, broker: &str, floor: u64) -> Rc<str> {
        let origin = self
            .ranks
            .entry(rank)
            .or_insert_with(|| Origin::of(broker.into()));
        if &*origin.broker != broker {
            if let Some(late) = origin.former.iter().find(|former| &***former == broker) {
                return late.clone();
            }
            origin.succeed(broker);
        }
        if floor > origin.floor {
            origin.floor = floor;
            origin.done = origin.done.split_off(&floor);
        }
        origin.broker.clone()
    }

    /// Registers a transaction whose end is to go to `place`.
    pub fn take(&mut self, mark: Mark, place: Place) -> Seen {
        if mark.2 == 0 {
            return Seen::Fresh(Owed::Relay(place));
        }
        if let Some(version) = self.done(&mark) {
            return Seen::Done(version);
        }
        let waiting = self.open.entry(mark.clone()).or_default();
        waiting.push(place);
        match waiting.len() {
            1 => Seen::Fresh(Owed::Marked(mark)),
            _ => Seen::Waits,
        }
    }

    /// Version made by a transaction that was done before.
    pub fn done(&self, (rank, broker, number): &Mark) -> Option<Version> {
        let origin = self.ranks.get(rank)?;
        let is_its = origin.broker == *broker;
        origin.done.get(number).copied().filter(|_| is_its)
    }

    /// Notes that a batch does something. Transactions without a number will not be
    /// recognised.
    pub fn note(&mut self, batch: u64, mark: &Mark, version: Version) {
        if mark.2 != 0 {
            let noted = self.noted.entry(batch).or_default();
            noted.push((mark.clone(), version));
        }
    }

    /// The records to be stored with a batch: those of the ranks that it does something of.
    pub fn records(&self, batch: u64) -> Vec<Record> {
        let noted = self.noted.get(&batch).into_iter().flatten();
        let ranks = noted.map(|((rank, _, _), _)| (*rank, Vec::new()));
        let mut by_rank: BTreeMap<u32, Vec<(u64, &Version)>> = ranks.collect();
        for ((rank, broker, number), version) in self.noted.range(..=batch).flat_map(|(_, n)| n) {
            if let Some(of_rank) = by_rank.get_mut(rank)
                && let Some(origin) = self.ranks.get(rank)
                && origin.broker == *broker
            {
                of_rank.push((*number, version));
            }
        }
        let record = |(rank, noted): (u32, Vec<(u64, &Version)>)| {
            let origin = self.ranks.get(&rank)?;
            let done = origin.done.iter();
            let done = done.map(|(number, version)| (*number, version));
            let all = done.chain(noted);
            Some(saved::origin_record(rank, &origin.broker, all))
        };
        by_rank.into_iter().filter_map(record).collect()
    }

    /// The end of a batch is known.
    pub fn batch_over(&mut self, batch: u64, is_stored: bool) {
        for ((rank, broker, number), version) in self.noted.remove(&batch).unwrap_or_default() {
            if let Some(origin) = self.ranks.get_mut(&rank)
                && is_stored
                && origin.broker == broker
                && number >= origin.floor
            {
                origin.done.insert(number, version);
            }
        }
    }
}

/// Receivers of the ends of transactions.
#[derive(Debug, Default)]
pub struct Ends {
    /// Relays that are not answered.
    pub relays: Relays,
    /// Record of their transactions.
    pub known: Known,
}

impl Ends {
    /// Answers the sender of a transaction with its result.
    pub fn answer(&mut self, cx: &mut Cx<Kvs>, owed: Owed, result: &Result<Version, Refusal>) {
        match owed {
            Owed::Client(reply) => {
                let result = result.clone();
                reply.send_refusal(cx, result.map(Version::committed));
            }
            Owed::Marked(mark) => {
                for place in self.known.open.remove(&mark).unwrap_or_default() {
                    self.relays.fill(cx, place, result_of(result));
                }
            }
            Owed::Relay(place) => self.relays.fill(cx, place, result_of(result)),
            Owed::Nobody => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::data::{HashKind, Tree};

    use super::*;

    #[test]
    fn one_that_is_late_does_not_push_its_successor_out() {
        let mut known = Known::default();
        let version = || Version {
            root: Tree::empty_dir().blobref(HashKind::Sha1),
            seq: 1,
        };
        let mut batch = 0;
        let mut hears = |known: &mut Known, broker: &str, number: u64| {
            batch += 1;
            let mark = (3, known.receive(3, broker, 0), number);
            known.note(batch, &mark, version());
            let n_records = known.records(batch).len();
            known.batch_over(batch, true);
            (n_records, known.done(&mark).is_some())
        };
        assert_eq!(hears(&mut known, "old", 7), (1, true));
        assert_eq!(hears(&mut known, "new", 8), (1, true));
        // It is done, and leaves no trace.
        assert_eq!(hears(&mut known, "old", 9), (1, false));
        let new = known.receive(3, "new", 0);
        assert!(known.done(&(3, new, 8)).is_some());
        for n in 0..2 * FORMER_BROKERS_MAX {
            known.receive(3, &n.to_string(), 0);
        }
        assert_eq!(known.ranks[&3].former.len(), FORMER_BROKERS_MAX);
    }
}
