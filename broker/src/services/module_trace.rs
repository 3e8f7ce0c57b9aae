//! module.trace: copies of the messages of modules, and of programs on the local socket.
//!
//! Messages of a trace itself are not shown to its program, which would produce more
//! without end.

use node::{Cx, Peer, PeerId, Routes, Stream};
use proto::Method;
use proto::module::{Trace, Traced};
use proto::overlay;
use wire::{Kind, Message};

use super::trace::Filter;
use crate::core::Broker;
use crate::router::ModuleId;

/// Filter of one listener.
pub(crate) struct Tap {
    filter: Filter,
    names: Option<Vec<String>>,
    nodeid: Option<i64>,
    has_clients: bool,
}

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.stream::<Trace>(trace)
}

fn trace(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Trace, stream: Stream<Trace>) {
    let tap = Tap {
        filter: Filter::new(req.typemask, req.topic_glob, req.full),
        has_clients: req.clients == Some(true) && req.names.is_none(),
        names: req.names,
        nodeid: req.nodeid,
    };
    core.traces.add(tap, stream);
}

impl Broker {
    /// Shows a message of a module to those who listen. `prefix` is its view: tx or rx.
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
        let name = self.modules.name(id).unwrap_or_default().to_owned();
        let seen = Traced {
            prefix: prefix.to_owned(),
            name: Some(name.clone()),
            ..Traced::default()
        };
        self.show(cx, seen, message, |tap| tap.wants(&name, message));
    }

    /// Shows a message of a program on the local socket, in the same way.
    pub(crate) fn tap_client(
        &mut self,
        cx: &mut Cx<Broker>,
        client: PeerId,
        prefix: &str,
        message: &Message,
    ) {
        if self.traces.is_empty() || is_trace(message) {
            return;
        }
        let Some((identity, pid)) = self.clients.identity_and_pid(client) else {
            return;
        };
        let seen = Traced {
            prefix: prefix.to_owned(),
            name: Some(identity.to_owned()),
            pid: Some(pid),
            ..Traced::default()
        };
        self.show(cx, seen, message, |tap| tap.wants_of_client(message));
    }

    /// Sends a traced message, with its sender or receiver, to those who want it.
    fn show(
        &mut self,
        cx: &mut Cx<Broker>,
        seen: Traced,
        message: &Message,
        wants: impl Fn(&Tap) -> bool,
    ) {
        let timestamp = cx.now().wall;
        let describe = |tap: &Tap| Traced {
            timestamp,
            prefix: seen.prefix.clone(),
            name: seen.name.clone(),
            pid: seen.pid,
            ..tap.filter.describe(message, message.topic())
        };
        let shown = |tap: &Tap| wants(tap).then(|| describe(tap));
        self.traces.notify_each(cx, shown);
    }
}

fn is_trace(message: &Message) -> bool {
    let topics = [Trace::TOPIC, overlay::Trace::TOPIC];
    matches!(message.kind, Kind::Response { .. }) && topics.contains(&message.topic())
}

impl Tap {
    fn wants_of_client(&self, message: &Message) -> bool {
        self.has_clients && self.wants("", message)
    }

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

#[cfg(test)]
mod tests {
    use proto::module::Traced;
    use proto::payload::decode_json;
    use wire::{Flags, Message};

    use crate::probe::{OWNER, Probe, json};

    /// Checks the messages of a program's call shown to a listener with this filter.
    fn check(filter: &str, expect: &[(&str, &str)]) {
        let mut probe = Probe::start(&[]);
        let listener = probe.client(OWNER);
        let mut request = Message::request("module.trace", 7);
        request.set_payload(json(filter));
        request.set_flag(Flags::STREAMING, true);
        probe.say(listener, request);
        let program = probe.client(OWNER);
        probe.call(program, "attr.get", r#"{"name":"rank"}"#);
        let mut shown = Vec::new();
        while let Some(message) = probe.heard(listener) {
            let traced: Traced = decode_json(message.payload()).expect("a message that was seen");
            assert!(traced.pid.is_some() && traced.matchtag.is_some());
            shown.push((traced.prefix, traced.topic));
        }
        let shown: Vec<_> = shown
            .iter()
            .map(|(p, t)| (p.as_str(), t.as_str()))
            .collect();
        assert_eq!(shown, expect, "{filter}");
    }

    #[test]
    fn messages_of_programs_are_shown_to_those_who_want_them() {
        let both = [("tx", "attr.get"), ("rx", "attr.get")];
        check(r#"{"typemask":7,"topic_glob":"*","clients":true}"#, &both);
        check(
            r#"{"typemask":2,"topic_glob":"*","clients":true}"#,
            &both[1..],
        );
        check(r#"{"typemask":7,"topic_glob":"*"}"#, &[]);
        let named = r#"{"typemask":7,"topic_glob":"*","clients":true,"names":["kvs"]}"#;
        check(named, &[]);
    }
}
