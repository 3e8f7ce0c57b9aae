//! A program that follows the journal of the job manager, and its checkers: each history is
//! one that a job can have, events come once and in order, no two jobs have a core at the
//! same time.
//!
//! The journal sends events before they are stored: the last ones may not have come to be
//! when the job manager dies. Each time that it is followed counts for itself.

use std::collections::BTreeMap;

use proto::Payload;
use proto::data::JobId;
use proto::job_manager::{EventsJournal, JournalRecord, SENTINEL};
use wire::{Errno, Message};

use super::Shared;
use super::desk::Desk;
use super::history::{History, INACTIVE, cores_of};
use crate::program::Program;
use crate::rng::Rng;

/// A follower.
pub(super) struct Follower {
    ledger: Shared,
    desk: Desk<()>,
    jobs: BTreeMap<JobId, History>,
    /// Holder of each core.
    holders: BTreeMap<(u32, u32), JobId>,
    /// The past is complete.
    is_live: bool,
}

impl Follower {
    /// A follower that has received nothing.
    pub fn new(ledger: Shared) -> Follower {
        Follower {
            ledger,
            desk: Desk::new(),
            jobs: BTreeMap::new(),
            holders: BTreeMap::new(),
            is_live: false,
        }
    }

    fn forget(&mut self) {
        self.jobs.clear();
        self.holders.clear();
        self.is_live = false;
        self.ledger.borrow_mut().inactive.clear();
    }

    fn record(&mut self, record: &JournalRecord) {
        let id = record.id;
        if id == SENTINEL {
            assert!(!self.is_live, "two marks");
            self.is_live = true;
            return;
        }
        self.ledger.borrow_mut().told.insert(id);
        let history = self.jobs.entry(id).or_default();
        let held = history.is_holding;
        // Notes that are told and not stored have no place in a history.
        let events = record.events.iter();
        events
            .filter(|event| event.name() != "annotations")
            .for_each(|event| history.add(event));
        let holds = history.is_holding;
        if history.state == INACTIVE {
            self.ledger.borrow_mut().inactive.insert(id);
        }
        if held && !holds {
            self.holders.retain(|_, holder| *holder != id);
        }
        if !held && holds {
            let r = record.r.as_ref().expect("an R comes with what has it");
            for core in cores_of(r.as_str()) {
                let before = self.holders.insert(core, id);
                assert_eq!(before, None, "{id} gets core {core:?}, which is in use");
            }
        }
    }
}

impl Program for Follower {
    fn name(&self) -> &str {
        "follower"
    }

    fn ask(&mut self, _: &mut Rng, _: bool) -> Option<Message> {
        if !self.desk.is_clear() {
            return None;
        }
        self.forget();
        let request = EventsJournal {
            full: Some(true),
            ..EventsJournal::default()
        };
        Some(self.desk.follow((), &request))
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        match self.desk.take(message).result {
            Ok(()) => {
                let record = JournalRecord::decode(message.payload()).expect("a record");
                self.record(&record);
            }
            Err(errno) => {
                let is_removed = self.ledger.borrow().n_reloads > 0
                    && [Errno::ENODATA, Errno::ENOSYS].contains(&errno);
                let is_lost = errno == Errno::EHOSTUNREACH || is_removed;
                assert!(is_lost, "the journal ends: {errno:?}");
                self.forget();
            }
        }
        Vec::new()
    }

    fn cut(&mut self) {
        self.desk.clear();
        self.forget();
    }

    fn is_done(&self) -> bool {
        self.is_live && self.ledger.borrow().is_over() && self.holders.is_empty()
    }

    fn answered(&self) -> u64 {
        self.desk.answered
    }

    fn failed(&self) -> u64 {
        self.desk.failed
    }
}
