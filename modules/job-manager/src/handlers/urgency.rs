//! job-manager.urgency: changes the urgency of a job. Answered once it is stored.

use node::{Cx, Peer, Reply};
use proto::data::job::{State, Urgency};
use proto::job_manager::{JobEvent, OldUrgency, SetUrgency, UrgencyError};

use crate::JobManager;
use crate::jobs::Slot;
use crate::limits::JOB_LOG_BYTES_MAX;

pub(crate) fn urgency(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: SetUrgency,
    reply: Reply<SetUrgency>,
) {
    let Some(reply) = core.unless_done(cx, peer, reply) else {
        return;
    };
    match set_urgency(core, cx, peer, request) {
        Ok(old) => core.answer_stored(peer.number, reply, &old),
        Err(refusal) => reply.send(cx, Err(refusal)),
    }
}

fn set_urgency(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: SetUrgency,
) -> Result<OldUrgency, UrgencyError> {
    let urgency = Urgency::new(request.urgency).map_err(|_| UrgencyError::Range)?;
    let job = match core.known_to(cx, peer, request.id) {
        Some(Slot::Active(job)) => job,
        Some(Slot::Inactive(_) | Slot::Away(_)) => return Err(UrgencyError::Inactive),
        None => return Err(UrgencyError::UnknownJob),
    };
    if !peer.may_act_for(job.life.userid) {
        return Err(UrgencyError::NotYours);
    }
    // A value granted by the owner may be lowered.
    if !peer.is_owner() && urgency > Urgency::DEFAULT.max(job.life.urgency) {
        return Err(UrgencyError::TooHigh);
    }
    if matches!(job.life.state, State::Run | State::Cleanup) {
        return Err(UrgencyError::Allocated);
    }
    let old_urgency = job.life.urgency.get().into();
    let event = JobEvent::Urgency {
        userid: peer.userid,
        urgency,
    };
    if !job.has_room_for(&event) {
        return Err(UrgencyError::LogFull(JOB_LOG_BYTES_MAX));
    }
    core.emit(cx, request.id, &event);
    Ok(OldUrgency { old_urgency })
}
