//! A program that follows the journal by number and does not begin again: it goes on where it was,
//! regardless of kills. Each job's history is whole, in order, and has nothing twice.

use std::collections::BTreeMap;

use proto::Payload;
use proto::data::JobId;
use proto::job_manager::{EventsJournal, EventsJournalTaken, JournalRecord, SENTINEL};
use wire::{Errno, Flags, Message};

use super::Shared;
use super::desk::Desk;
use super::history::{History, INACTIVE};
use crate::program::Program;
use crate::rng::Rng;
use crate::store::ask;

/// Responses that may be on their way.
const WINDOW: u32 = 4;

/// A consumer.
pub(super) struct Consumer {
    ledger: Shared,
    desk: Desk<()>,
    /// Position to go on from.
    since: f64,
    jobs: BTreeMap<JobId, History>,
    /// A snapshot that is not whole.
    snapshot: BTreeMap<JobId, History>,
    /// Responses taken of this stream.
    taken: u64,
}

impl Consumer {
    /// A consumer that has received nothing.
    pub fn new(ledger: Shared) -> Consumer {
        Consumer {
            ledger,
            desk: Desk::new(),
            since: 0.0,
            jobs: BTreeMap::new(),
            snapshot: BTreeMap::new(),
            taken: 0,
        }
    }

    fn record(&mut self, record: &JournalRecord) {
        let seq = record.seq.expect("a number");
        let is_snapshot = record.snapshot == Some(true);
        if record.id == SENTINEL {
            if is_snapshot {
                self.jobs = std::mem::take(&mut self.snapshot);
            }
            self.since = seq;
            return;
        }
        if is_snapshot {
            let history = History::of(&record.events);
            let before = self.snapshot.insert(record.id, history);
            assert_eq!(before, None, "{} twice in a snapshot", record.id);
            return;
        }
        assert!(seq > self.since, "{seq} after {}", self.since);
        self.since = seq;
        let history = self.jobs.entry(record.id).or_default();
        record.events.iter().for_each(|event| history.add(event));
    }
}

impl Program for Consumer {
    fn name(&self) -> &str {
        "consumer"
    }

    fn ask(&mut self, _: &mut Rng, _: bool) -> Option<Message> {
        if !self.desk.is_clear() {
            return None;
        }
        self.taken = 0;
        self.snapshot.clear();
        let request = EventsJournal {
            full: Some(true),
            since: Some(self.since),
            window: Some(WINDOW),
            ..EventsJournal::default()
        };
        Some(self.desk.follow((), &request))
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let answer = self.desk.take(message);
        if let Err(errno) = answer.result {
            let is_removed = self.ledger.borrow().n_reloads > 0
                && [Errno::ENODATA, Errno::ENOSYS].contains(&errno);
            let is_lost = errno == Errno::EHOSTUNREACH || is_removed;
            assert!(is_lost, "the journal ends: {errno:?}");
            return Vec::new();
        }
        let record = JournalRecord::decode(message.payload()).expect("a record");
        self.record(&record);
        self.taken += 1;
        let taken = EventsJournalTaken {
            matchtag: answer.tag,
            taken: self.taken,
        };
        vec![ask(0, &taken, Flags::NORESPONSE)]
    }

    fn cut(&mut self) {
        self.desk.clear();
    }

    fn is_done(&self) -> bool {
        let ledger = self.ledger.borrow();
        let is_over = |id: &JobId| self.jobs.get(id).is_some_and(|job| job.state == INACTIVE);
        ledger.is_over() && ledger.inactive.iter().all(is_over)
    }

    fn answered(&self) -> u64 {
        self.desk.answered
    }

    fn failed(&self) -> u64 {
        self.desk.failed
    }
}
