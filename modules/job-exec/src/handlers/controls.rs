//! job-exec.critical-ranks and override: requests of a job about its own execution.

use node::{Cx, Peer, Reply};
use proto::data::IdSet;
use proto::job_exec::{
    CriticalRanks, CriticalRanksError, Kept, MakeNamespace, MakeNamespaceError, Override,
    OverrideError,
};
use proto::{Empty, Refusal};
use serde_json::json;

use super::climb;
use crate::JobExec;
use crate::job::{CRITICAL_RANKS, GuestLog, Home, Kind};
use crate::limits::MAKERS_MAX;
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
        Ok(Some(log)) => {
            log.unsaid.push(reply);
            // An instance is not over soon, and waits for this before it does anything.
            core.settle(cx, request.id);
        }
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
    if is_known || job.is_mock() || job.has_ended() {
        return Ok(None);
    }
    job.log_with(cx.now().wall, CRITICAL_RANKS, &context);
    core.dirty.insert(request.id);
    Ok(core.jobs.get_mut(&request.id).map(|job| &mut job.log))
}

/// The job manager has stored the data that was left to it.
pub(crate) fn kept(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: Kept,
) -> Result<Empty, Refusal> {
    // Another one has not what the one that we told has.
    if peer.sender == core.manager {
        core.kept(cx, request.ids);
    }
    Ok(Empty)
}

/// Gives a job the namespace that a client wants to use.
pub(crate) fn make_namespace(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: MakeNamespace,
    reply: Reply<MakeNamespace>,
) {
    if cx.rank() != 0 {
        return climb(cx, peer, &request, reply);
    }
    core.settle(cx, request.id);
    match core.jobs.get_mut(&request.id).map(|job| &mut job.log) {
        Some(log) if log.home == Home::Namespace => reply.send(cx, Ok(Empty)),
        Some(log) if log.home == Home::Making && log.makers.len() < MAKERS_MAX => {
            log.makers.push(reply);
        }
        Some(log) if log.home == Home::Making => reply.send(cx, Err(MakeNamespaceError::Busy)),
        _ => reply.send(cx, Err(MakeNamespaceError::NotFound)),
    }
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
