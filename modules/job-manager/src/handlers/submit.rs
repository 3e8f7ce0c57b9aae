//! job-manager.submit: takes jobs over from job-ingest (protocol/11 section 3).
//!
//! A job that is known already is not taken twice: job-ingest asks again when it does not
//! know the result of its request.
//!
//! Policies are asked after `submit` was sent to listeners and before anything is stored: of a
//! job that is rejected nothing is stored.

use std::rc::Rc;

use node::{Cx, Peer, Reply};
use proto::data::job::{JobStep, SubmitFlags, Urgency};
use proto::data::{JobId, Jobspec};
use proto::job_manager::{JobEvent, Submit, SubmitJob, Submitted};
use proto::job_policy;

use crate::JobManager;
use crate::job::{ADMITTING, Job};
use crate::joblog::Record;
use crate::limits::{HELD_SUBMISSIONS_MAX, REJECTION_BYTES_MAX};
use crate::policy::{Asked, Points, Policies, Refused, View, or_general};
use crate::state::Life;

pub(crate) fn submit(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _peer: &Peer,
    request: Submit,
    reply: Reply<Submit>,
) {
    // Without room the submitter would wait for as long as there is none: it hears what becomes
    // of the next try. A job that we have is answered for when it is stored.
    let is_new = |job: &SubmitJob| core.jobs.get(job.id).is_none();
    if let Some((refusal, tries)) = core.batch.refused()
        && request.jobs.iter().all(is_new)
    {
        if core.held.len() >= HELD_SUBMISSIONS_MAX {
            return reply.send(cx, Err(refusal.clone()));
        }
        return core.held.push((request, reply, tries));
    }
    consider(core, cx, request, reply);
}

/// Submissions that wait for the next try to store something go on when it has succeeded, and
/// are refused when it has not.
pub(crate) fn look_at_held(core: &mut JobManager, cx: &mut Cx<JobManager>) {
    if core.held.is_empty() {
        return;
    }
    for (request, reply, tries) in std::mem::take(&mut core.held) {
        match core.batch.refused() {
            None => consider(core, cx, request, reply),
            Some((refusal, now)) if now > tries => reply.send(cx, Err(refusal.clone())),
            Some(_) => core.held.push((request, reply, tries)),
        }
    }
}

fn consider(core: &mut JobManager, cx: &mut Cx<JobManager>, request: Submit, reply: Reply<Submit>) {
    if !core.policies.any_at(Points::CONSIDER) {
        return take(core, cx, request, Refused::new(), reply);
    }
    let jobs = request.jobs.iter();
    let new = jobs.filter(|job| core.jobs.get(job.id).is_none());
    let new: Vec<Rc<job_policy::Job>> = new.map(|job| Rc::new(asked_about(job))).collect();
    if new.is_empty() {
        return take(core, cx, request, Refused::new(), reply);
    }
    core.consider(cx, &new, move |core, cx, refused| {
        take(core, cx, request, refused, reply);
    });
}

/// A job as policies are asked about it that answer later.
fn asked_about(job: &SubmitJob) -> job_policy::Job {
    job_policy::Job {
        id: job.id,
        userid: job.userid,
        urgency: job.urgency,
        t_submit: job.t_submit,
        jobspec: job.jobspec.clone(),
    }
}

/// Takes the jobs of a request that were not refused.
fn take(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    request: Submit,
    mut refused: Refused,
    reply: Reply<Submit>,
) {
    let mut answer = Submitted::default();
    for job in request.jobs {
        let id = job.id;
        if core.jobs.get(id).is_some() {
            continue;
        }
        let admitted = match refused.remove(&id) {
            Some(text) => Err(or_general(text)),
            None => admit(core, cx, job),
        };
        if let Err(refusal) = admitted {
            answer.errors.push((id, cut(refusal)));
        }
    }
    core.run(cx);
    core.batch.then(move |_, cx| reply.send(cx, Ok(answer)));
}

/// Accepts one job, or returns the error.
fn admit(core: &mut JobManager, cx: &mut Cx<JobManager>, job: SubmitJob) -> Result<(), String> {
    let id = job.id;
    cx.step(id, JobStep::Taken);
    let urgency = Urgency::new(job.urgency).map_err(|error| error.to_string())?;
    let jobspec = Jobspec::decode(job.jobspec.as_str()).map_err(|error| error.to_string())?;
    let queue = core.queues.find(jobspec.queue());
    let queue = queue.map_err(|refusal| refusal.to_string())?;
    core.queues.admits(queue)?;
    core.policies.check_attributes(&jobspec)?;
    let event = JobEvent::Submit {
        userid: job.userid,
        urgency,
        flags: SubmitFlags(job.flags),
        version: Some(1),
    };
    let entry = event
        .entry(job.t_submit)
        .map_err(|error| error.to_string())?;
    let life = Life::begin(&event, job.t_submit).ok_or_else(String::new)?;
    let line = entry.encode();
    let mut new = Job::new(id, life, line.clone(), Rc::new(job.jobspec), None);
    new.queue = queue;
    new.hold = ADMITTING;
    // Events from now on are not in the past of present listeners.
    new.since = core.journal.count() + 1;
    core.journal.notify(cx, &new, event.name(), &line, true);
    core.jobs.add(new);
    let asked = ask_policies(core, cx, id, &jobspec);
    match asked {
        Ok(()) => accept(core, cx, id),
        Err(_) => reject(core, cx, id),
    }
    asked
}

fn ask_policies(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    id: JobId,
    jobspec: &Jobspec,
) -> Result<(), String> {
    type Ask<'a> = &'a dyn Fn(&mut Policies, &View<'_>, Asked<'_>) -> Result<(), String>;
    let mut ask = |ask: Ask<'_>| {
        let asked = core.ask_policies(cx, |policies, view| match view.jobs.active(id) {
            Some(job) => ask(policies, view, Asked { job, jobspec }),
            None => Ok(()),
        });
        core.apply_wants(cx);
        asked
    };
    ask(&|policies, view, job| policies.create(view, job))?;
    ask(&|policies, view, job| policies.validate(view, job))?;
    match jobspec.system("dependencies") {
        None => {}
        Some(serde_json::Value::Array(all)) => {
            for (n, dependency) in all.iter().enumerate() {
                ask(&|policies, view, job| policies.depend(view, job, n, dependency))?;
            }
        }
        Some(_) => return Err("dependencies object must be an array".to_owned()),
    }
    ask(&|policies, view, job| {
        policies.accepted(view, job);
        Ok(())
    })
}

fn accept(core: &mut JobManager, cx: &mut Cx<JobManager>, id: JobId) {
    core.post(cx, id, &JobEvent::Validate);
    let Some(job) = core.jobs.active_mut(id) else {
        return;
    };
    core.batch.record(Record::Submitted(id.0));
    core.batch.append(id, &job.log());
    core.journal.accepted(id, core.batch.number());
    // It goes on while it is stored: what others see of it is stored after it.
    job.hold = 0;
    job.noted = core.batch.number();
    core.waits.begun(job);
}

fn reject(core: &mut JobManager, cx: &mut Cx<JobManager>, id: JobId) {
    core.post(cx, id, &JobEvent::Invalidate);
    core.send_gone(cx, id);
    core.jobs.remove(id);
    core.apply_wants(cx);
}

/// A sentence of at most [`REJECTION_BYTES_MAX`] bytes; `+` stands for the missing part.
fn cut(mut text: String) -> String {
    if text.len() > REJECTION_BYTES_MAX {
        let mut ends = (0..REJECTION_BYTES_MAX).rev();
        let end = ends.find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('+');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_long_sentence_is_cut_and_says_so() {
        let check = |text: String, expect: String| assert_eq!(cut(text), expect);
        check("x".repeat(159), "x".repeat(159));
        check("x".repeat(160), "x".repeat(158) + "+");
        check("ü".repeat(80), "ü".repeat(79) + "+");
    }
}
