//! `.dependency-after`: jobs that wait for another job (RFC 26, protocol/25 section 1.3).
//!
//! Knows only the waiting jobs, the jobs waited for, and the ways; the descriptions are
//! with the jobs that wait. So the end of a job costs its own dependents, and a job that
//! waits a few words. Where very many wait for one job, they are notified in slices, each
//! when the one before is stored (`notify.rs`).

mod notify;
mod outcome;
mod way;

use std::collections::BTreeMap;

use proto::data::JobId;
use proto::data::job::State;
use proto::job_manager::JobEvent;
use serde_json::{Map, Value, json};

use super::restart::may_be_stuck;
use super::{Asked, Points, Policy, Step, View, Wants, value_of};
use crate::job::Job;
use crate::jobs::Slot;
use notify::Tellings;
pub use outcome::Outcome;
use way::Way;

/// The policy.
#[derive(Default)]
pub struct DependencyAfter {
    /// Waits: the job waited for, the waiting job, and the way; with the place in the
    /// order of registration.
    waits: BTreeMap<(JobId, JobId, Way), u32>,
    registered: u32,
    tellings: Tellings,
}

const NAMES: [&str; 6] = [
    "after",
    "afterstart",
    "afterany",
    "afterok",
    "afternotok",
    "afterexcept",
];

const DEPRECATED: &str = "dependency scheme 'after' is deprecated, use 'afterstart'";

/// Way in which a job of one of the schemes [`NAMES`] waits.
fn way_of(scheme: &str) -> Option<Way> {
    Some(match scheme {
        "after" | "afterstart" => Way::Start,
        "afterany" => Way::Finish,
        "afterok" => Way::Success,
        "afternotok" => Way::Failure,
        "afterexcept" => Way::Except,
        _ => return None,
    })
}

impl Policy for DependencyAfter {
    fn name(&self) -> &str {
        ".dependency-after"
    }

    fn hears(&self) -> Points {
        Points::STATE | Points::START | Points::GONE
    }

    fn schemes(&self) -> &[&str] {
        &NAMES
    }

    fn depend(
        &mut self,
        view: &View<'_>,
        Asked { job, .. }: Asked<'_>,
        dependency: &Map<String, Value>,
        wants: &mut Wants,
    ) -> Result<(), String> {
        let value = value_of(dependency).map_err(|why| format!("dependency: after: {why}"))?;
        let scheme = dependency.get("scheme").and_then(Value::as_str);
        let scheme = scheme.unwrap_or_default();
        let way = way_of(scheme).ok_or_else(|| format!("invalid dependency scheme: {scheme}"))?;
        let description = way.describe(value);
        let is_done = job.ever_waited_for(&description) && !job.waits_for(&description);
        if is_done && !job.is_admitting() {
            // Before the restart.
            return Ok(());
        }
        let (id, is_satisfied) = match antecedent(view, job, scheme, value, way)? {
            Antecedent::Active(id) => (id, false),
            Antecedent::Satisfies(id) => (id, true),
            // Its end was not told to all before the restart: it is now, so that nobody is stuck.
            Antecedent::Ended(outcome) if job.waits_for(&description) => {
                let note = may_be_stuck(&outcome.refusal(way, value));
                wants.raise(job.id, "dependency", 4, note);
                wants.raise(job.id, "dependency", 0, outcome.note(&description));
                return Ok(());
            }
            Antecedent::Ended(outcome) => return Err(outcome.refusal(way, value)),
        };
        if scheme == "after" && job.is_admitting() {
            wants.raise(job.id, "dependency", 3, DEPRECATED.to_owned());
        }
        wants.add_dependency(job.id, &description);
        if !is_satisfied {
            self.registered = self.registered.wrapping_add(1);
            let wait = (id, job.id, way);
            self.waits.entry(wait).or_insert(self.registered);
        } else if is_done {
            // A dependency that was added and removed cannot be removed again.
            return Err(String::new());
        } else {
            wants.remove_dependency(job.id, &description);
        }
        Ok(())
    }

    fn event(&mut self, view: &View<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        if matches!(step.event, JobEvent::Start) {
            let is_start = |way| way == Way::Start;
            self.notify_of(view, job.id, Outcome::STARTED, is_start, wants);
        } else if step.gives_up_waiting() {
            self.forget(job);
        }
    }

    fn gone(&mut self, view: &View<'_>, job: &Job, wants: &mut Wants) {
        if job.life.state != State::Inactive {
            return self.forget(job);
        }
        self.notify_of(view, job.id, Outcome::of_job(job), |_| true, wants);
    }

    fn woken(&mut self, view: &View<'_>, wants: &mut Wants) {
        self.notify_more(view, wants);
    }

    fn query(&self, view: &View<'_>) -> Map<String, Value> {
        let mut waits: Vec<_> = self.waits.iter().collect();
        waits.sort_by_key(|(_, order)| **order);
        let mut all = Vec::new();
        for (&(id, depid, way), _) in waits {
            all.extend(waited_for(view, id, (depid, way)).map(|description| {
                json!({
                    "id": id,
                    "depid": depid,
                    "type": way.name(),
                    "description": description,
                })
            }));
        }
        Map::from_iter([("dependencies".to_owned(), Value::Array(all))])
    }
}

impl DependencyAfter {
    /// A job waits no more: it is being ended, or was rejected.
    fn forget(&mut self, job: &Job) {
        for description in &job.life.dependencies {
            if let Some((way, id)) = Way::read(description) {
                self.waits.remove(&(id, job.id, way));
            }
        }
    }
}

/// Dependencies on job `id` in one way: one for each spelling of the id.
fn waited_for<'a>(
    view: &View<'a>,
    id: JobId,
    (dependent, way): (JobId, Way),
) -> impl Iterator<Item = &'a String> + use<'a> {
    let job = view.jobs.active(dependent);
    let waits = job.filter(|job| matches!(job.life.state, State::New | State::Depend));
    let all = waits.map_or(&[][..], |job| job.life.dependencies.as_slice());
    all.iter()
        .filter(move |it| Way::read(it) == Some((way, id)))
}

/// A job that another one is to wait for.
enum Antecedent {
    /// The event may still come.
    Active(JobId),
    /// The event has come.
    Satisfies(JobId),
    /// The awaited event can never come.
    Ended(Outcome),
}

/// The job that `value` names.
fn antecedent(
    view: &View<'_>,
    job: &Job,
    scheme: &str,
    value: &str,
    way: Way,
) -> Result<Antecedent, String> {
    let id = value.parse::<JobId>().ok().filter(|id| !id.is_any());
    let id = id.ok_or_else(|| format!("dependency: {scheme}: \"{value}\" is not a valid jobid"))?;
    // A job that names itself waits for one that is not there yet.
    let slot = view.jobs.get(id).filter(|_| id != job.id);
    let slot = slot.ok_or_else(|| format!("dependency: {scheme}: id {value}: job not found"))?;
    if slot.userid() != job.life.userid {
        return Err(format!("{scheme}: Permission denied for job {value}"));
    }
    let outcome = match slot {
        Slot::Active(other) if way == Way::Start && other.life.started => {
            return Ok(Antecedent::Satisfies(id));
        }
        Slot::Active(_) => return Ok(Antecedent::Active(id)),
        Slot::Inactive(packed) => packed.outcome(id),
        Slot::Away(away) => Some(away.outcome),
    };
    let outcome = outcome.ok_or_else(|| format!("dependency: failed to get {value}s result"))?;
    Ok(match outcome.satisfies(way) {
        true => Antecedent::Satisfies(id),
        false => Antecedent::Ended(outcome),
    })
}
