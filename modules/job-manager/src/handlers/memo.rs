//! job-manager.memo: adds a memo to a job. Answered once it is stored.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::job_manager::{JobEvent, Memo, MemoError};

use crate::JobManager;
use crate::jobs::Slot;
use crate::limits::JOB_LOG_BYTES_MAX;

pub(crate) fn memo(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: Memo,
    reply: Reply<Memo>,
) {
    let Some(reply) = core.unless_done(cx, peer, reply) else {
        return;
    };
    match add_memo(core, cx, peer, request) {
        Ok(()) => core.answer_stored(peer.number, reply, &Empty),
        Err(refusal) => reply.send(cx, Err(refusal)),
    }
}

fn add_memo(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: Memo,
) -> Result<(), MemoError> {
    let job = match core.known_to(cx, peer, request.id) {
        Some(Slot::Active(job)) => job,
        Some(Slot::Inactive(_) | Slot::Away(_)) => return Err(MemoError::Inactive),
        None => return Err(MemoError::UnknownJob),
    };
    if !peer.may_act_for(job.life.userid) {
        return Err(MemoError::NotYours);
    }
    let serde_json::Value::Object(memo) = request.memo else {
        return Err(MemoError::Malformed);
    };
    let event = JobEvent::Memo(memo);
    if !job.has_room_for(&event) {
        return Err(MemoError::LogFull(JOB_LOG_BYTES_MAX));
    }
    if request.volatile.unwrap_or(false) {
        core.post_volatile(cx, request.id, &event);
    } else {
        core.post(cx, request.id, &event);
    }
    core.run(cx);
    Ok(())
}
