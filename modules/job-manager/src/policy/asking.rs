//! Asking all policies, in the order in which they were loaded: one function a method of
//! `Policy`. Policies without a point cost nothing there.

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::Bytes;
use proto::data::JobId;
use proto::job_manager::UpdateFactors;
use proto::{Object, Refusal, job_policy};
use serde_json::Value;

use super::wants::Want;
use super::{Accepted, Asked, Points, Policies, Rank, Step, Update, View};
use crate::bulk::{Outcome, Stream};
use crate::job::Job;
use crate::limits::SCHEME_TOPIC_BYTES_MAX;

impl Policies {
    /// `Policy::configure` of all, until one refuses.
    pub fn configure(&mut self, conf: &Object) -> Result<(), String> {
        for loaded in &mut self.loaded {
            let taken = loaded.policy.configure(conf);
            taken.map_err(|text| match text.is_empty() {
                true => format!("config rejected by {} jobtap plugin", loaded.policy.name()),
                false => text,
            })?;
        }
        Ok(())
    }

    /// `Policy::configured` of all.
    pub fn configured(&mut self, view: &View<'_>) {
        for loaded in &mut self.loaded {
            self.wants.by = loaded.number;
            loaded.policy.configured(view, &mut self.wants);
        }
    }

    /// `Policy::create` of all, until one refuses.
    pub fn create(&mut self, view: &View<'_>, asked: Asked<'_>) -> Result<(), String> {
        let refused = self.all(Points::CREATE, |policy, wants| {
            policy.create(view, asked, wants)
        });
        refused.map_err(or_general)
    }

    /// `Policy::validate` of all, until one refuses.
    pub fn validate(&mut self, view: &View<'_>, asked: Asked<'_>) -> Result<(), String> {
        let refused = self.all(Points::VALIDATE, |policy, wants| {
            policy.validate(view, asked, wants)
        });
        refused.map_err(or_general)
    }

    /// `Policy::consider` of all; the numbers of those that were asked.
    pub(super) fn consider(
        &mut self,
        view: &View<'_>,
        ticket: u64,
        jobs: &[Rc<job_policy::Job>],
    ) -> BTreeSet<u64> {
        let mut asked = BTreeSet::new();
        self.each(Points::CONSIDER, |policy, wants| {
            asked.insert(wants.by);
            policy.consider(view, ticket, jobs, wants);
        });
        asked
    }

    /// `Policy::turn_ended` of all.
    pub fn turn_ended(&mut self, view: &View<'_>) {
        self.each(Points::TURN, |policy, wants| policy.turn_ended(view, wants));
    }

    /// `Policy::rank_all` of all.
    pub fn rank_all(&mut self) {
        self.each(Points::PRIORITY, |policy, _| policy.rank_all());
        self.wants.push(Want::RankAll);
    }

    /// `Policy::update_factors` of the first that goes by factors.
    pub fn update_factors(&mut self, update: &UpdateFactors) -> Option<Result<(), String>> {
        let mut all = self.loaded.iter_mut();
        all.find_map(|loaded| loaded.policy.update_factors(update))
    }

    /// `Policy::depend` of those that look after the scheme of the Nth dependency.
    pub fn depend(
        &mut self,
        view: &View<'_>,
        asked: Asked<'_>,
        n: usize,
        dependency: &Value,
    ) -> Result<(), String> {
        let scheme = dependency.get("scheme").and_then(Value::as_str);
        let (Some(scheme), Some(dependency)) = (scheme, dependency.as_object()) else {
            return Err(format!("dependency[{n}] missing string scheme"));
        };
        if "job.dependency.".len() + scheme.len() > SCHEME_TOPIC_BYTES_MAX {
            return Err(format!(
                "rejecting absurdly long dependency scheme: {scheme}"
            ));
        }
        let mut is_known = false;
        for loaded in &mut self.loaded {
            if loaded.policy.schemes().contains(&scheme) {
                is_known = true;
                self.wants.by = loaded.number;
                let taken = loaded
                    .policy
                    .depend(view, asked, dependency, &mut self.wants);
                taken.map_err(|text| match text.is_empty() {
                    true => "rejected by job-manager dependency plugin".to_owned(),
                    false => text,
                })?;
            }
        }
        match is_known {
            true => Ok(()),
            false => Err(format!("dependency scheme \"{scheme}\" not supported")),
        }
    }

    /// `Policy::accepted` of all.
    pub fn accepted(&mut self, view: &View<'_>, asked: Asked<'_>) {
        self.each(Points::ACCEPTED, |policy, wants| {
            policy.accepted(view, asked, wants);
        });
    }

    /// `Policy::event` of those that are called for this one.
    pub fn event(&mut self, view: &View<'_>, job: &Job, step: &Step<'_>) {
        self.each(step.points(), |policy, wants| {
            policy.event(view, job, step, wants);
        });
    }

    /// `Policy::priority`: that of the last one that returns one.
    pub fn priority(&mut self, view: &View<'_>, job: &Job) -> Rank {
        let mut rank = Rank::Pass;
        self.each(Points::PRIORITY, |policy, _| {
            match policy.priority(view, job) {
                Rank::Pass => {}
                said => rank = said,
            }
        });
        rank
    }

    /// `Policy::update` of those that know the key, until one refuses; `None` if no one
    /// does.
    pub fn update(
        &mut self,
        view: &View<'_>,
        job: &Job,
        update: &Update<'_>,
    ) -> Option<Result<Accepted, String>> {
        let mut all: Option<Result<Accepted, String>> = None;
        self.each(Points::UPDATE, |policy, _| {
            if matches!(all, Some(Err(_))) {
                return;
            }
            let Some(said) = policy.update(view, job, update) else {
                return;
            };
            all = Some(said.map(|said| {
                let mut sum = match all.take() {
                    Some(Ok(before)) => before,
                    _ => Accepted::default(),
                };
                sum.validated |= said.validated;
                sum.feasibility |= said.feasibility;
                sum.updates.extend(said.updates);
                sum
            }));
        });
        all
    }

    /// `Policy::gone` of all.
    pub fn gone(&mut self, view: &View<'_>, job: &Job) {
        self.each(Points::GONE, |policy, wants| policy.gone(view, job, wants));
    }

    /// `Policy::purged` of all.
    pub fn purged(&mut self, id: JobId) {
        self.each(Points::PURGED, |policy, _| policy.purged(id));
    }

    /// `Policy::woken` of one.
    pub(super) fn woken(&mut self, view: &View<'_>, number: u64) {
        self.one(number, |policy, wants| policy.woken(view, wants));
    }

    /// `Policy::wrote` of one.
    pub fn wrote(&mut self, number: u64, token: u64, rank: u32, stream: Stream, line: &str) {
        self.one(number, |policy, _| policy.wrote(token, rank, stream, line));
    }

    /// `Policy::ended` of one.
    pub fn ended(&mut self, view: &View<'_>, number: u64, token: u64, rank: u32, how: &Outcome) {
        self.one(number, |policy, wants| {
            policy.ended(view, token, rank, how, wants);
        });
    }

    /// `Policy::perilogs` of all.
    pub(super) fn perilogs(&self) -> Vec<String> {
        let all = self.loaded.iter();
        all.flat_map(|loaded| loaded.policy.perilogs()).collect()
    }

    /// `Policy::answered` of one.
    pub(super) fn answered(
        &mut self,
        view: &View<'_>,
        number: u64,
        token: u64,
        answer: Result<Option<Bytes>, Refusal>,
    ) {
        self.one(number, |policy, wants| {
            policy.answered(view, token, answer, wants);
        });
    }
}

/// The sentence of a refusal, a general one for an empty one.
pub(crate) fn or_general(text: String) -> String {
    match text.is_empty() {
        true => "rejected by job-manager plugin".to_owned(),
        false => text,
    }
}
