//! What a site may have its own way: each behaviour of the job manager that is not the life
//! of a job itself is a [`Policy`], one file each (protocol/11 section 15 has the points at
//! which one is asked).
//!
//! A policy never changes the core. It looks ([`Look`]), keeps what it needs in its own
//! struct, and says what it wants ([`Wants`]): effects as data, applied by the core once the
//! policy has returned. So a policy needs no core in its tests, and nothing is called from
//! within itself.
//!
//! **To add one:** write `policy/NAME.rs` with a struct that implements [`Policy`], declare the
//! module here, and add a line to [`registry::builtin`] (it is there from the start) or to the table
//! in `load.rs` (`flux jobtap load` and `[job-manager] plugins` bring it). Say in
//! [`Policy::hears`] at which points it is asked: one that it does not name costs nothing.
//!
//! Read on in `registry.rs` (which are there, in which order) and `wants.rs` (what they may
//! want); then in any of the others.

mod after;
mod alloc_bypass;
mod alloc_check;
mod begin_time;
mod limit_active;
mod limit_duration;
mod limit_size;
mod load;
mod outstanding;
mod perilog;
mod priority;
mod priority_factor;
pub mod registry;
mod remote;
mod restart;
mod singleton;
mod submit_hold;
pub mod update_duration;
mod update_queue;
mod validate_duration;
mod verdicts;
mod wants;

use std::ops::BitOr;
use std::rc::Rc;

use bytes::Bytes;
use node::Now;
use proto::data::job::{Priority, State};
use proto::data::shape::{mismatch, not_found};
use proto::data::{JobId, Jobspec};
use proto::job_manager::{JobEvent, UpdateFactors};
use proto::{Object, Refusal, job_policy};
use serde_json::{Map, Value};

use crate::bulk::{Outcome, Stream};
use crate::job::Job;
use crate::jobs::Jobs;
use crate::queue::Queues;

pub(crate) use outstanding::outstanding;
pub use registry::Policies;
pub(crate) use registry::or_general;
pub use verdicts::{Refused, Verdicts};
pub use wants::{Want, Wants};

/// Points at which a policy is asked, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Points(u16);

impl Points {
    /// None.
    pub const NONE: Points = Points(0);
    /// [`Policy::create`].
    pub const CREATE: Points = Points(1);
    /// [`Policy::validate`].
    pub const VALIDATE: Points = Points(1 << 1);
    /// [`Policy::accepted`].
    pub const ACCEPTED: Points = Points(1 << 2);
    /// [`Policy::event`], for events that move a job to another state.
    pub const STATE: Points = Points(1 << 3);
    /// [`Policy::event`], for `start`.
    pub const START: Points = Points(1 << 4);
    /// [`Policy::event`], for every event.
    pub const EVENT: Points = Points(1 << 5);
    /// [`Policy::priority`].
    pub const PRIORITY: Points = Points(1 << 6);
    /// [`Policy::update`].
    pub const UPDATE: Points = Points(1 << 7);
    /// [`Policy::gone`].
    pub const GONE: Points = Points(1 << 8);
    /// [`Policy::purged`].
    pub const PURGED: Points = Points(1 << 9);
    /// [`Policy::consider`].
    pub const CONSIDER: Points = Points(1 << 10);
    /// [`Policy::turn_ended`].
    pub const TURN: Points = Points(1 << 11);

    /// Whether any of `other` is in the set.
    pub const fn meets(self, other: Points) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Points {
    type Output = Points;

    fn bitor(self, other: Points) -> Points {
        Points(self.0 | other.0)
    }
}

/// What a policy may look at.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The jobs.
    pub jobs: &'a Jobs,
    /// The queues.
    pub queues: &'a Queues,
    /// The configuration.
    pub conf: &'a Object,
    /// The time.
    pub now: Now,
    /// User id of the instance owner.
    pub owner: u32,
    /// The end of the instance's time in seconds since the epoch; 0 is none.
    pub expiration: f64,
    /// The hosts of the instance by rank, as a hostlist.
    pub hosts: Option<&'a str>,
    /// The broker is on its way to the end.
    pub is_ending: bool,
}

/// An event that was added to a job's log, and the states before and after it.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// What happened.
    pub event: &'a JobEvent,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
}

impl Step<'_> {
    /// Whether the job has come to this state just now.
    pub fn is_into(&self, state: State) -> bool {
        self.to == state && self.from != state
    }

    /// Whether the job is being ended while it waits for a dependency.
    pub fn gives_up_waiting(&self) -> bool {
        self.from == State::Depend && self.to == State::Cleanup
    }

    /// At which points it is heard.
    fn points(&self) -> Points {
        let mut points = Points::EVENT;
        if self.from != self.to {
            points = points | Points::STATE;
        }
        if matches!(self.event, JobEvent::Start) {
            points = points | Points::START;
        }
        points
    }
}

/// A job whose jobspec was read already.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its jobspec.
    pub jobspec: &'a Jobspec,
}

/// What a policy says of a job's priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Nothing: what another policy says goes, or what it had.
    Pass,
    /// It is not known yet: the job waits until a policy wants it ranked again.
    Unavailable,
    /// This.
    Is(Priority),
}

/// A value that someone wants a jobspec to have.
#[derive(Clone, Copy)]
pub struct Update<'a> {
    /// Its dotted path.
    pub key: &'a str,
    /// The new value.
    pub value: &'a Value,
    /// User id of who wants it.
    pub userid: u32,
    /// Whether that is the instance owner.
    pub is_owner: bool,
}

/// What a policy says of an update that it accepts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Accepted {
    /// The new jobspec need not be validated for it.
    pub validated: bool,
    /// The scheduler must be asked whether the new jobspec can be had.
    pub feasibility: bool,
    /// Further values to be set, by dotted path.
    pub updates: Map<String, Value>,
}

/// One behaviour. Every method but the first two has a body that does nothing.
///
/// An error is a sentence for the submitter; an empty one stands for a general one.
pub trait Policy {
    /// Its name. Those that are there from the start begin with a dot.
    fn name(&self) -> &str;

    /// At which points it is asked.
    fn hears(&self) -> Points;

    /// The schemes of dependencies that it looks after: [`Policy::depend`].
    fn schemes(&self) -> &[&str] {
        &[]
    }

    /// Takes over what was said for it when it was loaded.
    fn set_conf(&mut self, _conf: &Map<String, Value>) -> Result<(), String> {
        Ok(())
    }

    /// Takes the configuration over: when it is loaded, and whenever it changes. A refusal
    /// leaves it as it was.
    fn configure(&mut self, _conf: &Object) -> Result<(), String> {
        Ok(())
    }

    /// The configuration that all have taken over is in force.
    fn configured(&mut self, _: &Look<'_>, _: &mut Wants) {}

    /// A job came to be: it was submitted, read at a restart, or there when the policy was
    /// loaded. An error rejects one that was submitted.
    fn create(&mut self, _: &Look<'_>, _: Asked<'_>, _: &mut Wants) -> Result<(), String> {
        Ok(())
    }

    /// Whether a job may be submitted, or have the jobspec that an update gives it.
    fn validate(&mut self, _: &Look<'_>, _: Asked<'_>, _: &mut Wants) -> Result<(), String> {
        Ok(())
    }

    /// Whether jobs may be submitted, or one have the jobspec that an update gives it, by a
    /// policy that cannot say so at once: [`Wants::verdict`] gives the answer to the question
    /// of this number, and every question needs one.
    fn consider(&mut self, _: &Look<'_>, _ticket: u64, _: &[Rc<job_policy::Job>], _: &mut Wants) {}

    /// A job has a dependency of one of [`Policy::schemes`]: at submit, and again after a
    /// restart. What must be waited for is added with [`Wants::add_dependency`].
    fn depend(
        &mut self,
        _: &Look<'_>,
        _: Asked<'_>,
        _dependency: &Map<String, Value>,
        _: &mut Wants,
    ) -> Result<(), String> {
        Ok(())
    }

    /// A job was accepted and its `validate` comes next; or see [`Policy::create`].
    fn accepted(&mut self, _: &Look<'_>, _: Asked<'_>, _: &mut Wants) {}

    /// An event was added to a job's log. What the job's new state asks for is done after it.
    fn event(&mut self, _: &Look<'_>, _: &Job, _: &Step<'_>, _: &mut Wants) {}

    /// The priority of a job. The last policy that says one has its way; a user's hold and
    /// an owner's expedite come before all.
    fn priority(&mut self, _: &Look<'_>, _: &Job) -> Rank {
        Rank::Pass
    }

    /// The priority of all jobs is asked for again: what was found out may be so no more.
    fn rank_all(&mut self) {}

    /// Takes other factors over, if it goes by any.
    fn update_factors(&mut self, _: &UpdateFactors) -> Option<Result<(), String>> {
        None
    }

    /// Whether a value of the jobspec may be changed; `None` for a key that it knows
    /// nothing of.
    fn update(
        &mut self,
        _: &Look<'_>,
        _: &Job,
        _: &Update<'_>,
    ) -> Option<Result<Accepted, String>> {
        None
    }

    /// A job is the last time among the active ones: it is inactive now, or was rejected and is
    /// still in NEW.
    fn gone(&mut self, _: &Look<'_>, _: &Job, _: &mut Wants) {}

    /// An inactive job was forgotten.
    fn purged(&mut self, _: JobId) {}

    /// The time has come that it wanted to be woken at, or what it wanted stored is stored.
    fn woken(&mut self, _: &Look<'_>, _: &mut Wants) {}

    /// Everything that has come at the same time was taken in.
    fn turn_ended(&mut self, _: &Look<'_>, _: &mut Wants) {}

    /// The answer to a request of its own, under its own number for it.
    fn answered(
        &mut self,
        _: &Look<'_>,
        _token: u64,
        _: Result<Option<Bytes>, Refusal>,
        _: &mut Wants,
    ) {
    }

    /// What its prologs and epilogs are called. Those of others that were not ended when the
    /// job manager ended are lost.
    fn perilogs(&self) -> Vec<String> {
        Vec::new()
    }

    /// A process of [`Wants::run`] has written a line.
    fn wrote(&mut self, _token: u64, _rank: u32, _: Stream, _line: &str) {}

    /// A process of [`Wants::run`] has ended.
    fn ended(&mut self, _: &Look<'_>, _token: u64, _rank: u32, _: &Outcome, _: &mut Wants) {}

    /// It is taken out: what it owes to jobs is to be done now.
    fn removed(&mut self, _: &mut Wants) {}

    /// What it tells of itself.
    fn query(&self, _: &Look<'_>) -> Map<String, Value> {
        Map::new()
    }
}

/// What a refusal adds for a job that names a queue.
fn for_queue(jobspec: &Jobspec) -> String {
    let queue = jobspec.queue().map(|queue| format!(" for queue {queue}"));
    queue.unwrap_or_default()
}

/// The value of a dependency, or what is wrong with it.
fn value_of(dependency: &Map<String, Value>) -> Result<&str, String> {
    match dependency.get("value") {
        Some(Value::String(value)) => Ok(value),
        None => Err(not_found("value")),
        Some(other) => Err(mismatch("string", other)),
    }
}
