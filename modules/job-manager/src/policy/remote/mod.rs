//! `remote`: a policy that a module of the site's own answers for (proto/src/job_policy.rs). It is
//! loaded with the name of the module's service, and asks it at the points that the site names:
//! which jobs may be submitted (`validate`), and their priority (`priority`).
//!
//! One request of each kind is out at a time; jobs that come meanwhile go with the next one. Read
//! on in `config.rs`, `checks.rs` (jobs to be validated), `ranks.rs` (jobs to be ranked) and
//! `answers.rs` (the effects of an answer, or of a missing one).

mod answers;
mod checks;
mod config;
mod out;
mod ranks;

use std::rc::Rc;

use bytes::Bytes;
use proto::data::job::State;
use proto::job_manager::JobEvent;
use proto::job_policy::{self, Priorities, Priority, Validate, Validated};
use proto::{Payload, Refusal};
use serde_json::{Map, Value, json};

use super::{Points, Policy, Rank, Step, View, Want, Wants};
use crate::job::Job;
use checks::Checks;
use config::Settings;
use ranks::Ranks;

/// The policy.
#[derive(Default)]
pub struct Remote {
    settings: Settings,
    checks: Checks,
    ranks: Ranks,
    /// Number of requests; each has its own number.
    asked: u64,
    /// Number of requests not answered as they should be.
    failed: u64,
    /// Failure of the last request, if it failed.
    failure: Option<String>,
}

impl Policy for Remote {
    fn name(&self) -> &str {
        &self.settings.service
    }

    fn hears(&self) -> Points {
        let mut points = Points::TURN;
        if self.settings.validates {
            points = points | Points::CONSIDER;
        }
        if self.settings.ranks {
            points = points | Points::PRIORITY | Points::EVENT | Points::GONE;
        }
        points
    }

    fn set_conf(&mut self, conf: &Map<String, Value>) -> Result<(), String> {
        self.settings = Settings::read(conf)?;
        Ok(())
    }

    fn consider(
        &mut self,
        _: &View<'_>,
        ticket: u64,
        jobs: &[Rc<job_policy::Job>],
        wants: &mut Wants,
    ) {
        if !self.checks.add(ticket, jobs) {
            let n = self.checks.len();
            let text = self.failed(format!("{n} jobs are waiting for its answer already"));
            let all = jobs.iter().map(|job| job.id);
            wants.verdict(ticket, self.settings.on_failure(all, &text));
        }
    }

    fn priority(&mut self, _: &View<'_>, job: &Job) -> Rank {
        self.ranks.rank(job.id)
    }

    fn rank_all(&mut self) {
        self.ranks.forget_all();
    }

    fn event(&mut self, _: &View<'_>, job: &Job, step: &Step<'_>, _: &mut Wants) {
        let is_asked_again = matches!(
            step.event,
            JobEvent::Urgency { .. } | JobEvent::JobspecUpdate(_)
        );
        if is_asked_again || step.is_into(State::Cleanup) {
            self.ranks.forget(job.id);
        }
    }

    fn gone(&mut self, _: &View<'_>, job: &Job, _: &mut Wants) {
        self.ranks.forget(job.id);
    }

    fn turn_ended(&mut self, view: &View<'_>, wants: &mut Wants) {
        let until = uptime(view) + self.settings.timeout.secs();
        let token = self.asked + 1;
        if let Some(jobs) = self.checks.next(token, until) {
            let request = Validate { jobs };
            self.ask(view, "validate", request.encode(), wants);
        }
        let token = self.asked + 1;
        if let Some(jobs) = self.ranks.next(view, token, until) {
            let request = Priority { jobs };
            self.ask(view, "priority", request.encode(), wants);
        }
    }

    fn answered(
        &mut self,
        view: &View<'_>,
        token: u64,
        answer: Result<Option<Bytes>, Refusal>,
        wants: &mut Wants,
    ) {
        let answer = answer.map_err(|refusal| refusal.to_string());
        let malformed = |bad: proto::BadPayload| format!("malformed answer: {bad}");
        if self.checks.out.token() == Some(token) {
            let said =
                answer.and_then(|answer| Validated::decode(answer.as_ref()).map_err(malformed));
            self.validated(said.map(|said| said.errors), wants);
        } else if self.ranks.out.token() == Some(token) {
            let said =
                answer.and_then(|answer| Priorities::decode(answer.as_ref()).map_err(malformed));
            self.ranked(view, said.map(|said| said.priorities), wants);
        }
        self.wake(view, wants);
    }

    fn woken(&mut self, view: &View<'_>, wants: &mut Wants) {
        let now = uptime(view);
        let late = format!("no answer within {}", self.settings.timeout.to_text(2));
        if let Some(token) = self.checks.out.late(now) {
            wants.forget_ask(token);
            self.validated(Err(late.clone()), wants);
        }
        if let Some(token) = self.ranks.out.late(now) {
            wants.forget_ask(token);
            self.ranked(view, Err(late), wants);
        }
        self.ranks.end_pause(now);
        self.wake(view, wants);
    }

    /// Nobody asks for its answers any more.
    fn removed(&mut self, wants: &mut Wants) {
        for token in [self.checks.out.token(), self.ranks.out.token()] {
            token.into_iter().for_each(|token| wants.forget_ask(token));
        }
        for ticket in self.checks.drain() {
            wants.verdict(ticket, Vec::new());
        }
        if self.settings.ranks {
            wants.push(Want::RankAll);
        }
    }

    fn query(&self, _: &View<'_>) -> Map<String, Value> {
        let mut told = self.settings.shown();
        told.insert("validating".to_owned(), self.checks.len().into());
        told.insert("ranking".to_owned(), self.ranks.len().into());
        told.insert("requests".to_owned(), self.asked.into());
        told.insert("failed".to_owned(), self.failed.into());
        told.insert("failure".to_owned(), json!(self.failure));
        told
    }
}

/// Seconds on the clock that nobody sets.
fn uptime(view: &View<'_>) -> f64 {
    view.now.mono.as_secs_f64()
}
