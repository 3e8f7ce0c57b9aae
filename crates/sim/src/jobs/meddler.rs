//! A program that ends jobs and changes their urgency. In the end it releases held jobs.

use std::collections::BTreeSet;

use proto::data::JobId;
use proto::job_manager::{Raise, SetUrgency};
use wire::{Errno, Message};

use super::Shared;
use super::desk::{Desk, is_given_up};
use crate::program::Program;
use crate::rng::Rng;

/// Most jobs that are meddled with before the end.
const TURNS_MAX: u32 = 12;

/// A meddler.
pub(super) struct Meddler {
    ledger: Shared,
    desk: Desk<Want>,
    n: u32,
    /// Jobs that were let go in the end.
    let_go: BTreeSet<JobId>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Want {
    Raise(JobId),
    Urgency,
    LetGo(JobId),
}

impl Meddler {
    /// A meddler that has done nothing.
    pub fn new(ledger: Shared) -> Meddler {
        Meddler {
            ledger,
            desk: Desk::new(),
            n: 0,
            let_go: BTreeSet::new(),
        }
    }

    fn cancel(&mut self, id: JobId) -> Message {
        self.ledger.borrow_mut().canceled.insert(id);
        let raise = Raise {
            id,
            severity: 0,
            kind: "cancel".to_owned(),
            note: None,
            wait_status: None,
        };
        self.desk.ask(Want::Raise(id), &raise)
    }

    fn let_go(&mut self, id: JobId) -> Message {
        let urgency = SetUrgency { id, urgency: 16 };
        self.desk.ask(Want::LetGo(id), &urgency)
    }
}

impl Program for Meddler {
    fn name(&self) -> &str {
        "meddler"
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        if !self.desk.is_clear() {
            return None;
        }
        if !load {
            let ledger = self.ledger.borrow();
            // Also those that nobody was told of: others may wait for them.
            let mut held = ledger.jobs.iter().chain(&ledger.strays).chain(&ledger.told);
            let id = held.find(|id| !self.let_go.contains(id)).copied()?;
            drop(ledger);
            return Some(self.let_go(id));
        }
        let jobs = self.ledger.borrow().jobs.clone();
        if jobs.is_empty() || self.n >= TURNS_MAX || !rng.chance(10) {
            return None;
        }
        self.n += 1;
        let id = jobs[rng.below(jobs.len())];
        Some(match rng.below(2) {
            0 => self.cancel(id),
            _ => {
                let urgency = [0, 1, 16, 31][rng.below(4)];
                self.desk.ask(Want::Urgency, &SetUrgency { id, urgency })
            }
        })
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let answer = self.desk.take(message);
        match (answer.want, answer.result) {
            (Want::Raise(id), Ok(())) => {
                self.ledger.borrow_mut().raised.insert(id);
            }
            // Of an inactive job.
            (Want::Raise(_), Err(Errno::ENOENT)) => {}
            // Of a job that has resources, or is inactive.
            (Want::Urgency, Ok(()) | Err(Errno::EINVAL)) => {}
            (Want::LetGo(id), Ok(()) | Err(Errno::EINVAL | Errno::ENOENT)) => {
                self.let_go.insert(id);
            }
            (_, Err(_)) if is_given_up(&self.ledger.borrow(), message) => {}
            (want, result) => panic!("{want:?}: {result:?} {message:?}"),
        }
        Vec::new()
    }

    fn cut(&mut self) {
        self.desk.clear();
    }

    fn is_done(&self) -> bool {
        let ledger = self.ledger.borrow();
        self.desk.is_clear() && ledger.jobs.iter().all(|id| self.let_go.contains(id))
    }

    fn answered(&self) -> u64 {
        self.desk.answered
    }

    fn failed(&self) -> u64 {
        self.desk.failed
    }
}
