//! state-machine.*: the broker's life as others see it (protocol/03 section 9).

use std::collections::BTreeMap;

use node::{Cx, Peer, Reply, Routes, Stream, StreamId};
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
    let duration = (cx.now().mono - core.life.since()).as_secs_f64();
    Ok(Current {
        state: core.life_state().name().to_owned(),
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
    let state = core.life_state() as i64;
    stream.send(cx, &StateNumber { state });
    let last = req.last.unwrap_or(State::Exit as i64);
    if stream.is_streaming() && state < last {
        core.watchers.monitors.insert(stream.id(), (stream, last));
    } else {
        stream.end(cx, Ok(()));
    }
}

fn wait(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Wait, reply: Reply<Wait>) {
    match core.life_state() {
        State::Run => reply.send(cx, Ok(Empty)),
        state if state > State::Run => reply.send(cx, Err(WaitError::Surpassed)),
        _ => core.watchers.waiting.push(reply),
    }
}

/// Clients that follow the broker's states.
#[derive(Default)]
pub(crate) struct Watchers {
    /// Until it is in RUN.
    waiting: Vec<Reply<Wait>>,
    /// Each state, up to one by number.
    monitors: BTreeMap<StreamId, (Stream<Monitor>, i64)>,
}

impl Watchers {
    /// The broker has come to this state.
    pub(crate) fn notify(&mut self, cx: &mut Cx<Broker>, state: State) {
        if state >= State::Run {
            for reply in std::mem::take(&mut self.waiting) {
                match state {
                    State::Run => reply.send(cx, Ok(Empty)),
                    _ => reply.send(cx, Err(WaitError::Surpassed)),
                }
            }
        }
        let state = state as i64;
        for (stream, last) in self.monitors.values_mut() {
            if state <= *last {
                stream.send(cx, &StateNumber { state });
            }
        }
        for (id, (stream, last)) in std::mem::take(&mut self.monitors) {
            match state >= last {
                true => stream.end(cx, Ok(())),
                false => {
                    self.monitors.insert(id, (stream, last));
                }
            }
        }
    }

    /// Lets go of a request that was taken back, or whose client has left.
    pub(crate) fn forget(&mut self, id: StreamId) {
        if let Some(at) = self.waiting.iter().position(|reply| reply.id() == id) {
            self.waiting.swap_remove(at).forget();
        }
        if let Some((stream, _)) = self.monitors.remove(&id) {
            stream.forget();
        }
    }
}

fn post(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Post) -> Result<Empty, Refusal> {
    let event = Event::named(&req.event).ok_or(Refusal::bare(Errno::EINVAL))?;
    core.post(cx, event);
    Ok(Empty)
}

/// Not set in a broker that systemd has not started: then there is nobody to notify.
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
