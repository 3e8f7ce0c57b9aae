//! shutdown.*: ending the instance for a client, which may watch it end.

use node::{Cx, Peer, Routes, Stream};
use proto::shutdown::{Line as Shown, Start, StartError};
use proto::{Coded, Refusal};

use crate::core::Broker;
use crate::lifecycle::{Event, State};
use crate::logbook::Line;
use crate::stages::Shutdown;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.stream::<Start>(start)
}

fn start(core: &mut Broker, cx: &mut Cx<Broker>, from: &Peer, req: Start, stream: Stream<Start>) {
    if let Err(refusal) = check(core) {
        return stream.end(cx, Err(refusal));
    }
    let mut stream = stream;
    let streaming = stream.is_streaming();
    if !streaming {
        stream.send_bytes(cx, bytes::Bytes::new());
    }
    let waiting_for = if streaming { from.sender.clone() } else { None };
    let stream = streaming.then_some(stream);
    if let Some(code) = core.exit_norestart() {
        core.life.exit_code = code;
    }
    let loglevel = req.loglevel.unwrap_or(3);
    core.life.shutdown = Some(Shutdown {
        stream,
        loglevel,
        waiting_for,
    });
    if !core.abort_commands(cx) {
        core.post(cx, Event::Shutdown);
    }
}

fn check(core: &Broker) -> Result<(), Refusal> {
    if core.router.rank() != 0 {
        return Err(StartError::NotRankZero.refusal());
    }
    if core.life.shutdown.is_some() {
        return Err(StartError::InProgress.refusal());
    }
    if core.life.state != State::Run {
        return Err(StartError::WrongState(core.life.state.name().to_owned()).refusal());
    }
    Ok(())
}

impl Broker {
    /// Watchers of the shutdown see what is logged.
    pub(crate) fn show_to_shutdown_watcher(&mut self, cx: &mut Cx<Broker>, line: &Line<'_>) {
        if let Some(shutdown) = &mut self.life.shutdown
            && i64::from(line.severity) <= shutdown.loglevel
            && let Some(stream) = &mut shutdown.stream
        {
            stream.send(
                cx,
                &Shown {
                    log: format!("{}\n", line.short()),
                },
            );
        }
    }
}
