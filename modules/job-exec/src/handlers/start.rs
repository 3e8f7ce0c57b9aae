//! job-exec.start: takes a job over from the job manager (RFC 32, protocol/11 section 8).

use node::Cx;
use proto::data::Rset;
use proto::data::job::JobStep;
use proto::job_exec::Start;
use proto::{Errno, Payload};
use wire::Message;

use crate::JobExec;
use crate::job::{Job, Kind};
use crate::mock::Mock;
use crate::state::State;

/// Takes a request as it is: its answers are many, regardless of its flags.
pub(crate) fn start(core: &mut JobExec, cx: &mut Cx<JobExec>, message: Message) {
    let start = match Start::decode(message.payload()) {
        Ok(start) => start,
        Err(bad) => {
            tracing::error!("malformed start request: {bad}");
            let refused = Message::respond_to(&message, Errno::EPROTO.0, bytes::Bytes::new());
            return cx.send(refused);
        }
    };
    if cx.rank() != 0 {
        // Its answers go on for as long as the job does: it has to be asked where the job is.
        let refused = Message::respond_to(&message, Errno::ENOSYS.0, bytes::Bytes::new());
        return cx.send(refused);
    }
    core.manager = cx.sender_of(&message);
    let id = start.id;
    if core.jobs.contains_key(&id) {
        return rebind(core, cx, &start, message);
    }
    if core.outcomes.send(cx, id, &message, start.reattach) {
        return tracing::info!("job={id}: has ended: reporting its end again");
    }
    let (kind, problem) = match Mock::of(&start.jobspec) {
        None => {
            // Without the means to become another user, its job would run as the owner.
            let is_theirs = start.userid == cx.owner();
            let note = "cannot run jobs of other users: no IMP is configured";
            let problem = (!is_theirs).then(|| note.to_owned());
            let problem = problem.or_else(|| bad_job_shell(&start.jobspec));
            let problem = problem.or_else(|| bad_resources(&start.r));
            (Kind::Shells, problem)
        }
        Some(Ok(_)) if start.userid != cx.owner() && !core.config.allow_guests => {
            let note = "guests may not use test exec implementation".to_owned();
            (Kind::Mock(Mock::default(), None), Some(note))
        }
        Some(Ok(mock)) => (Kind::Mock(mock, None), None),
        Some(Err(why)) => (Kind::Mock(Mock::default(), None), Some(why)),
    };
    let is_known = core.may_have_begun(id) || start.reattach;
    let state = match is_known && problem.is_none() {
        true => State::Recovering,
        false => State::Starting,
    };
    core.jobs.insert(id, Job::new(message, start, kind, state));
    cx.step(id, JobStep::StartTaken);
    match (problem, state) {
        (Some(note), _) => core.fail(cx, id, &note),
        (None, State::Recovering) => core.recover(cx, id),
        (None, _) => core.begin(cx, id),
    }
}

/// Error of the program that a job wants as its shell, if any.
fn bad_job_shell(jobspec: &serde_json::Value) -> Option<String> {
    let wanted = jobspec.pointer("/attributes/system/exec/job_shell");
    let is_bad = wanted.is_some_and(|wanted| !wanted.is_string());
    is_bad.then(|| "attributes.system.exec.job_shell: not a string".to_owned())
}

/// Error of the resources of a job, if any.
fn bad_resources(r: &serde_json::Value) -> Option<String> {
    match serde_json::from_value::<Rset>(r.clone()) {
        Ok(rset) if rset.is_empty() => Some("R has no ranks".to_owned()),
        Ok(_) => None,
        Err(error) => Some(format!("R cannot be read: {error}")),
    }
}

/// The job manager was restarted and asks again for a job that we have.
fn rebind(core: &mut JobExec, cx: &mut Cx<JobExec>, start: &Start, message: Message) {
    let id = start.id;
    let Some(job) = core.jobs.get_mut(&id) else {
        return;
    };
    if job.answers_to(cx, &message) {
        // It asks for what it has replayed, and again after our greeting.
        return tracing::debug!("job={id}: second start request");
    }
    job.rebind(message, start.reattach, start.together);
    if job.log.handed.is_some() {
        return job.send_short_job(cx);
    }
    job.send_start(cx);
    if let Some(exception) = job.exception.clone() {
        job.answer(cx, exception);
    }
    if job.state() == State::Grafting {
        job.send_finish(cx);
    }
}
