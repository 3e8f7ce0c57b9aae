//! What events say about a job: a fold, so that a history and the same events one by one
//! give the same job (protocol/12 section 4).

use proto::data::Jobspec;
use proto::data::dotted;
use proto::data::job::{JobResult, Next, State, next};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::got::Gots;
use crate::job::{Exception, Job};
use crate::record::Event;
use crate::wish::Wishes;
use crate::words::Words;

/// What folding shares among jobs.
#[derive(Debug, Default)]
pub struct Folder {
    /// Shared texts.
    pub words: Words,
    wishes: Wishes,
    gots: Gots,
}

#[derive(Deserialize)]
struct Submit {
    userid: u32,
    urgency: i64,
    version: Option<i64>,
}

#[derive(Deserialize)]
struct Raised {
    #[serde(rename = "type")]
    kind: String,
    severity: i64,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
struct Prioritized {
    priority: u32,
}

#[derive(Deserialize)]
struct Urged {
    urgency: i64,
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
    /// The job's jobspec, as far as it is known so far; kept for updates if `keep`.
    pub fn set_jobspec(&mut self, job: &mut Job, text: &str, keep: bool) {
        match self.wishes.of(text, &mut self.words) {
            Ok((text, wish)) => {
                job.wish = wish;
                job.jobspec = keep.then_some(text);
            }
            Err(error) => tracing::error!("job {}: invalid jobspec: {error}", job.id),
        }
    }

    /// What the job got.
    pub fn set_r(&mut self, job: &mut Job, text: &str) {
        match self.gots.of(text, &mut self.words) {
            Ok(got) => job.got = Some(got),
            Err(error) => tracing::error!("job {}: invalid R: {error}", job.id),
        }
    }

    /// Folds one event in. `invalidate` is the caller's.
    pub fn apply(&mut self, job: &mut Job, event: &Event<'_>) {
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
                if let Some(got) = &mut job.got {
                    got.expiration = update.expiration;
                }
            }
            "dependency-add" => {
                let added: Described = event.context()?;
                let there = job.dependencies.get_or_insert_default();
                there.push(added.description);
            }
            "dependency-remove" => {
                let removed: Described = event.context()?;
                if let Some(there) = &mut job.dependencies {
                    there.retain(|description| *description != removed.description);
                }
            }
            "finish" => job.waitstatus = Some(event.context::<Finished>()?.status),
            "exception" => is_fatal = self.exception(job, event)?,
            "memo" => {
                let memo: Map<String, Value> = event.context()?;
                self.annotate(job, |all| {
                    if let Value::Object(update) = json!({ "user": memo }) {
                        dotted::merge(all, &update);
                    }
                });
            }
            "annotations" => {
                let context: Map<String, Value> = event.context()?;
                let new = context.get("annotations").and_then(Value::as_object);
                let new = new.cloned().unwrap_or_default();
                self.annotate(job, |all| *all = new);
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

    /// Whether it ends the job.
    fn exception(&mut self, job: &mut Job, event: &Event<'_>) -> Option<bool> {
        let raised: Raised = event.context()?;
        let worst = job.exception.as_ref().map(|worst| worst.severity);
        if worst.is_none_or(|worst| raised.severity < worst) {
            job.exception = Some(Box::new(Exception {
                kind: self.words.get(&raised.kind),
                severity: raised.severity,
                note: self.words.get(&raised.note),
            }));
        }
        Some(raised.severity == 0)
    }

    fn update_jobspec(&mut self, job: &mut Job, update: Map<String, Value>) {
        let Some(text) = &job.jobspec else {
            return;
        };
        let updated = Jobspec::decode(text).and_then(|mut jobspec| {
            jobspec.update(&update)?;
            Ok(jobspec.encode())
        });
        match updated {
            Ok(text) => self.set_jobspec(job, &text, true),
            Err(error) => tracing::error!("job {}: jobspec-update: {error}", job.id),
        }
    }

    fn annotate(&mut self, job: &mut Job, change: impl FnOnce(&mut Map<String, Value>)) {
        let there = job.annotations.as_deref().unwrap_or("{}");
        let mut all = serde_json::from_str(there).unwrap_or_default();
        change(&mut all);
        job.annotations = match all.is_empty() {
            true => None,
            false => Some(self.words.get(&Value::Object(all).to_string())),
        };
    }
}

/// Moves a job on, or leaves it. The job manager decides what may happen: an event that does
/// not fit is ignored.
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
        job.states_mask &= !State::Sched.bit();
    }
    job.state = state;
    job.states_mask |= state.bit();
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
        job.jobspec = None;
    }
}

fn result(job: &Job) -> JobResult {
    let fatal = job.exception.as_ref().filter(|e| e.severity == 0);
    match fatal.map(|exception| &*exception.kind) {
        None if job.waitstatus == Some(0) => JobResult::Completed,
        Some("cancel") => JobResult::Canceled,
        Some("timeout") => JobResult::Timeout,
        _ => JobResult::Failed,
    }
}
