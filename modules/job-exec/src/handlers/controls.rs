//! job-exec.critical-ranks and override: what a job may ask of its own execution.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::data::IdSet;
use proto::job_exec::{CriticalRanks, CriticalRanksError, Override, OverrideError};

use super::climb;
use crate::JobExec;
use crate::job::Kind;
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
    let result = set_critical(core, cx, peer, &request);
    reply.send(cx, result);
}

fn set_critical(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: &CriticalRanks,
) -> Result<Empty, CriticalRanksError> {
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
    job.critical_ranks = Some(ranks);
    Ok(Empty)
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
