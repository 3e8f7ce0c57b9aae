//! Site policies: each behaviour of the job manager that is not the life cycle of a job
//! itself is a [`Policy`], one file each (protocol/11 section 15 has the points at which
//! one is called).
//!
//! A policy never changes the core. It looks ([`View`]), keeps its data in its own struct,
//! and returns its wants ([`Wants`]): effects as data, applied by the core once the policy
//! has returned. So a policy needs no core in its tests, and nothing is called from within
//! itself.
//!
//! **To add one:** write `policy/NAME.rs` with a struct that implements [`Policy`], declare the
//! module here, and add a line to [`registry::builtin`] (it is there from the start) or to the table
//! in `load.rs` (`flux jobtap load` and `[job-manager] plugins` bring it). Say in
//! [`Policy::hears`] at which points it is asked: one that it does not name costs nothing.
//!
//! Read on in `points.rs` (when they are asked), `view.rs` (the data that they see), `registry.rs`
//! (the loaded ones and their order), `asking.rs` (asking them all), `wants.rs` (possible effects)
//! and `apply.rs` (their execution); then in any of the others.

pub mod after;
mod alloc_bypass;
mod alloc_check;
mod apply;
mod asking;
mod begin_time;
mod limit_active;
mod limit_duration;
mod limit_size;
mod load;
mod outstanding;
mod perilog;
mod points;
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
mod view;
mod wants;

use std::rc::Rc;

use bytes::Bytes;
use proto::data::shape::{mismatch, not_found};
use proto::data::{JobId, Jobspec};
use proto::job_manager::UpdateFactors;
use proto::{Object, Refusal, job_policy};
use serde_json::{Map, Value};

use crate::bulk::{Outcome, Stream};
use crate::job::Job;

pub(crate) use asking::or_general;
pub(crate) use outstanding::outstanding;
pub use points::{Points, Step};
pub use registry::Policies;
pub use verdicts::{Refused, Verdicts};
pub use view::{Accepted, Asked, Rank, Update, View};
pub use wants::{Want, Wants};

/// One behaviour. Every method but the first two has a body that does nothing.
///
/// An error is a sentence for the submitter; an empty one stands for a general one.
pub trait Policy {
    /// Name. Those that are there from the start begin with a dot.
    fn name(&self) -> &str;

    /// At which points it is asked.
    fn hears(&self) -> Points;

    /// The schemes of dependencies that it looks after: [`Policy::depend`].
    fn schemes(&self) -> &[&str] {
        &[]
    }

    /// Applies the settings given when it was loaded.
    fn set_conf(&mut self, _conf: &Map<String, Value>) -> Result<(), String> {
        Ok(())
    }

    /// Takes the configuration over: when it is loaded, and whenever it changes. A refusal
    /// leaves it as it was.
    fn configure(&mut self, _conf: &Object) -> Result<(), String> {
        Ok(())
    }

    /// The configuration that all have taken over is in force.
    fn configured(&mut self, _: &View<'_>, _: &mut Wants) {}

    /// A job came to be: it was submitted, read at a restart, or there when the policy was
    /// loaded. An error rejects one that was submitted.
    fn create(&mut self, _: &View<'_>, _: Asked<'_>, _: &mut Wants) -> Result<(), String> {
        Ok(())
    }

    /// Validates a job to be submitted, or the jobspec after an update.
    fn validate(&mut self, _: &View<'_>, _: Asked<'_>, _: &mut Wants) -> Result<(), String> {
        Ok(())
    }

    /// Validates jobs to be submitted, or a jobspec after an update, in a policy that cannot
    /// answer at once: [`Wants::verdict`] gives the answer to the question of this number,
    /// and every question needs one.
    fn consider(&mut self, _: &View<'_>, _ticket: u64, _: &[Rc<job_policy::Job>], _: &mut Wants) {}

    /// A job has a dependency of one of [`Policy::schemes`]: at submit, and again after a
    /// restart. Dependencies are added with [`Wants::add_dependency`].
    fn depend(
        &mut self,
        _: &View<'_>,
        _: Asked<'_>,
        _dependency: &Map<String, Value>,
        _: &mut Wants,
    ) -> Result<(), String> {
        Ok(())
    }

    /// A job was accepted and its `validate` comes next; or see [`Policy::create`].
    fn accepted(&mut self, _: &View<'_>, _: Asked<'_>, _: &mut Wants) {}

    /// An event was added to a job's log. Actions for the job's new state are done after it.
    fn event(&mut self, _: &View<'_>, _: &Job, _: &Step<'_>, _: &mut Wants) {}

    /// The priority of a job. The last policy that returns one has its way; a user's hold
    /// and an owner's expedite come before all.
    fn priority(&mut self, _: &View<'_>, _: &Job) -> Rank {
        Rank::Pass
    }

    /// The priority of all jobs is asked for again: earlier results may be outdated.
    fn rank_all(&mut self) {}

    /// Takes other factors over, if it goes by any.
    fn update_factors(&mut self, _: &UpdateFactors) -> Option<Result<(), String>> {
        None
    }

    /// Accepts or refuses a new value of the jobspec; `None` for an unknown key.
    fn update(
        &mut self,
        _: &View<'_>,
        _: &Job,
        _: &Update<'_>,
    ) -> Option<Result<Accepted, String>> {
        None
    }

    /// A job is the last time among the active ones: it is inactive now, or was rejected and is
    /// still in NEW.
    fn gone(&mut self, _: &View<'_>, _: &Job, _: &mut Wants) {}

    /// An inactive job was forgotten.
    fn purged(&mut self, _: JobId) {}

    /// The time has come that it wanted to be woken at, or its changes are stored.
    fn woken(&mut self, _: &View<'_>, _: &mut Wants) {}

    /// Everything that has come at the same time was taken in.
    fn turn_ended(&mut self, _: &View<'_>, _: &mut Wants) {}

    /// The answer to a request of its own, under its own number for it.
    fn answered(
        &mut self,
        _: &View<'_>,
        _token: u64,
        _: Result<Option<Bytes>, Refusal>,
        _: &mut Wants,
    ) {
    }

    /// Names of its prologs and epilogs. Those of others that were not ended when the job
    /// manager ended are lost.
    fn perilogs(&self) -> Vec<String> {
        Vec::new()
    }

    /// A process of [`Wants::run`] has written a line.
    fn wrote(&mut self, _token: u64, _rank: u32, _: Stream, _line: &str) {}

    /// A process of [`Wants::run`] has ended.
    fn ended(&mut self, _: &View<'_>, _token: u64, _rank: u32, _: &Outcome, _: &mut Wants) {}

    /// The policy is removed: its debts to jobs are to be settled now.
    fn removed(&mut self, _: &mut Wants) {}

    /// Data for a query of it.
    fn query(&self, _: &View<'_>) -> Map<String, Value> {
        Map::new()
    }
}

/// Suffix of a refusal for a job that names a queue.
fn for_queue(jobspec: &Jobspec) -> String {
    let queue = jobspec.queue().map(|queue| format!(" for queue {queue}"));
    queue.unwrap_or_default()
}

/// The value of a dependency, or the error in it.
fn value_of(dependency: &Map<String, Value>) -> Result<&str, String> {
    match dependency.get("value") {
        Some(Value::String(value)) => Ok(value),
        None => Err(not_found("value")),
        Some(other) => Err(mismatch("string", other)),
    }
}
