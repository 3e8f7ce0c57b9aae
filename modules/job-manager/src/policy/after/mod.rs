//! `.dependency-after`: jobs that wait for another job (RFC 26, protocol/25 section 1.3).
//!
//! Knows only who waits for whom, and in which way; the descriptions are with the jobs that
//! wait. So the end of a job costs its own dependents, and a job that waits a few words.

mod outcome;
mod way;

use std::collections::BTreeMap;

use proto::data::JobId;
use proto::data::job::State;
use proto::job_manager::JobEvent;
use serde_json::{Map, Value, json};

use super::{Asked, Look, Points, Policy, Step, Wants, value_of};
use crate::job::Job;
use crate::jobs::Slot;
use outcome::Outcome;
use way::Way;

/// The policy.
#[derive(Default)]
pub struct DependencyAfter {
    /// Who is waited for, who waits, and how; with the place in the order of registration.
    waits: BTreeMap<(JobId, JobId, Way), u32>,
    registered: u32,
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

/// How a job of one of the schemes [`NAMES`] waits.
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
        look: &Look<'_>,
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
        let (id, is_satisfied) = antecedent(look, job, scheme, value, way)?;
        if scheme == "after" && job.is_admitting() {
            wants.raise(job.id, "dependency", 3, DEPRECATED.to_owned());
        }
        wants.add_dependency(job.id, &description);
        if !is_satisfied {
            self.registered = self.registered.wrapping_add(1);
            let wait = (id, job.id, way);
            self.waits.entry(wait).or_insert(self.registered);
        } else if is_done {
            // What was added and removed cannot be removed again.
            return Err(String::new());
        } else {
            wants.remove_dependency(job.id, &description);
        }
        Ok(())
    }

    fn event(&mut self, look: &Look<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        if matches!(step.event, JobEvent::Start) {
            for dependent in self.take(job.id, |way| way == Way::Start) {
                release(look, job.id, dependent, wants);
            }
        } else if step.gives_up_waiting() {
            self.forget(job);
        }
    }

    fn gone(&mut self, look: &Look<'_>, job: &Job, wants: &mut Wants) {
        if job.life.state != State::Inactive {
            return self.forget(job);
        }
        let outcome = Outcome::of_job(job);
        let dependents = self.take(job.id, |_| true);
        for dependent in &dependents {
            if outcome.satisfies(dependent.1) {
                release(look, job.id, *dependent, wants);
            }
        }
        for dependent in dependents {
            if !outcome.satisfies(dependent.1)
                && let Some(description) = waited_for(look, job.id, dependent).next()
            {
                let note = outcome.note(description);
                wants.raise(dependent.0, "dependency", 0, note);
            }
        }
    }

    fn query(&self, look: &Look<'_>) -> Map<String, Value> {
        let mut waits: Vec<_> = self.waits.iter().collect();
        waits.sort_by_key(|(_, order)| **order);
        let mut all = Vec::new();
        for (&(id, depid, way), _) in waits {
            all.extend(waited_for(look, id, (depid, way)).map(|description| {
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
    /// Takes those out that wait for a job in one of these ways, in their order.
    fn take(&mut self, id: JobId, is_way: impl Fn(Way) -> bool) -> Vec<(JobId, Way)> {
        let of_id = (id, JobId(0), Way::Start)..=(id, JobId(u64::MAX), Way::Except);
        let waits = self.waits.range(of_id);
        let mut taken: Vec<_> = waits
            .filter(|((_, _, way), _)| is_way(*way))
            .map(|((_, dependent, way), order)| (*order, *dependent, *way))
            .collect();
        taken.sort_unstable();
        for (_, dependent, way) in &taken {
            self.waits.remove(&(id, *dependent, *way));
        }
        let dependents = taken.into_iter();
        dependents.map(|(_, id, way)| (id, way)).collect()
    }

    /// A job waits no more: it is being ended, or was rejected.
    fn forget(&mut self, job: &Job) {
        for description in &job.life.dependencies {
            if let Some((way, id)) = Way::read(description) {
                self.waits.remove(&(id, job.id, way));
            }
        }
    }
}

/// What a job waits for of job `id` in one way: once for each spelling of the id.
fn waited_for<'a>(
    look: &Look<'a>,
    id: JobId,
    (dependent, way): (JobId, Way),
) -> impl Iterator<Item = &'a String> + use<'a> {
    let job = look.jobs.active(dependent);
    let waits = job.filter(|job| matches!(job.life.state, State::New | State::Depend));
    let all = waits.map_or(&[][..], |job| job.life.dependencies.as_slice());
    all.iter()
        .filter(move |it| Way::read(it) == Some((way, id)))
}

fn release(look: &Look<'_>, id: JobId, dependent: (JobId, Way), wants: &mut Wants) {
    for description in waited_for(look, id, dependent) {
        wants.remove_dependency(dependent.0, description);
    }
}

/// The job that `value` names, and whether it has done already what is waited for.
fn antecedent(
    look: &Look<'_>,
    job: &Job,
    scheme: &str,
    value: &str,
    way: Way,
) -> Result<(JobId, bool), String> {
    let id = value.parse::<JobId>().ok().filter(|id| !id.is_any());
    let id = id.ok_or_else(|| format!("dependency: {scheme}: \"{value}\" is not a valid jobid"))?;
    // A job that names itself waits for one that is not there yet.
    let slot = look.jobs.get(id).filter(|_| id != job.id);
    let slot = slot.ok_or_else(|| format!("dependency: {scheme}: id {value}: job not found"))?;
    if slot.userid() != job.life.userid {
        return Err(format!("{scheme}: Permission denied for job {value}"));
    }
    let packed = match slot {
        Slot::Active(other) => return Ok((id, way == Way::Start && other.life.started)),
        Slot::Inactive(packed) => packed,
    };
    let outcome = Outcome::of_packed(packed, id);
    let outcome = outcome.ok_or_else(|| format!("dependency: failed to get {value}s result"))?;
    match outcome.satisfies(way) {
        true => Ok((id, true)),
        false => Err(outcome.refusal(way, value)),
    }
}
