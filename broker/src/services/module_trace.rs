//! module.trace: copies of what modules send and receive.

use node::{Cx, Peer, Routes, Stream};
use proto::module::{Trace, Traced};
use wire::{Kind, Message};

use super::trace::Filter;
use crate::core::Broker;
use crate::router::ModuleId;

/// What one who listens wants.
pub(crate) struct Tap {
    filter: Filter,
    names: Option<Vec<String>>,
    nodeid: Option<i64>,
}

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.stream::<Trace>(trace)
}

fn trace(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Trace, stream: Stream<Trace>) {
    let tap = Tap {
        filter: Filter::new(req.typemask, req.topic_glob, req.full),
        names: req.names,
        nodeid: req.nodeid,
    };
    core.traces.add(tap, stream);
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
        let name = self.modules.name(id).unwrap_or_default();
        let timestamp = cx.now().wall;
        let describe = |tap: &Tap| Traced {
            timestamp,
            prefix: prefix.to_owned(),
            rank: -1,
            name: Some(name.to_owned()),
            ..tap.filter.describe(message, message.topic())
        };
        let shown = |tap: &Tap| tap.wants(name, message).then(|| describe(tap));
        self.traces.tell_each(cx, shown);
    }
}

impl Tap {
    fn wants(&self, name: &str, message: &Message) -> bool {
        let to_rank = match (message.kind, self.nodeid) {
            (Kind::Request { nodeid, .. }, Some(wanted)) if wanted >= 0 => {
                i64::from(nodeid) == wanted
            }
            _ => true,
        };
        let listed = self.names.as_ref();
        to_rank
            && listed.is_none_or(|names| names.iter().any(|wanted| wanted == name))
            && self.filter.wants(message, message.topic())
    }
}
