//! The operator of an instance with policies: starts, stops, opens and closes queues, changes
//! the configuration, updates jobs. In the end every queue runs.

use proto::data::JobId;
use proto::job_manager::{QueueEnable, QueueStart, Update};
use proto::{Object, config};
use serde_json::{Value, json};
use wire::{Errno, Message};

use super::Shared;
use super::desk::{Desk, is_given_up};
use super::site::Conf;
use super::terms::QUEUES;
use crate::program::Program;
use crate::rng::Rng;

/// Most changes before the end.
const TURNS_MAX: u32 = 30;

/// An operator.
pub(super) struct Operator {
    ledger: Shared,
    desk: Desk<Want>,
    n: u32,
    has_begun: bool,
    /// Only the last steps: the configuration, then the queues.
    is_last: bool,
    /// Number of changes done.
    n_last: usize,
    /// Number of kills of the job manager at the last load of the configuration.
    n_kills: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Want {
    Start(&'static str, bool),
    Enable(&'static str),
    Load(Conf),
    Update(JobId),
}

impl Operator {
    /// An operator who has done nothing.
    pub fn new(ledger: Shared) -> Operator {
        Operator {
            ledger,
            desk: Desk::new(),
            n: 0,
            has_begun: false,
            is_last: false,
            n_last: 0,
            n_kills: 0,
        }
    }

    fn start(&mut self, name: &'static str, start: bool) -> Message {
        if start {
            self.ledger.borrow_mut().queue(name).is_stopped = false;
        }
        let request = QueueStart {
            name: Some(name.to_owned()),
            start,
            reason: (!start).then(|| "maintenance".to_owned()),
            all: false,
            nocheckpoint: None,
        };
        self.desk.ask(Want::Start(name, start), &request)
    }

    fn enable(&mut self, name: &'static str, enable: bool) -> Message {
        let mut ledger = self.ledger.borrow_mut();
        let now = ledger.now;
        ledger.queue(name).enabled.asked(enable, now);
        drop(ledger);
        let request = QueueEnable {
            name: Some(name.to_owned()),
            enable,
            reason: (!enable).then(|| "closed".to_owned()),
            all: false,
        };
        self.desk.ask(Want::Enable(name), &request)
    }

    fn load(&mut self, conf: Conf) -> Message {
        let mut ledger = self.ledger.borrow_mut();
        let now = ledger.now;
        ledger.site.confs.asked(conf, now);
        if !conf.has_debug {
            // One that comes back takes jobs.
            ledger.queue(QUEUES[1]).enabled.asked(true, now);
        }
        drop(ledger);
        self.desk
            .ask(Want::Load(conf), &config::Load(conf.object()))
    }

    fn update(&mut self, id: JobId, rng: &mut Rng) -> Message {
        let (key, value) = match rng.below(3) {
            0 => ("queue", json!(QUEUES[rng.below(QUEUES.len())])),
            _ => ("duration", json!([0.3, 0.9, 2.5][rng.below(3)])),
        };
        self.ledger.borrow_mut().updated.insert(id);
        let updates = [(format!("attributes.system.{key}"), value)];
        let updates: serde_json::Map<String, Value> = updates.into_iter().collect();
        let updates = Object(updates);
        self.desk.ask(Want::Update(id), &Update { id, updates })
    }

    /// The next thing to be done in the end.
    fn last(&mut self) -> Option<Message> {
        match self.n_last {
            0 => Some(self.load(Conf::last())),
            n => Some(self.start(QUEUES.get(n - 1)?, true)),
        }
    }

    fn done(&mut self, want: Want) {
        let mut ledger = self.ledger.borrow_mut();
        let now = ledger.now;
        match want {
            Want::Start(name, false) => ledger.queue(name).is_stopped = true,
            Want::Start(..) | Want::Update(_) => {}
            Want::Enable(name) => ledger.queue(name).enabled.known(now),
            Want::Load(conf) => {
                ledger.site.confs.known(now);
                // One that was away meanwhile does not know that the queue was.
                let n_kills = ledger.n_kills_of_manager;
                let is_sure = std::mem::replace(&mut self.n_kills, n_kills) == n_kills;
                let debug = ledger.queue(QUEUES[1]);
                if !conf.has_debug {
                    debug.is_stopped = is_sure;
                    debug.enabled.known(now);
                } else if !is_sure {
                    debug.is_stopped = false;
                }
            }
        }
    }
}

impl Program for Operator {
    fn name(&self) -> &str {
        "operator"
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        if !self.desk.is_clear() {
            return None;
        }
        if !load {
            self.is_last = true;
            return self.last();
        }
        if !self.has_begun {
            self.has_begun = self.n as usize + 1 == QUEUES.len();
            self.n += 1;
            return Some(self.start(QUEUES[self.n as usize - 1], true));
        }
        if self.n >= TURNS_MAX || !rng.chance(10) {
            return None;
        }
        self.n += 1;
        let name = QUEUES[rng.below(QUEUES.len())];
        let jobs = self.ledger.borrow().jobs.clone();
        match rng.below(10) {
            0 | 1 => Some(self.start(name, false)),
            2 | 3 => Some(self.start(name, true)),
            4 => Some(self.enable(name, false)),
            5 => Some(self.enable(name, true)),
            6 | 7 => Some(self.load(Conf::new(rng))),
            _ if jobs.is_empty() => None,
            _ => Some(self.update(jobs[rng.below(jobs.len())], rng)),
        }
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let answer = self.desk.take(message);
        match (answer.want, answer.result) {
            (want, Ok(())) => {
                self.done(want);
                self.n_last += usize::from(self.is_last);
            }
            // A queue that is not there, an update that may not be.
            (_, Err(Errno::EINVAL)) if !self.is_last => {}
            (Want::Update(_), Err(Errno::ENOENT | Errno::EOVERFLOW | Errno::ENOSYS)) => {}
            // The job manager was being removed while others were asked about it.
            (Want::Update(_), Err(Errno::EAGAIN)) if self.ledger.borrow().n_reloads > 0 => {}
            (_, Err(_)) if is_given_up(&self.ledger.borrow(), message) => {}
            (want, result) => panic!("{want:?}: {result:?} {message:?}"),
        }
        Vec::new()
    }

    fn cut(&mut self) {
        self.desk.clear();
    }

    fn is_done(&self) -> bool {
        self.desk.is_clear() && self.n_last > QUEUES.len()
    }

    fn answered(&self) -> u64 {
        self.desk.answered
    }

    fn failed(&self) -> u64 {
        self.desk.failed
    }
}
