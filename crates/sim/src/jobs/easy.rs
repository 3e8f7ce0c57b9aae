//! Inputs and decisions of a scheduler, and the checker of its order (protocol/25 section
//! 12.2): the first job that waits starts before all others, unless one of them ends before
//! the first one could start. The first one's start follows from the running jobs and their
//! ends.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proto::data::{JobId, Jobspec, Rset};
use proto::job_manager::{SchedHello, SchedHelloJob};
use proto::sched::Prioritize;
use proto::sched::{ALLOC_ANNOTATE, ALLOC_SUCCESS, Alloc, AllocReply, Cancel, Expiration, Free};
use proto::{Method, Payload};
use wire::{Kind, Message};

use super::CORES;
use super::eras::MOMENT;

/// Something that changes the knowledge of a scheduler.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// The scheduler begins with nothing.
    Begin,
    Asked(JobId, u32, Want),
    Ranked(JobId, u32),
    /// A request is taken back or denied.
    Gone(JobId),
    /// A job has resources until a time.
    Has(JobId, Has),
    Freed(JobId),
    Ends(JobId, f64),
}

/// Request of a job: cores and duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Want {
    pub cores: u64,
    pub duration: f64,
}

/// Allocation of a job: cores and expiration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Has {
    pub cores: u64,
    pub end: f64,
}

/// All messages that one scheduler after the other received, and its decisions.
#[derive(Debug, Default)]
pub(crate) struct Easy {
    told: Vec<(f64, Change)>,
    /// Start and R of every job that got one.
    given: BTreeMap<JobId, (f64, Has)>,
    /// The request of a scheduler for the running jobs, until it is answered.
    hello: Option<u32>,
    /// Jobs that passed the first one.
    pub(crate) n_passed: u64,
}

/// State of a scheduler.
#[derive(Debug, Default)]
struct State {
    waits: BTreeMap<JobId, (u32, Want)>,
    has: BTreeMap<JobId, Has>,
}

impl Easy {
    /// A scheduler receives a message.
    pub(crate) fn hears(&mut self, now: f64, message: &Message) {
        if let Kind::Response { matchtag, errnum } = message.kind {
            if Some(matchtag) == self.hello && errnum != 0 {
                self.hello = None;
            } else if Some(matchtag) == self.hello
                && let Ok(job) = SchedHelloJob::decode(message.payload())
                && let Some((_, has)) = self.given.get(&job.id).copied()
            {
                self.add(now, Change::Has(job.id, has));
            }
            return;
        }
        let payload = message.payload();
        match message.topic() {
            // It was meant for the scheduler before.
            Alloc::TOPIC if self.hello.is_some() => {}
            Alloc::TOPIC => {
                let alloc = Alloc::decode(payload).expect("a request");
                let spec = Jobspec::decode(alloc.jobspec.as_str()).expect("a jobspec");
                let counts = spec.counts().expect("it can be counted");
                let want = Want {
                    cores: counts.ncores(),
                    duration: counts.duration,
                };
                self.add(now, Change::Asked(alloc.id, alloc.priority.0, want));
            }
            Cancel::TOPIC => {
                let cancel = Cancel::decode(payload).expect("an id");
                self.add(now, Change::Gone(cancel.id));
            }
            Free::TOPIC => {
                let free = Free::decode(payload).expect("an R");
                self.add(now, Change::Freed(free.id));
            }
            Prioritize::TOPIC => {
                for (id, priority) in Prioritize::decode(payload).expect("jobs").jobs {
                    self.add(now, Change::Ranked(id, priority.0));
                }
            }
            Expiration::TOPIC => {
                let ends = Expiration::decode(payload).expect("a time");
                let end = until(ends.expiration);
                self.add(now, Change::Ends(ends.id, end));
                if let Some((_, has)) = self.given.get_mut(&ends.id) {
                    has.end = end;
                }
            }
            _ => {}
        }
    }

    /// A scheduler says something.
    pub(crate) fn says(&mut self, now: f64, message: &Message) {
        if let Kind::Response { .. } = message.kind {
            if message.topic() == Alloc::TOPIC
                && let Ok(reply) = AllocReply::decode(message.payload())
            {
                self.answers(now, &reply);
            }
        } else if message.topic() == SchedHello::TOPIC {
            self.hello = Some(message.matchtag());
            self.add(now, Change::Begin);
        }
    }

    fn answers(&mut self, now: f64, reply: &AllocReply) {
        match reply.kind {
            ALLOC_SUCCESS => {
                let r = reply.r.as_ref().expect("an R comes with resources");
                self.decides(reply.id, &Rset::decode(r.as_str()).expect("an R"));
            }
            ALLOC_ANNOTATE => {}
            _ => self.add(now, Change::Gone(reply.id)),
        }
    }

    pub(super) fn add(&mut self, now: f64, told: Change) {
        self.told.push((now, told));
    }

    fn decides(&mut self, id: JobId, r: &Rset) {
        let has = Has {
            cores: r.ncores(),
            end: until(r.expiration()),
        };
        let start = r.starttime().expect("it has a start");
        if self.given.insert(id, (start, has)) != Some((start, has)) {
            self.gives(id, start, has);
        }
    }

    /// A job gets resources at a time. The message does not tell how much the scheduler had
    /// received by then: one of its states at that time must allow it.
    pub(super) fn gives(&mut self, id: JobId, start: f64, has: Has) {
        let fits = |n: &usize| {
            let before = n
                .checked_sub(1)
                .is_none_or(|at| self.told[at].0 <= start + MOMENT);
            let after = self
                .told
                .get(*n)
                .is_none_or(|(at, _)| *at >= start - MOMENT);
            before && after
        };
        let at: Vec<usize> = (0..=self.told.len()).filter(fits).collect();
        let mut complaints = Vec::new();
        for n in at.into_iter().rev() {
            match self.state(n).allows(id, start) {
                Ok(has_passed) => {
                    self.n_passed += u64::from(has_passed);
                    return self.told.insert(n, (start, Change::Has(id, has)));
                }
                Err(complaint) => complaints.push(complaint),
            }
        }
        let last = &self.told[self.told.len().saturating_sub(30)..];
        panic!("{id} gets {has:?} at {start}: {complaints:#?} {last:#?}");
    }

    fn state(&self, n: usize) -> State {
        let mut state = State::default();
        for (_, told) in &self.told[..n] {
            state.take(told);
        }
        state
    }
}

impl State {
    fn take(&mut self, told: &Change) {
        match told {
            Change::Begin => *self = State::default(),
            Change::Asked(id, priority, want) => drop(self.waits.insert(*id, (*priority, *want))),
            Change::Ranked(id, priority) => {
                if let Some((had, _)) = self.waits.get_mut(id) {
                    *had = *priority;
                }
            }
            Change::Gone(id) => drop(self.waits.remove(id)),
            Change::Has(id, has) => {
                self.waits.remove(id);
                self.has.insert(*id, *has);
            }
            Change::Freed(id) => drop(self.has.remove(id)),
            Change::Ends(id, end) => {
                if let Some(has) = self.has.get_mut(id) {
                    has.end = *end;
                }
            }
        }
    }

    /// True in the result if the job passes the first one; an error if it may not start
    /// now.
    fn allows(&self, id: JobId, now: f64) -> Result<bool, String> {
        let Some((_, want)) = self.waits.get(&id) else {
            return Err("it does not wait".to_owned());
        };
        let order = |(id, (priority, _)): &(&JobId, &(u32, Want))| (Reverse(*priority), **id);
        let first = self.waits.iter().min_by_key(order);
        let (first, (_, its)) = first.ok_or("nobody waits")?;
        if *first == id {
            return Ok(false);
        }
        let reserved = self.start_of(its.cores, now);
        let is_over = reserved.is_none_or(|start| now + want.duration <= start + MOMENT);
        match want.duration > 0.0 && is_over {
            true => Ok(true),
            false => Err(format!("{first} comes first, at {reserved:?}: {self:?}")),
        }
    }

    /// When there will be N cores, as far as that is known.
    fn start_of(&self, wanted: u64, now: f64) -> Option<f64> {
        let used: u64 = self.has.values().map(|has| has.cores).sum();
        let mut free = u64::from(CORES).saturating_sub(used);
        let mut ends: Vec<&Has> = self.has.values().collect();
        ends.sort_by(|one, other| one.end.total_cmp(&other.end));
        let mut start = now;
        for has in ends {
            if free >= wanted {
                break;
            }
            free += has.cores;
            start = start.max(has.end);
        }
        (free >= wanted && start.is_finite()).then_some(start)
    }
}

/// The end of a job's time.
fn until(expiration: f64) -> f64 {
    match expiration > 0.0 {
        true => expiration,
        false => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests;
