//! `limit-active`: how many jobs a user may have at a time (`[job-manager.limit-active]`). Beyond
//! `max-active` a job is refused; beyond `max-running` it waits for another one of its user's to
//! end, after all that came before it. Jobs count as running from when they wait for nothing but
//! resources.

use std::collections::{BTreeMap, BTreeSet};

use proto::Object;
use proto::config::keys;
use proto::data::JobId;
use proto::data::job::State;
use proto::job_manager::JobEvent;
use serde_json::{Map, Value, json};

use super::{Asked, Look, Points, Policy, Wants};
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

const DESCRIPTION: &str = "max-running-jobs-user-limit";

impl Policy for LimitActive {
    fn name(&self) -> &str {
        "limit-active"
    }

    fn hears(&self) -> Points {
        Points::CREATE | Points::STATE | Points::GONE
    }

    fn configure(&mut self, conf: &Object) -> Result<(), String> {
        let text = |refusal: proto::Refusal| refusal.to_string();
        self.max_active = keys::JOB_MANAGER_MAX_ACTIVE.read(conf).map_err(text)?;
        self.max_running = keys::JOB_MANAGER_MAX_RUNNING.read(conf).map_err(text)?;
        Ok(())
    }

    fn create(
        &mut self,
        _: &Look<'_>,
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
            _ => drop(user.running.insert(job.id)),
        }
        Ok(())
    }

    fn event(
        &mut self,
        _: &Look<'_>,
        job: &Job,
        _: &JobEvent,
        from: State,
        to: State,
        wants: &mut Wants,
    ) {
        let user = self.users.entry(job.life.userid).or_default();
        if (from, to) == (State::New, State::Depend) {
            let is_full = self
                .max_running
                .is_some_and(|max| user.running.len() >= max);
            if is_full {
                user.waits.insert(job.id);
                wants.add_dependency(job.id, DESCRIPTION);
            } else {
                user.running.insert(job.id);
            }
        } else if from == State::Depend {
            user.waits.remove(&job.id);
        }
    }

    fn gone(&mut self, _: &Look<'_>, job: &Job, wants: &mut Wants) {
        let Some(user) = self.users.get_mut(&job.life.userid) else {
            return;
        };
        user.active.remove(&job.id);
        user.running.remove(&job.id);
        user.waits.remove(&job.id);
        let has_room = |user: &User| self.max_running.is_none_or(|max| user.running.len() < max);
        while has_room(user)
            && let Some(next) = user.waits.pop_first()
        {
            user.running.insert(next);
            wants.remove_dependency(next, DESCRIPTION);
        }
        if user.active.is_empty() {
            self.users.remove(&job.life.userid);
        }
    }

    fn query(&self, _: &Look<'_>) -> Map<String, Value> {
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
