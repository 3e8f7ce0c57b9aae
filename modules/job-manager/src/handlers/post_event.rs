//! job-manager.post-event.post: an event of any name for the log of a job, in the owner's
//! hands (protocol/25 section 5). It is taken like any other: a posted exception ends the job.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::data::Entry;
use proto::job_manager::{JobEvent, PostEvent, PostEventError};

use crate::JobManager;
use crate::jobs::Slot;
use crate::limits::JOB_LOG_BYTES_MAX;

pub(crate) fn post_event(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: PostEvent,
    reply: Reply<PostEvent>,
) {
    let Some(reply) = core.unless_done(cx, peer, reply) else {
        return;
    };
    match post(core, cx, peer, request) {
        Ok(()) => core.answer_stored(peer.number, reply, &Empty),
        Err(refusal) => reply.send(cx, Err(refusal)),
    }
}

fn post(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: PostEvent,
) -> Result<(), PostEventError> {
    let Some(Slot::Active(job)) = core.known_to(cx, peer, request.id) else {
        return Err(PostEventError::UnknownJob);
    };
    let context = match request.context {
        None => None,
        Some(serde_json::Value::Object(context)) => Some(context),
        Some(_) => return Err(PostEventError::Malformed),
    };
    let entry = Entry::new(cx.now().wall, request.name).map(|entry| match context {
        Some(context) => entry.with_context(context),
        None => entry,
    });
    let event = entry.ok().and_then(|entry| JobEvent::of(&entry).ok());
    let event = event.ok_or(PostEventError::Malformed)?;
    let length = event.entry(1.0).map_or(0, |entry| entry.encode().len());
    if job.texts.log_bytes() + length > JOB_LOG_BYTES_MAX {
        return Err(PostEventError::LogFull(JOB_LOG_BYTES_MAX));
    }
    match core.emit(cx, request.id, &event) {
        true => Ok(()),
        false => Err(PostEventError::Malformed),
    }
}
