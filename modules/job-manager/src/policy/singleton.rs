//! `.dependency-singleton`: of the jobs of one name and one user that ask for it, one runs at a
//! time (protocol/25 section 1.4). Jobs of that name that do not ask are waited for as well.

use std::collections::BTreeMap;
use std::rc::Rc;

use proto::data::JobId;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};

use super::{Asked, Points, Policy, Step, View, Wants};
use crate::job::Job;
use crate::limits::SINGLETON_KEY_BYTES_MAX;

/// The policy.
#[derive(Default)]
pub struct DependencySingleton {
    keys: BTreeMap<Rc<str>, Key>,
    /// Active jobs that were given a name.
    named: FxHashMap<JobId, Named>,
    /// Number of waits ever made.
    n_waits: u64,
}

/// The active jobs of one name and one user.
#[derive(Default)]
struct Key {
    count: usize,
    /// Jobs that wait, first come first.
    waits: BTreeMap<u64, JobId>,
}

struct Named {
    key: Rc<str>,
    /// The place among those that wait.
    place: Option<u64>,
}

const DESCRIPTION: &str = "singleton";

impl Policy for DependencySingleton {
    fn name(&self) -> &str {
        ".dependency-singleton"
    }

    fn hears(&self) -> Points {
        Points::CREATE | Points::STATE | Points::GONE
    }

    fn schemes(&self) -> &[&str] {
        &[DESCRIPTION]
    }

    fn create(
        &mut self,
        _: &View<'_>,
        Asked { job, jobspec }: Asked<'_>,
        _: &mut Wants,
    ) -> Result<(), String> {
        let Some(name) = jobspec.explicit_name() else {
            return Ok(());
        };
        let key = format!("{}:{name}", job.life.userid);
        // One that is too long cannot be waited for.
        if key.len() <= SINGLETON_KEY_BYTES_MAX {
            let key: Rc<str> = match self.keys.get_key_value(key.as_str()) {
                Some((known, _)) => Rc::clone(known),
                None => key.into(),
            };
            self.keys.entry(Rc::clone(&key)).or_default().count += 1;
            self.named.insert(job.id, Named { key, place: None });
        }
        Ok(())
    }

    fn depend(
        &mut self,
        _: &View<'_>,
        Asked { job, jobspec }: Asked<'_>,
        _: &Map<String, Value>,
        wants: &mut Wants,
    ) -> Result<(), String> {
        if jobspec.explicit_name().is_none() {
            return Err("singleton jobs require a job name".to_owned());
        }
        let Some(named) = self.named.get_mut(&job.id) else {
            return Err("error creating singleton key".to_owned());
        };
        let Some(key) = self.keys.get_mut(&named.key) else {
            return Ok(());
        };
        let is_needed = match job.is_admitting() {
            true => key.count > 1,
            // The need to wait was decided before the restart.
            false => job.waits_for(DESCRIPTION),
        };
        if is_needed && named.place.is_none() {
            self.n_waits += 1;
            named.place = Some(self.n_waits);
            key.waits.insert(self.n_waits, job.id);
            wants.add_dependency(job.id, DESCRIPTION);
            let name = Rc::clone(&named.key);
            self.release(&name, wants);
        }
        Ok(())
    }

    fn event(&mut self, _: &View<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        if step.gives_up_waiting() {
            self.wait_no_more(job.id, wants);
        }
    }

    fn gone(&mut self, _: &View<'_>, job: &Job, wants: &mut Wants) {
        self.wait_no_more(job.id, wants);
        let Some(Named { key: name, .. }) = self.named.remove(&job.id) else {
            return;
        };
        if let Some(key) = self.keys.get_mut(&name) {
            key.count -= 1;
            match key.count {
                0 => drop(self.keys.remove(&name)),
                _ => self.release(&name, wants),
            }
        }
    }

    fn query(&self, _: &View<'_>) -> Map<String, Value> {
        let told = self.keys.iter().map(|(name, key)| {
            let singletons: Vec<&JobId> = key.waits.values().collect();
            let told = json!({"count": key.count, "singletons": singletons});
            (name.to_string(), told)
        });
        told.collect()
    }
}

impl DependencySingleton {
    /// Lets the first one go when all jobs of the name wait.
    fn release(&mut self, name: &str, wants: &mut Wants) {
        let Some(key) = self.keys.get_mut(name) else {
            return;
        };
        if key.count == key.waits.len()
            && let Some((_, id)) = key.waits.pop_first()
        {
            if let Some(named) = self.named.get_mut(&id) {
                named.place = None;
            }
            wants.remove_dependency(id, DESCRIPTION);
        }
    }

    fn wait_no_more(&mut self, id: JobId, wants: &mut Wants) {
        let Some(named) = self.named.get_mut(&id) else {
            return;
        };
        if let Some(place) = named.place.take() {
            let name = Rc::clone(&named.key);
            if let Some(key) = self.keys.get_mut(&name) {
                key.waits.remove(&place);
            }
            self.release(&name, wants);
        }
    }
}
