//! module.trace: copies of what modules send and receive.

use node::{Cx, Peer, Routes, Stream};
use proto::module::{Trace, Traced};
use serde_json::Value;
use wire::{Errno, Kind, Message, topic};

use crate::core::Broker;
use crate::limits::TRACED_BYTES_MAX;
use crate::router::ModuleId;

/// One who listens.
pub(crate) struct Tap {
    pub stream: Stream<Trace>,
    wanted: Trace,
}

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.stream::<Trace>(trace)
}

fn trace(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Trace, stream: Stream<Trace>) {
    core.traces.insert(
        stream.id(),
        Tap {
            stream,
            wanted: req,
        },
    );
}

impl Broker {
    /// Shows a message to those who listen. `prefix` is the module's view: tx or rx.
    pub(crate) fn tap(
        &mut self,
        cx: &mut Cx<Broker>,
        id: ModuleId,
        prefix: &str,
        message: &Message,
    ) {
        if self.traces.is_empty() {
            return;
        }
        let name = self.modules.get(&id).map_or("", |module| &module.name);
        for tap in self.traces.values_mut() {
            if tap.wants(name, message) {
                let traced = tap.describe(cx.now().wall, prefix, name, message);
                tap.stream.send(cx, &traced);
            }
        }
    }
}

impl Tap {
    fn wants(&self, name: &str, message: &Message) -> bool {
        let to_rank = match (message.kind, self.wanted.nodeid) {
            (Kind::Request { nodeid, .. }, Some(wanted)) if wanted >= 0 => {
                i64::from(nodeid) == wanted
            }
            _ => true,
        };
        let listed = self.wanted.names.as_ref();
        to_rank
            && self.wanted.typemask & kind_bit(message) != 0
            && listed.is_none_or(|names| names.iter().any(|wanted| wanted == name))
            && topic::glob_matches(&self.wanted.topic_glob, message.topic())
    }

    fn describe(&self, timestamp: f64, prefix: &str, name: &str, message: &Message) -> Traced {
        let full = self.wanted.full == Some(true);
        let text = message
            .payload()
            .and_then(|payload| payload.strip_suffix(b"\0"));
        let payload = text
            .filter(|text| full && text.len() <= TRACED_BYTES_MAX)
            .and_then(|text| serde_json::from_slice(text).ok());
        let errnum = match message.kind {
            Kind::Response { errnum, .. } => errnum,
            _ => 0,
        };
        let errstr = match (full && errnum != 0, message.error_text()) {
            (false, _) => String::new(),
            (true, Some(text)) => text.to_owned(),
            (true, None) => Errno(errnum).to_string(),
        };
        Traced {
            timestamp,
            prefix: prefix.to_owned(),
            rank: -1,
            name: name.to_owned(),
            kind: kind_bit(message),
            topic: message.topic().to_owned(),
            payload_size: message.payload().map_or(0, |payload| payload.len() as i64),
            payload: payload.filter(Value::is_object).unwrap_or(Value::Null),
            errnum: i64::from(errnum),
            errstr,
        }
    }
}

/// The message type as it is on the wire, which doubles as a mask.
fn kind_bit(message: &Message) -> i64 {
    match message.kind {
        Kind::Request { .. } => 1,
        Kind::Response { .. } => 2,
        Kind::Event { .. } => 4,
        Kind::Control { .. } => 8,
    }
}
