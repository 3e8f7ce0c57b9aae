//! Which policies there are, in the order in which they were loaded, and asking them. For
//! each point there is a list of those that hear it, so that the others cost nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use node::{CallId, TimerId};
use proto::data::JobId;
use proto::data::job::State;
use proto::job_manager::{JobEvent, UpdateFactors};
use proto::{Object, Refusal, job_policy};
use serde_json::{Map, Value};

use super::wants::{Want, Wants};
use super::{
    Accepted, Asked, Look, Points, Policy, Rank, Step, Update, after, begin_time, limit_duration,
    limit_size, priority, singleton, update_duration, update_queue, validate_duration,
};
use crate::bulk::{Outcome, Stream};
use crate::job::Job;
use crate::limits::SCHEME_TOPIC_BYTES_MAX;

/// What a policy is made by.
pub type Make = fn() -> Box<dyn Policy>;

/// Those that are there from the start, in order.
pub fn builtin() -> Vec<Make> {
    vec![
        || Box::new(priority::PriorityDefault),
        || Box::new(limit_size::LimitJobSize),
        || Box::new(limit_duration::LimitDuration),
        || Box::<after::DependencyAfter>::default(),
        || Box::<singleton::DependencySingleton>::default(),
        || Box::<begin_time::BeginTime>::default(),
        || Box::new(validate_duration::ValidateDuration),
        || Box::<update_duration::UpdateDuration>::default(),
        // Their methods are the job manager's own; here are the names to look for.
        || Box::new(Listed(".history")),
        || Box::new(Listed(".post-event")),
        || Box::new(update_queue::UpdateQueue),
    ]
}

/// A name without a behaviour.
struct Listed(&'static str);

impl Policy for Listed {
    fn name(&self) -> &str {
        self.0
    }

    fn hears(&self) -> Points {
        Points::NONE
    }
}

struct Loaded {
    /// Never given again: what a policy that was removed still wants finds nobody.
    number: u64,
    hears: Points,
    policy: Box<dyn Policy>,
    timer: Option<TimerId>,
}

/// The policies.
pub struct Policies {
    loaded: Vec<Loaded>,
    /// What any of them hears.
    heard: Points,
    numbered: u64,
    wants: Wants,
    /// Requests that are not answered, by the policy and its own number for it.
    asks: BTreeMap<(u64, u64), CallId>,
}

impl Default for Policies {
    fn default() -> Self {
        let mut policies = Policies {
            loaded: Vec::new(),
            heard: Points::NONE,
            numbered: 0,
            wants: Wants::default(),
            asks: BTreeMap::new(),
        };
        for make in builtin() {
            policies.add(make());
        }
        policies
    }
}

impl Policies {
    /// Adds a policy behind all others.
    pub fn add(&mut self, policy: Box<dyn Policy>) -> u64 {
        self.numbered += 1;
        self.loaded.push(Loaded {
            number: self.numbered,
            hears: policy.hears(),
            policy,
            timer: None,
        });
        self.sum_up();
        self.numbered
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.loaded.iter().map(|loaded| loaded.policy.name())
    }

    /// Whether there is one of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Takes the one of this name out.
    pub(super) fn take_out(&mut self, name: &str) {
        let at = self.loaded.iter().position(|it| it.policy.name() == name);
        if let Some(at) = at {
            let mut loaded = self.loaded.remove(at);
            self.wants.by = loaded.number;
            loaded.policy.removed(&mut self.wants);
            self.sum_up();
        }
    }

    /// What the one of this name tells of itself, behind its name.
    pub fn query(&self, look: &Look<'_>, name: &str) -> Option<(String, Map<String, Value>)> {
        let name = name.strip_suffix(".so").unwrap_or(name);
        let loaded = self.loaded.iter().find(|it| it.policy.name() == name)?;
        Some((name.to_owned(), loaded.policy.query(look)))
    }

    /// Tells one of a job that was there before it.
    pub(super) fn introduce(
        &mut self,
        look: &Look<'_>,
        number: u64,
        asked: Asked<'_>,
    ) -> Vec<String> {
        let mut failures = Vec::new();
        self.one(number, |policy, wants| {
            // It was accepted once.
            let _ = policy.create(look, asked, wants);
            policy.accepted(look, asked, wants);
            if asked.job.life.state != State::Depend {
                return;
            }
            for dependency in asked.jobspec.dependencies() {
                let scheme = dependency.get("scheme").and_then(Value::as_str);
                let is_its = scheme.is_some_and(|scheme| policy.schemes().contains(&scheme));
                if let (true, Some(dependency)) = (is_its, dependency.as_object()) {
                    let taken = policy.depend(look, asked, dependency, wants);
                    failures.extend(taken.err());
                }
            }
            if policy.hears().meets(Points::STATE | Points::EVENT) {
                let step = Step {
                    event: &JobEvent::Validate,
                    from: State::New,
                    to: State::Depend,
                };
                policy.event(look, asked.job, &step, wants);
            }
        });
        failures
    }

    fn sum_up(&mut self) {
        let all = self.loaded.iter().map(|loaded| loaded.hears);
        self.heard = all.fold(Points::NONE, |sum, hears| sum | hears);
    }

    /// Whether anyone hears any of `points`.
    pub fn hear(&self, points: Points) -> bool {
        self.heard.meets(points)
    }

    /// Whether anyone hears this event.
    pub fn hear_step(&self, step: &Step<'_>) -> bool {
        self.hear(step.points())
    }

    /// Asks each that hears any of `points`, in order.
    fn each(&mut self, points: Points, mut ask: impl FnMut(&mut dyn Policy, &mut Wants)) {
        if !self.heard.meets(points) {
            return;
        }
        for loaded in self.loaded.iter_mut().filter(|it| it.hears.meets(points)) {
            self.wants.by = loaded.number;
            ask(&mut *loaded.policy, &mut self.wants);
        }
    }

    /// The same until one refuses.
    fn all(
        &mut self,
        points: Points,
        mut ask: impl FnMut(&mut dyn Policy, &mut Wants) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut asked = Ok(());
        self.each(points, |policy, wants| {
            if asked.is_ok() {
                asked = ask(policy, wants);
            }
        });
        asked
    }

    /// Asks the one with this number, if it is still there.
    fn one(&mut self, number: u64, ask: impl FnOnce(&mut dyn Policy, &mut Wants)) {
        if let Some(loaded) = self.loaded.iter_mut().find(|it| it.number == number) {
            self.wants.by = number;
            ask(&mut *loaded.policy, &mut self.wants);
        }
    }

    /// What is wanted and not done yet, one after the other.
    pub(super) fn next_want(&mut self) -> Option<(u64, Want)> {
        self.wants.next()
    }

    /// Where the core says what it wants itself.
    pub fn wants(&mut self) -> &mut Wants {
        &mut self.wants
    }

    /// Takes note of the one timer that a policy has; the one before comes back.
    pub(super) fn set_timer(&mut self, number: u64, timer: TimerId) -> Option<TimerId> {
        let loaded = self.loaded.iter_mut().find(|it| it.number == number);
        loaded?.timer.replace(timer)
    }

    /// Takes note of a request.
    pub(super) fn note_ask(&mut self, number: u64, token: u64, call: CallId) {
        self.asks.insert((number, token), call);
    }

    /// A request that is answered, or given up.
    pub(super) fn take_ask(&mut self, number: u64, token: u64) -> Option<CallId> {
        self.asks.remove(&(number, token))
    }

    /// [`Policy::configure`] of all, until one refuses.
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

    /// [`Policy::configured`] of all.
    pub fn configured(&mut self, look: &Look<'_>) {
        for loaded in &mut self.loaded {
            self.wants.by = loaded.number;
            loaded.policy.configured(look, &mut self.wants);
        }
    }

    /// [`Policy::create`] of all, until one refuses.
    pub fn create(&mut self, look: &Look<'_>, asked: Asked<'_>) -> Result<(), String> {
        let refused = self.all(Points::CREATE, |policy, wants| {
            policy.create(look, asked, wants)
        });
        refused.map_err(or_general)
    }

    /// [`Policy::validate`] of all, until one refuses.
    pub fn validate(&mut self, look: &Look<'_>, asked: Asked<'_>) -> Result<(), String> {
        let refused = self.all(Points::VALIDATE, |policy, wants| {
            policy.validate(look, asked, wants)
        });
        refused.map_err(or_general)
    }

    /// [`Policy::consider`] of all; the numbers of those that were asked.
    pub(super) fn consider(
        &mut self,
        look: &Look<'_>,
        ticket: u64,
        jobs: &[Rc<job_policy::Job>],
    ) -> BTreeSet<u64> {
        let mut asked = BTreeSet::new();
        self.each(Points::CONSIDER, |policy, wants| {
            asked.insert(wants.by);
            policy.consider(look, ticket, jobs, wants);
        });
        asked
    }

    /// [`Policy::turn_ended`] of all.
    pub fn turn_ended(&mut self, look: &Look<'_>) {
        self.each(Points::TURN, |policy, wants| policy.turn_ended(look, wants));
    }

    /// [`Policy::rank_all`] of all.
    pub fn rank_all(&mut self) {
        self.each(Points::PRIORITY, |policy, _| policy.rank_all());
        self.wants.push(Want::RankAll);
    }

    /// [`Policy::update_factors`] of the first that goes by factors.
    pub fn update_factors(&mut self, update: &UpdateFactors) -> Option<Result<(), String>> {
        let mut all = self.loaded.iter_mut();
        all.find_map(|loaded| loaded.policy.update_factors(update))
    }

    /// [`Policy::depend`] of those that look after the scheme of the Nth dependency.
    pub fn depend(
        &mut self,
        look: &Look<'_>,
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
                    .depend(look, asked, dependency, &mut self.wants);
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

    /// [`Policy::accepted`] of all.
    pub fn accepted(&mut self, look: &Look<'_>, asked: Asked<'_>) {
        self.each(Points::ACCEPTED, |policy, wants| {
            policy.accepted(look, asked, wants);
        });
    }

    /// [`Policy::event`] of those that hear this one.
    pub fn event(&mut self, look: &Look<'_>, job: &Job, step: &Step<'_>) {
        self.each(step.points(), |policy, wants| {
            policy.event(look, job, step, wants);
        });
    }

    /// [`Policy::priority`]: that of the last one that says one.
    pub fn priority(&mut self, look: &Look<'_>, job: &Job) -> Rank {
        let mut rank = Rank::Pass;
        self.each(Points::PRIORITY, |policy, _| {
            match policy.priority(look, job) {
                Rank::Pass => {}
                said => rank = said,
            }
        });
        rank
    }

    /// [`Policy::update`] of those that know the key, until one refuses; `None` if no one
    /// does.
    pub fn update(
        &mut self,
        look: &Look<'_>,
        job: &Job,
        update: &Update<'_>,
    ) -> Option<Result<Accepted, String>> {
        let mut all: Option<Result<Accepted, String>> = None;
        self.each(Points::UPDATE, |policy, _| {
            if matches!(all, Some(Err(_))) {
                return;
            }
            let Some(said) = policy.update(look, job, update) else {
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

    /// [`Policy::gone`] of all.
    pub fn gone(&mut self, look: &Look<'_>, job: &Job) {
        self.each(Points::GONE, |policy, wants| policy.gone(look, job, wants));
    }

    /// [`Policy::purged`] of all.
    pub fn purged(&mut self, id: JobId) {
        self.each(Points::PURGED, |policy, _| policy.purged(id));
    }

    /// [`Policy::woken`] of one.
    pub(super) fn woken(&mut self, look: &Look<'_>, number: u64) {
        self.one(number, |policy, wants| policy.woken(look, wants));
    }

    /// [`Policy::wrote`] of one.
    pub fn wrote(&mut self, number: u64, token: u64, rank: u32, stream: Stream, line: &str) {
        self.one(number, |policy, _| policy.wrote(token, rank, stream, line));
    }

    /// [`Policy::ended`] of one.
    pub fn ended(&mut self, look: &Look<'_>, number: u64, token: u64, rank: u32, how: &Outcome) {
        self.one(number, |policy, wants| {
            policy.ended(look, token, rank, how, wants);
        });
    }

    /// [`Policy::perilogs`] of all.
    pub(super) fn perilogs(&self) -> Vec<String> {
        let all = self.loaded.iter();
        all.flat_map(|loaded| loaded.policy.perilogs()).collect()
    }

    /// [`Policy::answered`] of one.
    pub(super) fn answered(
        &mut self,
        look: &Look<'_>,
        number: u64,
        token: u64,
        answer: Result<Option<Bytes>, Refusal>,
    ) {
        self.one(number, |policy, wants| {
            policy.answered(look, token, answer, wants);
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
