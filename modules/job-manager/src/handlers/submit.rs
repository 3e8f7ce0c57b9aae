//! job-manager.submit: takes jobs over from job-ingest (protocol/11 section 3).
//!
//! A job that is known already is not taken twice: job-ingest asks again when it does not
//! know what became of its request.

use std::rc::Rc;

use node::{Cx, Peer, Reply};
use proto::data::Jobspec;
use proto::data::job::{SubmitFlags, Urgency};
use proto::job_manager::{JobEvent, Submit, SubmitJob, Submitted};

use crate::JobManager;
use crate::job::Job;
use crate::joblog::Record;
use crate::state::Life;

pub(crate) fn submit(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _peer: &Peer,
    request: Submit,
    reply: Reply<Submit>,
) {
    let mut answer = Submitted::default();
    for job in request.jobs {
        let id = job.id;
        if core.jobs.get(id).is_some() {
            continue;
        }
        if let Err(refusal) = admit(core, cx, job) {
            answer.errors.push((id, refusal));
        }
    }
    core.run(cx);
    core.batch.then(move |_, cx| reply.send(cx, Ok(answer)));
}

/// Takes one job, or says why not.
fn admit(core: &mut JobManager, cx: &mut Cx<JobManager>, job: SubmitJob) -> Result<(), String> {
    let urgency = Urgency::new(job.urgency).map_err(|error| error.to_string())?;
    let jobspec = Jobspec::decode(job.jobspec.as_str()).map_err(|error| error.to_string())?;
    if let Some(refusal) = core.queue.refusal(jobspec.queue()) {
        return Err(refusal);
    }
    // Schemes of dependencies have no one to look after them yet.
    if let Some((n, dependency)) = jobspec.dependencies().iter().enumerate().next() {
        let scheme = dependency.get("scheme").and_then(|scheme| scheme.as_str());
        return Err(match scheme {
            Some(scheme) => format!("dependency scheme \"{scheme}\" not supported"),
            None => format!("dependency[{n}] missing string scheme"),
        });
    }
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
    core.batch.record(Record::Submitted(job.id.0));
    core.batch.append(job.id, &line);
    let mut new = Job::new(job.id, life, line.clone(), Rc::new(job.jobspec), None);
    new.hold = core.batch.number();
    // What happens from now on is not in the past of those who listen already.
    new.since = core.journal.count() + 1;
    core.journal.tell(cx, &new, event.name(), &line, true);
    core.waits.begun(&new);
    core.jobs.add(new);
    core.post(cx, job.id, &JobEvent::Validate);
    Ok(())
}
