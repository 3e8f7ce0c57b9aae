//! Loaded policies in the order of loading, and their data.

use std::collections::BTreeMap;

use node::{CallId, TimerId};
use proto::data::job::State;
use proto::job_manager::JobEvent;
use serde_json::{Map, Value};

use super::wants::{Want, Wants};
use super::{
    Asked, Points, Policy, Step, View, after, begin_time, limit_duration, limit_size, priority,
    singleton, update_duration, update_queue, validate_duration,
};

/// Constructor of a policy.
pub type Make = fn() -> Box<dyn Policy>;

/// Policies that are there from the start, in order.
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

/// One policy.
pub(super) struct Loaded {
    /// Never given again: the wants of a policy that was removed then find none.
    pub(super) number: u64,
    hears: Points,
    pub(super) policy: Box<dyn Policy>,
    timer: Option<TimerId>,
}

/// The policies.
pub struct Policies {
    pub(super) loaded: Vec<Loaded>,
    /// Points at which any of them is called.
    heard: Points,
    numbered: u64,
    pub(super) wants: Wants,
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

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.loaded.iter().map(|loaded| loaded.policy.name())
    }

    /// True if there is one of this name.
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

    /// Query data of the policy of this name, behind its name.
    pub fn query(&self, view: &View<'_>, name: &str) -> Option<(String, Map<String, Value>)> {
        let name = name.strip_suffix(".so").unwrap_or(name);
        let loaded = self.loaded.iter().find(|it| it.policy.name() == name)?;
        Some((name.to_owned(), loaded.policy.query(view)))
    }

    /// Notifies a policy of a job that was there before it.
    pub(super) fn introduce(
        &mut self,
        view: &View<'_>,
        number: u64,
        asked: Asked<'_>,
    ) -> Vec<String> {
        let mut failures = Vec::new();
        self.one(number, |policy, wants| {
            // It was accepted once.
            let _ = policy.create(view, asked, wants);
            policy.accepted(view, asked, wants);
            if asked.job.life.state != State::Depend {
                return;
            }
            for dependency in asked.jobspec.dependencies() {
                let scheme = dependency.get("scheme").and_then(Value::as_str);
                let is_its = scheme.is_some_and(|scheme| policy.schemes().contains(&scheme));
                if let (true, Some(dependency)) = (is_its, dependency.as_object()) {
                    let taken = policy.depend(view, asked, dependency, wants);
                    failures.extend(taken.err());
                }
            }
            if policy.hears().meets(Points::STATE | Points::EVENT) {
                let step = Step {
                    event: &JobEvent::Validate,
                    from: State::New,
                    to: State::Depend,
                };
                policy.event(view, asked.job, &step, wants);
            }
        });
        failures
    }

    fn sum_up(&mut self) {
        let all = self.loaded.iter().map(|loaded| loaded.hears);
        self.heard = all.fold(Points::NONE, |sum, hears| sum | hears);
    }

    /// True if any is called at any of `points`.
    pub fn any_at(&self, points: Points) -> bool {
        self.heard.meets(points)
    }

    /// True if any is called for this event.
    pub fn receive_step(&self, step: &Step<'_>) -> bool {
        self.any_at(step.points())
    }

    /// Asks each that is called for any of `points`, in order.
    pub(super) fn each(
        &mut self,
        points: Points,
        mut ask: impl FnMut(&mut dyn Policy, &mut Wants),
    ) {
        if !self.heard.meets(points) {
            return;
        }
        for loaded in self.loaded.iter_mut().filter(|it| it.hears.meets(points)) {
            self.wants.by = loaded.number;
            ask(&mut *loaded.policy, &mut self.wants);
        }
    }

    /// The same until one refuses.
    pub(super) fn all(
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
    pub(super) fn one(&mut self, number: u64, ask: impl FnOnce(&mut dyn Policy, &mut Wants)) {
        if let Some(loaded) = self.loaded.iter_mut().find(|it| it.number == number) {
            self.wants.by = number;
            ask(&mut *loaded.policy, &mut self.wants);
        }
    }

    /// Next request that is not carried out yet.
    pub(super) fn next_want(&mut self) -> Option<(u64, Want)> {
        self.wants.next()
    }

    /// Requests of the core itself.
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
}
