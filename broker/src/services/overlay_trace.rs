//! overlay.trace: copies of the messages on the links to other brokers (protocol/20
//! sections 8 and 13).
//!
//! Heartbeats are not shown, which only show that a link is there, nor are traces
//! themselves, which would beget others for ever.

use std::borrow::Cow;

use node::{Cx, Peer, PeerId, Routes, Stream};
use proto::module::Traced;
use proto::overlay::{Hello, Trace, control};
use proto::{Method, Payload};
use wire::{Kind, Message};

use super::trace::Filter;
use crate::core::Broker;
use crate::router::Hop;

/// Filter of one listener.
pub(crate) struct Tap {
    filter: Filter,
    /// The rank at the other end; any if negative.
    rank: i64,
}

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes.stream::<Trace>(trace)
}

fn trace(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, req: Trace, stream: Stream<Trace>) {
    let tap = Tap {
        filter: Filter::new(req.typemask, req.topic_glob, req.full),
        rank: req.nodeid,
    };
    core.link_traces.add(tap, stream);
}

impl Broker {
    /// Shows a message that goes over a link to those who listen; others are no concern of
    /// theirs. `prefix` is our view: tx or rx.
    pub(crate) fn tap_link(
        &mut self,
        cx: &mut Cx<Broker>,
        link: PeerId,
        prefix: &str,
        message: &Message,
    ) {
        if self.link_traces.is_empty() {
            return;
        }
        let (Some(rank), Some(topic)) = (self.rank_of(link, message), shown_topic(message)) else {
            return;
        };
        let timestamp = cx.now().wall;
        self.link_traces.notify_each(cx, |tap: &Tap| {
            let is_wanted = (tap.rank < 0 || tap.rank == rank) && tap.filter.wants(message, &topic);
            is_wanted.then(|| Traced {
                timestamp,
                prefix: prefix.to_owned(),
                rank,
                ..tap.filter.describe(message, &topic)
            })
        });
    }

    /// The rank at the other end of a link. A child that has not been let in sends it
    /// itself, in its hello.
    fn rank_of(&self, link: PeerId, message: &Message) -> Option<i64> {
        let rank = match self.router.hop_of(link) {
            Some(Hop::Child(rank)) => rank,
            Some(Hop::Module(_) | Hop::Client(_)) => return None,
            _ if link == PeerId::PARENT => self.router.topology().parent(self.router.rank())?,
            _ if message.topic() == Hello::TOPIC => Hello::decode(message.payload()).ok()?.rank,
            _ => return None,
        };
        Some(i64::from(rank))
    }
}

/// The topic under which a message is shown; `None` if it is not.
fn shown_topic(message: &Message) -> Option<Cow<'_, str>> {
    let Kind::Control {
        control: what,
        status,
    } = message.kind
    else {
        let is_trace =
            matches!(message.kind, Kind::Response { .. }) && message.topic() == Trace::TOPIC;
        return (!is_trace).then(|| message.topic().into());
    };
    match what {
        control::HEARTBEAT => None,
        control::STATUS => Some(format!("status {status}").into()),
        control::DISCONNECT => Some(format!("disconnect {status}").into()),
        other => Some(format!("{other} {status}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, topic: &str, expect: Option<&str>) {
        let mut message = Message::request(topic, 0);
        message.kind = kind;
        assert_eq!(shown_topic(&message).as_deref(), expect, "{kind:?}");
    }

    #[test]
    fn every_message_has_a_topic_to_be_shown_by() {
        let request = Kind::Request {
            nodeid: 0,
            matchtag: 1,
        };
        let response = Kind::Response {
            errnum: 0,
            matchtag: 1,
        };
        let control = |control, status| Kind::Control { control, status };
        check(request, "kvs.get", Some("kvs.get"));
        check(request, "overlay.trace", Some("overlay.trace"));
        check(response, "overlay.trace", None);
        check(control(0, 0), "", None);
        check(control(1, 3), "", Some("status 3"));
        check(control(2, 0), "", Some("disconnect 0"));
        check(control(7, 1), "", Some("7 1"));
    }
}
