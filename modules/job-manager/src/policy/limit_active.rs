//! `limit-active`: limits the number of jobs a user may have at a time
//! (`[job-manager.limit-active]`). Beyond `max-active` a job is refused; beyond `max-running` it
//! waits for another one of its user's to end, after all that came before it. Jobs count as
//! running from when they wait for nothing but resources: one that waits for another job or for a
//! time takes no other's place meanwhile, and is counted, or waits here, once it has waited for
//! everything else.

use std::collections::{BTreeMap, BTreeSet};

use proto::Object;
use proto::config::keys;
use proto::data::JobId;
use proto::data::job::State;
use serde_json::{Map, Value, json};

use super::{Asked, Points, Policy, Step, View, Wants};
use crate::job::Job;

/// The policy.
#[derive(Default)]
pub struct LimitActive {
    max_active: Option<usize>,
    max_running: Option<usize>,
    users: BTreeMap<u32, User>,
}

#[derive(Default)]
struct User {
    active: BTreeSet<JobId>,
    running: BTreeSet<JobId>,
    /// In the order in which they will run.
    waits: BTreeSet<JobId>,
}

impl User {
    /// True if one more job may run.
    fn may_run(&self, max: Option<usize>) -> bool {
        max.is_none_or(|max| self.running.len() < max)
    }

    /// Lets those go that have waited and need not any longer.
    fn let_run(&mut self, max: Option<usize>, wants: &mut Wants) {
        while self.may_run(max)
            && let Some(next) = self.waits.pop_first()
        {
            self.running.insert(next);
            wants.remove_dependency(next, DESCRIPTION);
        }
    }
}

const DESCRIPTION: &str = "max-running-jobs-user-limit";

impl Policy for LimitActive {
    fn name(&self) -> &str {
        "limit-active"
    }

    fn hears(&self) -> Points {
        Points::CREATE | Points::EVENT | Points::GONE
    }

    fn configure(&mut self, conf: &Object) -> Result<(), String> {
        let text = |refusal: proto::Refusal| refusal.to_string();
        let max_active = keys::JOB_MANAGER_MAX_ACTIVE.read(conf).map_err(text)?;
        self.max_running = keys::JOB_MANAGER_MAX_RUNNING.read(conf).map_err(text)?;
        self.max_active = max_active;
        Ok(())
    }

    fn configured(&mut self, _: &View<'_>, wants: &mut Wants) {
        for user in self.users.values_mut() {
            user.let_run(self.max_running, wants);
        }
    }

    fn create(
        &mut self,
        _: &View<'_>,
        Asked { job, .. }: Asked<'_>,
        _: &mut Wants,
    ) -> Result<(), String> {
        let user = self.users.entry(job.life.userid).or_default();
        if let Some(max) = self.max_active
            && job.is_admitting()
            && user.active.len() >= max
        {
            return Err(format!("user has reached the limit of {max} active jobs"));
        }
        user.active.insert(job.id);
        match job.life.state {
            State::New => {}
            State::Depend if job.waits_for(DESCRIPTION) => drop(user.waits.insert(job.id)),
            State::Depend if !job.life.dependencies.is_empty() => {}
            _ => drop(user.running.insert(job.id)),
        }
        Ok(())
    }

    fn event(&mut self, _: &View<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        let user = self.users.entry(job.life.userid).or_default();
        if step.to != State::Depend {
            user.waits.remove(&job.id);
            return;
        }
        let is_counted = user.running.contains(&job.id);
        if is_counted || !job.life.dependencies.is_empty() {
            return;
        }
        if user.may_run(self.max_running) {
            user.running.insert(job.id);
        } else {
            user.waits.insert(job.id);
            wants.add_dependency(job.id, DESCRIPTION);
        }
    }

    fn gone(&mut self, _: &View<'_>, job: &Job, wants: &mut Wants) {
        let Some(user) = self.users.get_mut(&job.life.userid) else {
            return;
        };
        user.active.remove(&job.id);
        user.running.remove(&job.id);
        user.waits.remove(&job.id);
        user.let_run(self.max_running, wants);
        if user.active.is_empty() {
            self.users.remove(&job.life.userid);
        }
    }

    fn query(&self, _: &View<'_>) -> Map<String, Value> {
        let told = self.users.iter().map(|(userid, user)| {
            let told = json!({
                "active": user.active.len(),
                "running": user.running.len(),
                "waiting": user.waits,
            });
            (userid.to_string(), told)
        });
        Map::from_iter([("users".to_owned(), Value::Object(told.collect()))])
    }
}
