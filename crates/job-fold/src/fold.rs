//! Meaning of a job's events: a fold, so that a history and the same events one by one
//! give the same job (protocol/12 section 4).

use proto::data::Jobspec;
use proto::data::dotted;
use proto::data::job::{JobResult, Next, Raised as RaisedPart, State, next};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::asked::AskedBefore;
use crate::given::GivenBefore;
use crate::job::Job;
use crate::parts::Parts;
use crate::record::{Event, Record};

/// State shared by the folds of all jobs.
#[derive(Debug, Default)]
pub struct Folder {
    /// Shared parts.
    pub parts: Parts,
    asked: AskedBefore,
    given: GivenBefore,
}

#[derive(Deserialize)]
struct Submit {
    userid: u32,
    urgency: i32,
    version: Option<i64>,
}

#[derive(Deserialize)]
struct Raised {
    #[serde(rename = "type")]
    kind: Box<str>,
    severity: i64,
    #[serde(default)]
    note: Box<str>,
}

#[derive(Deserialize)]
struct Prioritized {
    priority: u32,
}

#[derive(Deserialize)]
struct Urged {
    urgency: i32,
}

#[derive(Deserialize)]
struct Finished {
    status: i32,
}

#[derive(Deserialize)]
struct Expiring {
    expiration: f64,
}

#[derive(Deserialize)]
struct Described {
    description: Box<str>,
}

impl Folder {
    /// Folds a record of the journal in. `invalidate` is the caller's.
    pub fn apply_record(&mut self, job: &mut Job, record: &Record<'_>) {
        // Nothing changes the jobspec of an inactive job: its text is not needed, but by
        // the updates in its own history.
        let has = |name: &str| record.events.iter().any(|event| event.name == name);
        let keep = !has("clean") || has("jobspec-update");
        if let Some(jobspec) = record.jobspec {
            self.set_jobspec(job, jobspec.get(), keep);
        }
        if let Some(r) = record.r {
            self.set_r(job, r.get());
        }
        for event in &record.events {
            self.apply(job, event);
        }
    }

    /// The job's jobspec, as far as it is known so far; kept for updates if `keep`.
    fn set_jobspec(&mut self, job: &mut Job, text: &str, keep: bool) {
        match self.asked.of(text, &mut self.parts) {
            Ok((text, asked)) => {
                job.asked = Some(asked);
                if keep || job.extra.is_some() {
                    job.change_extra(|extra| extra.jobspec = keep.then_some(text));
                }
            }
            Err(error) => tracing::error!("job {}: invalid jobspec: {error}", job.id),
        }
    }

    /// Sets the allocation of the job.
    fn set_r(&mut self, job: &mut Job, text: &str) {
        match self.given.of(text, &mut self.parts) {
            Ok((given, expiration)) => {
                (job.given, job.expiration) = (Some(given), expiration);
            }
            Err(error) => tracing::error!("job {}: invalid R: {error}", job.id),
        }
    }

    fn apply(&mut self, job: &mut Job, event: &Event<'_>) {
        if self.apply_known(job, event).is_none() {
            tracing::error!("job {}: malformed {} event ignored", job.id, event.name);
        }
    }

    /// `None` for a context that does not fit.
    fn apply_known(&mut self, job: &mut Job, event: &Event<'_>) -> Option<()> {
        let mut is_fatal = false;
        match &*event.name {
            "submit" => return self.submit(job, event),
            "priority" => job.priority = event.context::<Prioritized>()?.priority,
            "urgency" => job.urgency = event.context::<Urged>()?.urgency,
            "jobspec-update" => self.update_jobspec(job, event.context()?),
            "resource-update" => {
                let update: Expiring = event.context()?;
                if job.given.is_some() {
                    job.expiration = update.expiration;
                }
            }
            "dependency-add" => {
                let added: Described = event.context()?;
                job.change_extra(|extra| {
                    let there = extra.dependencies.get_or_insert_default();
                    there.push(added.description);
                });
            }
            "dependency-remove" => {
                let removed: Described = event.context()?;
                job.change_extra(|extra| {
                    if let Some(there) = &mut extra.dependencies {
                        there.retain(|description| *description != removed.description);
                    }
                });
            }
            "finish" => job.waitstatus = Some(event.context::<Finished>()?.status),
            "exception" => is_fatal = self.exception(job, event)?,
            "memo" => {
                let memo: Map<String, Value> = event.context()?;
                annotate(job, |all| {
                    if let Value::Object(update) = json!({ "user": memo }) {
                        dotted::merge(all, &update);
                    }
                });
            }
            "annotations" => {
                let context: Map<String, Value> = event.context()?;
                let new = context.get("annotations").and_then(Value::as_object);
                let new = new.cloned().unwrap_or_default();
                annotate(job, |all| *all = new);
            }
            _ => {}
        }
        step(job, &event.name, is_fatal, event.timestamp);
        Some(())
    }

    fn submit(&mut self, job: &mut Job, event: &Event<'_>) -> Option<()> {
        let submit: Submit = event.context()?;
        (job.userid, job.urgency) = (submit.userid, submit.urgency);
        job.times.submit = event.timestamp;
        if submit.version.is_none() {
            step(job, "validate", false, event.timestamp);
        }
        Some(())
    }

    /// True if it ends the job.
    fn exception(&mut self, job: &mut Job, event: &Event<'_>) -> Option<bool> {
        let raised: Raised = event.context()?;
        let worst = job.raised().map(|worst| worst.severity);
        if worst.is_none_or(|worst| raised.severity < worst) {
            let part = RaisedPart {
                kind: &raised.kind,
                severity: raised.severity,
                note: &raised.note,
            };
            job.raised = Some(self.parts.get(&part.encode()));
        }
        Some(raised.severity == 0)
    }

    fn update_jobspec(&mut self, job: &mut Job, update: Map<String, Value>) {
        let text = job.extra.as_ref().and_then(|extra| extra.jobspec.clone());
        let Some(text) = text else {
            return;
        };
        let updated = Jobspec::decode(&text).and_then(|mut jobspec| {
            jobspec.update(&update)?;
            Ok(jobspec.encode())
        });
        match updated {
            Ok(text) => self.set_jobspec(job, &text, true),
            Err(error) => tracing::error!("job {}: jobspec-update: {error}", job.id),
        }
    }
}

fn annotate(job: &mut Job, change: impl FnOnce(&mut Map<String, Value>)) {
    let there = job.annotations().unwrap_or("{}");
    let mut all = serde_json::from_str(there).unwrap_or_default();
    change(&mut all);
    let text = (!all.is_empty()).then(|| Value::Object(all).to_string().into());
    job.change_extra(|extra| extra.annotations = text);
}

/// Moves a job on, or leaves it. The job manager decides which events are allowed: an event
/// that does not fit is ignored.
fn step(job: &mut Job, event: &str, is_fatal: bool, at: f64) {
    match next(job.state, event, is_fatal) {
        Next::To(state) => enter(job, state, at),
        Next::Stay => {}
        Next::Refuse => {
            let state = job.state.name();
            tracing::debug!("job {}: {event} does not fit in {state}", job.id);
        }
    }
}

fn enter(job: &mut Job, state: State, at: f64) {
    if job.state == State::Sched && state == State::Priority {
        job.states_mask &= !(State::Sched.bit() as u8);
    }
    job.state = state;
    job.states_mask |= state.bit() as u8;
    let times = &mut job.times;
    let time = match state {
        State::New => &mut times.submit,
        State::Depend => &mut times.depend,
        State::Priority => &mut times.priority,
        State::Sched => &mut times.sched,
        State::Run => &mut times.run,
        State::Cleanup => &mut times.cleanup,
        State::Inactive => &mut times.inactive,
    };
    // A state that is entered again keeps its first time.
    if *time == 0.0 {
        *time = at;
    }
    if state == State::Inactive {
        job.result = Some(result(job));
        if job.extra.is_some() {
            job.change_extra(|extra| extra.jobspec = None);
        }
    }
}

fn result(job: &Job) -> JobResult {
    let fatal = job.raised().filter(|raised| raised.severity == 0);
    match fatal.map(|raised| raised.kind) {
        None if job.waitstatus == Some(0) => JobResult::Completed,
        Some("cancel") => JobResult::Canceled,
        Some("timeout") => JobResult::Timeout,
        _ => JobResult::Failed,
    }
}
