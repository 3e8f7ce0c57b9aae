//! state-machine.*: the broker's life as others see it (protocol/03 section 9).

use node::{Cx, Peer, Reply, Routes, Stream};
use proto::state_machine::{Current, Get, Monitor, Post, SdNotify, StateNumber, Wait, WaitError};
use proto::{Empty, Errno, Refusal};

use crate::core::Broker;
use crate::lifecycle::{Event, State};

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .on::<Get>(get)
        .stream::<Monitor>(monitor)
        .later::<Wait>(wait)
        .on::<Post>(post)
        .on::<SdNotify>(sd_notify)
}

fn get(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Get) -> Result<Current, Refusal> {
    let duration = (cx.now().mono - core.life.entered).as_secs_f64();
    Ok(Current {
        state: core.life.state.name().to_owned(),
        duration,
    })
}

fn monitor(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    _: &Peer,
    req: Monitor,
    mut stream: Stream<Monitor>,
) {
    let state = core.life.state as i64;
    stream.send(cx, &StateNumber { state });
    let last = req.last.unwrap_or(State::Exit as i64);
    if stream.is_streaming() && state < last {
        core.life.monitors.insert(stream.id(), (stream, last));
    } else {
        stream.end(cx, Ok(()));
    }
}

fn wait(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Wait, reply: Reply<Wait>) {
    match core.life.state {
        State::Run => reply.send(cx, Ok(Empty)),
        state if state > State::Run => reply.send(cx, Err(WaitError::Surpassed)),
        _ => core.life.waiting.push(reply),
    }
}

fn post(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Post) -> Result<Empty, Refusal> {
    let event = Event::named(&req.event).ok_or(Refusal::bare(Errno::EINVAL))?;
    core.post(cx, event);
    Ok(Empty)
}

/// Not set in a broker that systemd has not started: then there is nobody to tell.
fn sd_notify(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    _: &Peer,
    req: SdNotify,
) -> Result<Empty, Refusal> {
    if let Some(status) = req.status {
        // Each line is a message of its own.
        core.send_to_systemd(cx, format!("STATUS={}", status.replace('\n', " ")));
    }
    Ok(Empty)
}
