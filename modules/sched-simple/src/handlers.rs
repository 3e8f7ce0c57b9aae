//! One function a method. `sched.alloc` gets the message itself: it is sent without a
//! matchtag and answered any number of times (RFC 27).

use node::{Cx, Peer};
use proto::data::{Jobspec, Rset};
use proto::feasibility::{Check, CheckError};
use proto::sched::{Alloc, Cancel, Expiration, Free, Prioritize, ResourceStatus, Resources};
use proto::{Empty, Errno, Payload as _, RawJson, Refusal};
use wire::Message;

use crate::SchedSimple;
use crate::core::DEBUG_REFUSE_EXPIRATION;
use crate::limits::QUEUE_MAX;

pub fn alloc(core: &mut SchedSimple, cx: &mut Cx<SchedSimple>, mut message: Message) {
    core.link.manager = cx.sender_of(&message);
    let request = match Alloc::decode(message.payload()) {
        Ok(request) => request,
        Err(bad) => {
            tracing::error!("sched.alloc: {bad}");
            return cx.send(Message::respond_to(
                &message,
                Errno::EPROTO.0,
                Default::default(),
            ));
        }
    };
    if !core.link.is_open() {
        // It comes from a job manager that we have not said hello to, or not yet again.
        return tracing::error!("sched.alloc of {} came before hello", request.id);
    }
    if core.queue.len() >= QUEUE_MAX {
        return cx.send(Message::respond_to(
            &message,
            Errno::ENOBUFS.0,
            Default::default(),
        ));
    }
    message.set_payload(Default::default());
    core.enqueue(cx, request, message);
}

pub fn cancel(
    core: &mut SchedSimple,
    cx: &mut Cx<SchedSimple>,
    _: &Peer,
    request: Cancel,
) -> Result<Empty, Refusal> {
    core.cancel(cx, request.id);
    Ok(Empty)
}

pub fn free(
    core: &mut SchedSimple,
    _: &mut Cx<SchedSimple>,
    from: &Peer,
    request: Free,
) -> Result<Empty, Refusal> {
    core.link.manager = from.sender.clone().or(core.link.manager.take());
    match request.r.parse::<Rset>() {
        Ok(back) => core.free(request.id, &back, request.is_final),
        Err(error) => tracing::error!("sched.free of {}: {error}", request.id),
    }
    Ok(Empty)
}

pub fn prioritize(
    core: &mut SchedSimple,
    _: &mut Cx<SchedSimple>,
    _: &Peer,
    request: Prioritize,
) -> Result<Empty, Refusal> {
    core.prioritize(request.jobs);
    Ok(Empty)
}

pub fn expiration(
    core: &mut SchedSimple,
    cx: &mut Cx<SchedSimple>,
    _: &Peer,
    request: Expiration,
) -> Result<Empty, Refusal> {
    if cx.debug_bits() & DEBUG_REFUSE_EXPIRATION != 0 {
        let text = "Rejecting expiration update for testing";
        return Err(Refusal::new(Errno::EINVAL, text));
    }
    core.set_expiration(request.id, request.expiration)?;
    Ok(Empty)
}

pub fn resource_status(
    core: &mut SchedSimple,
    _: &mut Cx<SchedSimple>,
    _: &Peer,
    _: ResourceStatus,
) -> Result<Resources, Refusal> {
    let raw = |set: &Rset| {
        RawJson::of(set).map_err(|error| Refusal::new(Errno::EINVAL, error.to_string()))
    };
    let (all, down) = match &core.pool {
        Some(pool) => (raw(pool.set())?, raw(&pool.down())?),
        None => (raw(&Rset::new())?, raw(&Rset::new())?),
    };
    Ok(Resources {
        all,
        allocated: raw(&core.allocated())?,
        down,
    })
}

pub fn check(
    core: &mut SchedSimple,
    _: &mut Cx<SchedSimple>,
    _: &Peer,
    request: Check,
) -> Result<Empty, CheckError> {
    core.check(&Ok(Jobspec::from_object(request.jobspec.0)))
        .map(|_| Empty)
}
