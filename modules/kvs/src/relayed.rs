//! What rank 0 knows of the transactions of other ranks: which of them wait, and which are
//! done and may be sent again.
//!
//! A relay may come twice: each kvs on its way may die with it, and its next process has it
//! again. So the numbers of what was done are stored in the very batch that does it, one
//! record for a rank, and a transaction whose number is there is answered and not done
//! again. A rank says with each relay below which number it has had all answers (`floor`);
//! those are forgotten. What is there of one rank is therefore what its last relays had.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use node::Cx;
use proto::Refusal;
use proto::content::Record;
use rustc_hash::FxHashMap;

use crate::Kvs;
use crate::namespace::Version;
use crate::owed::{Mark, Owed, Place, Relays, result_of};
use crate::saved::{self, SavedOrigin};

/// Transactions of all other ranks.
#[derive(Debug, Default)]
pub struct Known {
    ranks: BTreeMap<u32, Origin>,
    /// Who waits for those that are under way.
    open: FxHashMap<Mark, Vec<Place>>,
    /// Those that each batch under way does.
    noted: BTreeMap<u64, Vec<(Mark, Version)>>,
}

/// What was done of one rank.
#[derive(Debug)]
struct Origin {
    /// UUID of its broker. One that was started again sends nothing of its predecessor's.
    broker: Rc<str>,
    floor: u64,
    done: BTreeMap<u64, Version>,
}

/// What a transaction is to us that has come.
#[derive(Debug)]
pub enum Seen {
    /// It is new, and its end is owed to this.
    Fresh(Owed),
    /// It was done before.
    Done(Version),
    /// It is under way, and its sender waits with others.
    Waits,
}

impl Known {
    /// Begins with what was saved.
    pub fn of(saved: BTreeMap<u32, SavedOrigin>) -> Known {
        let origin = |saved: SavedOrigin| Origin {
            broker: saved.broker.into(),
            floor: 0,
            done: saved.done.into_iter().collect(),
        };
        Known {
            ranks: saved
                .into_iter()
                .map(|(rank, saved)| (rank, origin(saved)))
                .collect(),
            ..Known::default()
        }
    }

    /// Hears of a rank's broker, and what it does not need any more.
    pub fn hear(&mut self, rank: u32, broker: &str, floor: u64) -> Rc<str> {
        let origin = self.ranks.entry(rank).or_insert_with(|| Origin {
            broker: broker.into(),
            floor: 0,
            done: BTreeMap::new(),
        });
        if &*origin.broker != broker {
            *origin = Origin {
                broker: broker.into(),
                floor: 0,
                done: BTreeMap::new(),
            };
        }
        if floor > origin.floor {
            origin.floor = floor;
            origin.done = origin.done.split_off(&floor);
        }
        origin.broker.clone()
    }

    /// Takes in a transaction whose end is to go to `place`.
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

    /// What was made of something that was done before.
    pub fn done(&self, (rank, broker, number): &Mark) -> Option<Version> {
        let origin = self.ranks.get(rank)?;
        let is_its = origin.broker == *broker;
        origin.done.get(number).copied().filter(|_| is_its)
    }

    /// Notes that a batch does something. What has no number will not be recognised.
    pub fn note(&mut self, batch: u64, mark: &Mark, version: Version) {
        if mark.2 != 0 {
            let noted = self.noted.entry(batch).or_default();
            noted.push((mark.clone(), version));
        }
    }

    /// The records to be stored with a batch: those of the ranks that it does something of.
    pub fn records(&self, batch: u64) -> Vec<Record> {
        let noted = self.noted.get(&batch).into_iter().flatten();
        let ranks: BTreeSet<u32> = noted.map(|((rank, _, _), _)| *rank).collect();
        ranks
            .iter()
            .filter_map(|rank| self.record(*rank, batch))
            .collect()
    }

    fn record(&self, rank: u32, batch: u64) -> Option<Record> {
        let origin = self.ranks.get(&rank)?;
        let noted = self.noted.range(..=batch).flat_map(|(_, noted)| noted);
        let noted = noted
            .filter(|((r, broker, _), _)| *r == rank && *broker == origin.broker)
            .map(|((_, _, number), version)| (*number, version));
        let done = origin
            .done
            .iter()
            .map(|(number, version)| (*number, version));
        Some(saved::origin_record(
            rank,
            &origin.broker,
            done.chain(noted),
        ))
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

/// Those who are told of ends.
#[derive(Debug, Default)]
pub struct Ends {
    /// Relays that are not answered.
    pub relays: Relays,
    /// What is known of their transactions.
    pub known: Known,
}

impl Ends {
    /// Tells a transaction's end to the one that it is owed to.
    pub fn tell(&mut self, cx: &mut Cx<Kvs>, owed: Owed, result: &Result<Version, Refusal>) {
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
