//! job-manager.update: new values for the jobspec of a job (protocol/25 section 4). All of
//! them are taken, or none.
//!
//! Read on in `ask.rs` for the questions to others before an update is made.

mod ask;

use node::{Cx, Peer, Reply};
use proto::data::Jobspec;
use proto::job_manager::{JobEvent, Update, UpdateRefused};
use proto::{Coded, RawJson, Refusal};
use serde_json::{Map, Value};

use crate::JobManager;
use crate::job::Job;
use crate::jobs::Slot;
use crate::limits::{JOB_LOG_BYTES_MAX, UPDATE_TOPIC_BYTES_MAX};
use crate::policy::update_duration::{self, DURATION, is_running};
use crate::policy::{self, Asked, Points};
pub use ask::Updates;
use ask::{Question, Waiting, go_on};

/// Keys that may be updated.
const TOPS: [&str; 3] = ["attributes.", "resources", "tasks"];

/// An update that was looked at and found good.
struct Plan {
    /// New values of the jobspec.
    updates: Map<String, Value>,
    /// True if policies were not asked to validate it.
    is_unchecked: bool,
    /// Questions that others must answer first.
    questions: Vec<Question>,
}

pub(crate) fn update(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: Update,
    reply: Reply<Update>,
) {
    let Some(reply) = core.unless_done(cx, peer, reply) else {
        return;
    };
    if core.is_ending {
        return reply.send(cx, Err(UpdateRefused::Stopping.into()));
    }
    let waiting = Waiting {
        peer: peer.clone(),
        request,
        reply,
        asked: Vec::new(),
    };
    go_on(core, cx, waiting);
}

/// Looks at an update without changing anything.
fn plan(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: &Update,
) -> Result<Plan, Refusal> {
    let wanted = &request.updates.0;
    let is_known = |key: &String| TOPS.iter().any(|top| key.starts_with(top));
    if !wanted.keys().all(is_known) {
        return Err(UpdateRefused::Invalid.refusal());
    }
    let job = match core.known_to(cx, peer, request.id) {
        Some(Slot::Active(job)) => job,
        Some(Slot::Inactive(_) | Slot::Away(_)) => return Err(UpdateRefused::Inactive.refusal()),
        None => return Err(UpdateRefused::UnknownJob.refusal()),
    };
    if !peer.may_act_for(job.life.userid) {
        return Err(UpdateRefused::NotYours.refusal());
    }
    if job.life.immutable && !peer.is_owner() {
        return Err(UpdateRefused::Immutable.refusal());
    }
    if !job.has_room_for(&JobEvent::JobspecUpdate(wanted.clone())) {
        return Err(UpdateRefused::LogFull(JOB_LOG_BYTES_MAX).refusal());
    }
    let asked = ask_policies(core, cx, peer, request).map_err(refused)?;
    let job = core.jobs.active(request.id);
    let Some(job) = job else {
        return Err(UpdateRefused::UnknownJob.refusal());
    };
    let mut questions = Vec::new();
    if !asked.is_unchecked && core.policies.any_at(Points::CONSIDER) {
        let jobspec = RawJson::of(&asked.jobspec).map_err(|error| refused(error.to_string()))?;
        questions.push(Question::Policies(job.asked_about(jobspec)));
    }
    match wanted.get(DURATION).and_then(Value::as_f64) {
        _ if asked.feasibility => {
            questions.push(Question::Feasibility(asked.jobspec.into_object()));
        }
        Some(duration) if is_running(job) => {
            let expiration = update_duration::expiration(job, duration).map_err(refused)?;
            questions.push(Question::Expiration(expiration));
        }
        _ => {}
    }
    Ok(Plan {
        updates: asked.updates,
        is_unchecked: asked.is_unchecked,
        questions,
    })
}

/// Answers of policies.
struct PolicyAnswers {
    updates: Map<String, Value>,
    jobspec: Jobspec,
    feasibility: bool,
    is_unchecked: bool,
}

fn ask_policies(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: &Update,
) -> Result<PolicyAnswers, String> {
    let mut updates = request.updates.0.clone();
    let mut feasibility = false;
    let mut is_unchecked = true;
    for (key, value) in &request.updates.0 {
        if "job.update.".len() + key.len() > UPDATE_TOPIC_BYTES_MAX {
            return Err("topic string overflow".to_owned());
        }
        let update = policy::Update {
            key,
            value,
            userid: peer.userid,
            is_owner: peer.is_owner(),
        };
        let said = core.ask_policies(cx, |policies, view| {
            let job = view.jobs.active(request.id)?;
            policies.update(view, job, &update)
        });
        let accepted = match said {
            None => return Err(format!("update of {key} not supported")),
            Some(Err(text)) if text.is_empty() => {
                return Err("update rejected by job-manager plugin".to_owned());
            }
            Some(said) => said?,
        };
        feasibility |= accepted.feasibility;
        is_unchecked &= accepted.validated;
        updates.extend(accepted.updates);
    }
    let job = core.jobs.active(request.id).ok_or("job is inactive")?;
    let jobspec = updated(job, &updates)?;
    if !is_unchecked {
        core.ask_policies(cx, |policies, view| match view.jobs.active(request.id) {
            Some(job) => policies.validate(
                view,
                Asked {
                    job,
                    jobspec: &jobspec,
                },
            ),
            None => Ok(()),
        })?;
    }
    Ok(PolicyAnswers {
        updates,
        jobspec,
        feasibility,
        is_unchecked,
    })
}

/// The jobspec of a job with new values.
fn updated(job: &Job, updates: &Map<String, Value>) -> Result<Jobspec, String> {
    let mut jobspec = Jobspec::decode(job.jobspec().as_str()).map_err(|error| error.to_string())?;
    jobspec.update(updates).map_err(|error| error.to_string())?;
    Ok(jobspec)
}

fn refused(text: String) -> Refusal {
    UpdateRefused::Policy(text).refusal()
}

/// Makes an update that everyone has agreed to.
fn make(core: &mut JobManager, cx: &mut Cx<JobManager>, peer: &Peer, request: &Update, plan: Plan) {
    let id = request.id;
    let is_of_other = core
        .jobs
        .active(id)
        .is_some_and(|job| job.life.userid != peer.userid);
    let is_free = plan.is_unchecked && !request.updates.0.is_empty();
    if peer.is_owner() && is_of_other && is_free {
        let flags = vec!["immutable".to_owned()];
        core.post(cx, id, &JobEvent::SetFlags(flags));
    }
    core.post(cx, id, &JobEvent::JobspecUpdate(plan.updates));
    for question in plan.questions {
        if let Question::Expiration(expiration) = question {
            core.post(cx, id, &JobEvent::ResourceUpdate { expiration });
        }
    }
    core.run(cx);
}
