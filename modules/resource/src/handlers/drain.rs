//! `resource.drain` and `resource.undrain`: answered once the event is stored.

use node::{Cx, Peer, Reply};
use proto::resource::{Drain, DrainError, Undrain};
use proto::{Coded as _, Empty};

use crate::Resource;
use crate::drains::{DrainEvent, Mode};
use crate::store::Waiter;

pub fn drain(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    peer: &Peer,
    request: Drain,
    reply: Reply<Drain>,
) {
    if cx.rank() != 0 {
        return reply.send(cx, Err(DrainError::NotRankZero));
    }
    if core.store.recall.done(peer).is_some() {
        return reply.send(cx, Ok(Empty));
    }
    let number = peer.number;
    core.when_known(cx, reply, move |core, cx, reply| {
        let event = drain_event(core, request);
        log(core, cx, "drain", event, number, Waiter::Drain(reply));
    });
}

pub fn undrain(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    peer: &Peer,
    request: Undrain,
    reply: Reply<Undrain>,
) {
    if cx.rank() != 0 {
        return reply.send(cx, Err(DrainError::NotRankZero));
    }
    if core.store.recall.done(peer).is_some() {
        return reply.send(cx, Ok(Empty));
    }
    let number = peer.number;
    core.when_known(cx, reply, move |core, cx, reply| {
        let event = undrain_event(core, request);
        log(core, cx, "undrain", event, number, Waiter::Undrain(reply));
    });
}

fn drain_event(core: &Resource, request: Drain) -> Result<Option<DrainEvent>, DrainError> {
    let mode = Mode::of(request.mode.as_deref()).ok_or(DrainError::DrainMode)?;
    let ranks = core.hosts.ranks(&request.targets)?;
    core.drains
        .drain(ranks, &core.excluded, request.reason, mode, &core.hosts)
}

fn undrain_event(core: &Resource, request: Undrain) -> Result<Option<DrainEvent>, DrainError> {
    let mode = Mode::of(request.mode.as_deref())
        .ok_or_else(|| DrainError::UndrainMode(request.mode.clone().unwrap_or_default()))?;
    let ranks = core.hosts.ranks(&request.targets)?;
    core.drains
        .undrain(ranks, request.reason, mode, &core.hosts)
}

fn log(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    name: &'static str,
    event: Result<Option<DrainEvent>, DrainError>,
    number: Option<u64>,
    waiter: Waiter,
) {
    match event {
        Ok(Some(event)) => {
            core.post(cx, name, &event, Some((number, waiter)));
            core.notify_scheduler(cx);
        }
        Ok(None) => waiter.answer(cx, Ok(())),
        Err(error) => waiter.answer(cx, Err(error.refusal())),
    }
}
