//! shutdown.*: ending the instance for a client, which may watch it end.

use node::{Cx, Peer, Routes, Stream, StreamId};
use proto::shutdown::{Line as Shown, Start, StartError};
use proto::{Coded, Refusal};
use wire::Identity;

use crate::core::Broker;
use crate::lifecycle::{Event, State};
use crate::logbook::Line;

/// Default severity of lines shown: errors and worse.
const LOGLEVEL: i64 = 3;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.stream::<Start>(start)
}

fn start(core: &mut Broker, cx: &mut Cx<Broker>, from: &Peer, req: Start, stream: Stream<Start>) {
    if let Err(refusal) = check(core) {
        return stream.end(cx, Err(refusal));
    }
    core.shutdown.begin(cx, from, &req, stream);
    if let Some(code) = core.exit_norestart() {
        core.life.set_exit(code);
    }
    if !core.abort_commands(cx) {
        core.post(cx, Event::Shutdown);
    }
}

fn check(core: &Broker) -> Result<(), Refusal> {
    if core.router.rank() != 0 {
        return Err(StartError::NotRankZero.refusal());
    }
    if core.shutdown.is_under_way() {
        return Err(StartError::InProgress.refusal());
    }
    match core.life_state() {
        State::Run => Ok(()),
        state => Err(StartError::WrongState(state.name().to_owned()).refusal()),
    }
}

/// The shutdown that a client has asked for, once one has.
#[derive(Default)]
pub(crate) struct Shutdown(Option<Request>);

struct Request {
    stream: Option<Stream<Start>>,
    loglevel: i64,
    /// Client that is notified of the end, and leaves then.
    watcher: Option<Identity>,
}

impl Shutdown {
    fn begin(&mut self, cx: &mut Cx<Broker>, from: &Peer, req: &Start, mut stream: Stream<Start>) {
        let is_watched = stream.is_streaming();
        if !is_watched {
            stream.send_bytes(cx, bytes::Bytes::new());
        }
        self.0 = Some(Request {
            stream: is_watched.then_some(stream),
            loglevel: req.loglevel.unwrap_or(LOGLEVEL),
            watcher: from.sender.clone().filter(|_| is_watched),
        });
    }

    fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// Shows log lines to the watcher.
    pub(crate) fn show(&mut self, cx: &mut Cx<Broker>, line: &Line<'_>) {
        if let Some(request) = &mut self.0
            && i64::from(line.severity) <= request.loglevel
            && let Some(stream) = &mut request.stream
        {
            let log = format!("{}\n", line.short());
            stream.send(cx, &Shown { log });
        }
    }

    /// Sends the end. `false` if nobody waits for it.
    pub(crate) fn end(&mut self, cx: &mut Cx<Broker>) -> bool {
        let stream = self.0.as_mut().and_then(|request| request.stream.take());
        let is_watched = stream.is_some();
        if let Some(stream) = stream {
            stream.end(cx, Ok(()));
        }
        is_watched
    }

    /// True if this client is notified of the end.
    pub(crate) fn is_watched_by(&self, client: &Peer) -> bool {
        let watcher = self.0.as_ref().and_then(|request| request.watcher.as_ref());
        watcher.is_some() && watcher == client.sender.as_ref()
    }

    /// Lets go of a client that has left.
    pub(crate) fn forget(&mut self, id: StreamId) {
        let request = self.0.as_mut();
        let stream = request.and_then(|r| r.stream.take_if(|stream| stream.id() == id));
        if let Some(stream) = stream {
            stream.forget();
        }
    }
}
