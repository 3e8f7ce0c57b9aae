//! `resource.drain` and `resource.undrain`: answered once the event is stored.

use node::{Cx, Peer, Reply};
use proto::Coded as _;
use proto::resource::{Drain, DrainError, Undrain};

use crate::Resource;
use crate::drains::{DrainEvent, Mode};
use crate::store::Waiter;

pub fn drain(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    request: Drain,
    reply: Reply<Drain>,
) {
    core.when_known(cx, move |core, cx| {
        let event = drain_event(core, cx, request);
        log(core, cx, "drain", event, Waiter::Drain(reply));
    });
}

pub fn undrain(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    request: Undrain,
    reply: Reply<Undrain>,
) {
    core.when_known(cx, move |core, cx| {
        let event = undrain_event(core, cx, request);
        log(core, cx, "undrain", event, Waiter::Undrain(reply));
    });
}

fn drain_event(
    core: &Resource,
    cx: &Cx<Resource>,
    request: Drain,
) -> Result<Option<DrainEvent>, DrainError> {
    if cx.rank() != 0 {
        return Err(DrainError::NotRankZero);
    }
    let mode = Mode::of(request.mode.as_deref()).ok_or(DrainError::DrainMode)?;
    let ranks = core.names.ranks(&request.targets)?;
    core.drains
        .drain(ranks, &core.excluded, request.reason, mode, &core.names)
}

fn undrain_event(
    core: &Resource,
    cx: &Cx<Resource>,
    request: Undrain,
) -> Result<Option<DrainEvent>, DrainError> {
    if cx.rank() != 0 {
        return Err(DrainError::NotRankZero);
    }
    let mode = Mode::of(request.mode.as_deref())
        .ok_or_else(|| DrainError::UndrainMode(request.mode.clone().unwrap_or_default()))?;
    let ranks = core.names.ranks(&request.targets)?;
    core.drains
        .undrain(ranks, request.reason, mode, &core.names)
}

fn log(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    name: &'static str,
    event: Result<Option<DrainEvent>, DrainError>,
    waiter: Waiter,
) {
    match event {
        Ok(Some(event)) => {
            core.post(cx, name, &event, Some(waiter));
            core.tell_scheduler(cx);
        }
        Ok(None) => waiter.answer(cx, Ok(())),
        Err(error) => waiter.answer(cx, Err(error.refusal())),
    }
}
