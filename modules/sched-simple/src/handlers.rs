//! One function a method. `sched.alloc` gets the message itself: it is sent without a
//! matchtag and answered any number of times (RFC 27).

use node::{Cx, Peer};
use proto::data::job::JobStep;
use proto::data::{Jobspec, Rset};
use proto::feasibility::{Check, CheckError};
use proto::sched::{Alloc, Cancel, Expiration, Free, Prioritize, ResourceStatus, Resources, Stats};
use proto::{Empty, Errno, Never, Payload as _, RawJson, Refusal};
use serde_json::Value;
use wire::Message;

use crate::core::{DEBUG_REFUSE_EXPIRATION, Scheduler};
use crate::limits::QUEUE_MAX;
use crate::program::Program;

pub fn alloc<P: Program>(core: &mut Scheduler<P>, cx: &mut Cx<Scheduler<P>>, mut message: Message) {
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

pub fn cancel<P: Program>(
    core: &mut Scheduler<P>,
    cx: &mut Cx<Scheduler<P>>,
    _: &Peer,
    request: Cancel,
) -> Result<Empty, Refusal> {
    core.cancel(cx, request.id);
    Ok(Empty)
}

pub fn free<P: Program>(
    core: &mut Scheduler<P>,
    cx: &mut Cx<Scheduler<P>>,
    from: &Peer,
    request: Free,
) -> Result<Empty, Refusal> {
    core.link.manager = from.sender.clone().or(core.link.manager.take());
    cx.step(request.id, JobStep::Freed);
    match request.r.parse::<Rset>() {
        Ok(back) => core.free(request.id, back, request.is_final),
        Err(error) => {
            tracing::error!("free: {}: {error}", request.id);
            // The job is done, regardless of the R that it says it had.
            if request.is_final {
                core.free(request.id, Rset::new(), true);
            }
        }
    }
    if core.link.is_overrun() {
        core.hello(cx);
    }
    Ok(Empty)
}

pub fn prioritize<P: Program>(
    core: &mut Scheduler<P>,
    _: &mut Cx<Scheduler<P>>,
    _: &Peer,
    request: Prioritize,
) -> Result<Empty, Refusal> {
    core.prioritize(request.jobs);
    Ok(Empty)
}

pub fn expiration<P: Program>(
    core: &mut Scheduler<P>,
    cx: &mut Cx<Scheduler<P>>,
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

pub fn resource_status<P: Program>(
    core: &mut Scheduler<P>,
    _: &mut Cx<Scheduler<P>>,
    _: &Peer,
    _: ResourceStatus,
) -> Result<Resources, Refusal> {
    let (all, down) = match &core.pool {
        Some(pool) => (pool.set().clone(), pool.down()),
        None => Default::default(),
    };
    let mut down_alone = down;
    down_alone.forget_properties();
    Ok(Resources {
        all: raw(&all, true)?,
        allocated: raw(&core.allocated(), false)?,
        down: raw(&down_alone, false)?,
    })
}

/// R with or without hosts.
fn raw(set: &Rset, with_hosts: bool) -> Result<RawJson, Refusal> {
    let failed = |error: serde_json::Error| Refusal::new(Errno::EINVAL, error.to_string());
    let mut json = serde_json::to_value(set).map_err(failed)?;
    if let (false, Some(Value::Object(execution))) = (with_hosts, json.get_mut("execution")) {
        execution.shift_remove("nodelist");
    }
    RawJson::of(&json).map_err(|error| Refusal::new(Errno::EINVAL, error.to_string()))
}

pub fn stats<P: Program, M>(
    core: &mut Scheduler<P>,
    _: &mut Cx<Scheduler<P>>,
    _: &Peer,
    _: M,
) -> Result<Stats, Never> {
    Ok(core.counters.stats(core.queue.len()))
}

pub fn check<P: Program>(
    core: &mut Scheduler<P>,
    _: &mut Cx<Scheduler<P>>,
    _: &Peer,
    request: Check,
) -> Result<Empty, CheckError> {
    core.check(&Ok(Jobspec::from_object(request.jobspec.0)))
        .map(|_| Empty)
}
