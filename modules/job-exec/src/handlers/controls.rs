//! job-exec.critical-ranks and override: what a job may ask of its own execution.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::data::IdSet;
use proto::job_exec::{CriticalRanks, CriticalRanksError, Override, OverrideError};
use serde_json::json;

use super::climb;
use crate::JobExec;
use crate::job::{CRITICAL_RANKS, GuestLog, Kind};
use crate::state::State;

/// Notes which ranks a job cannot do without.
pub(crate) fn critical_ranks(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: CriticalRanks,
    reply: Reply<CriticalRanks>,
) {
    if cx.rank() != 0 {
        return climb(cx, peer, &request, reply);
    }
    match set_critical(core, cx, peer, &request) {
        // A job-exec after us reads it in the log.
        Ok(Some(log)) => log.unsaid.push(reply),
        Ok(None) => reply.send(cx, Ok(Empty)),
        Err(error) => reply.send(cx, Err(error)),
    }
}

/// Gives the log in which it is to be stored, unless it is already, or need not be.
fn set_critical<'a>(
    core: &'a mut JobExec,
    cx: &Cx<JobExec>,
    peer: &Peer,
    request: &CriticalRanks,
) -> Result<Option<&'a mut GuestLog>, CriticalRanksError> {
    let job = core
        .jobs
        .get_mut(&request.id)
        .filter(|job| !cx.hides(peer, job.userid))
        .ok_or(CriticalRanksError::NotFound)?;
    if !peer.may_act_for(job.userid) {
        return Err(CriticalRanksError::NotYours);
    }
    let ranks: IdSet = request
        .ranks
        .parse()
        .map_err(|_| CriticalRanksError::Malformed)?;
    // Others it does not have.
    let ranks = ranks.intersection(&job.shell_ranks());
    let is_known = job.log.unsaid.is_empty() && job.critical_ranks.as_ref() == Some(&ranks);
    let context = json!({ "ranks": ranks });
    job.critical_ranks = Some(ranks);
    if is_known || !job.log.in_namespace || job.has_ended() {
        return Ok(None);
    }
    job.log_with(cx.now().wall, CRITICAL_RANKS, &context);
    core.dirty.insert(request.id);
    Ok(core.jobs.get_mut(&request.id).map(|job| &mut job.log))
}

/// Lets a simulated job under manual control start or finish.
pub(crate) fn override_(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: Override,
    reply: Reply<Override>,
) {
    if cx.rank() != 0 {
        return climb(cx, peer, &request, reply);
    }
    let result = move_on(core, cx, peer, &request);
    reply.send(cx, result);
}

fn move_on(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: &Override,
) -> Result<Empty, OverrideError> {
    let id = request.jobid;
    let job = core.jobs.get_mut(&id);
    let job = job.filter(|job| !cx.hides(peer, job.userid));
    let job = job.ok_or(OverrideError::NotFound)?;
    if !peer.may_act_for(job.userid) {
        return Err(OverrideError::NotYours);
    }
    if !matches!(&job.kind, Kind::Mock(mock, _) if mock.is_override) {
        return Err(OverrideError::NotOverride);
    }
    match (request.event.as_str(), job.state()) {
        ("start", State::Starting) => core.start_mock(cx, id, None),
        ("start", _) => return Err(OverrideError::AlreadyRunning),
        ("finish", State::Running) => core.end(cx, id, request.status.unwrap_or(0)),
        ("finish", _) => return Err(OverrideError::NotRunning),
        _ => return Err(OverrideError::InvalidEvent),
    }
    Ok(Empty)
}
