//! Clients that follow a stream of ours, each with its filter. Every service of the
//! broker that has such a stream owns one of these.

use std::collections::BTreeMap;

use node::{Cx, Stream, StreamId};
use proto::{Method, Payload};

use crate::core::Broker;

/// Followers of method `M`, each with a filter.
pub(crate) struct Followers<M: Method, W = ()> {
    streams: BTreeMap<StreamId, (W, Stream<M>)>,
}

impl<M: Method, W> Default for Followers<M, W> {
    fn default() -> Self {
        let streams = BTreeMap::new();
        Followers { streams }
    }
}

impl<M: Method, W> Followers<M, W> {
    /// One more follows.
    pub fn add(&mut self, filter: W, stream: Stream<M>) {
        self.streams.insert(stream.id(), (filter, stream));
    }

    /// True if there are no followers.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Notifies the followers whose filter matches; the response is encoded once.
    pub fn notify_if(
        &mut self,
        cx: &mut Cx<Broker>,
        response: &M::Response,
        is_wanted: impl Fn(&W) -> bool,
    ) {
        let mut streams = self.streams.values_mut();
        let mut wanted = streams.by_ref().filter(|(filter, _)| is_wanted(filter));
        let Some((_, first)) = wanted.next() else {
            return;
        };
        let bytes = response.encode();
        first.send_bytes(cx, bytes.clone());
        for (_, stream) in wanted {
            stream.send_bytes(cx, bytes.clone());
        }
    }

    /// Sends each follower its response, if there is one.
    pub fn notify_each(
        &mut self,
        cx: &mut Cx<Broker>,
        response: impl Fn(&W) -> Option<M::Response>,
    ) {
        for (filter, stream) in self.streams.values_mut() {
            if let Some(response) = response(filter) {
                stream.send(cx, &response);
            }
        }
    }

    /// Sends all followers an encoded payload.
    pub fn notify_bytes(&mut self, cx: &mut Cx<Broker>, bytes: &bytes::Bytes) {
        for (_, stream) in self.streams.values_mut() {
            stream.send_bytes(cx, bytes.clone());
        }
    }

    /// Lets go of one that has left.
    pub fn forget(&mut self, id: StreamId) {
        if let Some((_, stream)) = self.streams.remove(&id) {
            stream.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{Flags, Message};

    use crate::probe::{OWNER, Probe, json};

    fn follow(probe: &mut Probe, topic: &str, payload: &str) -> node::PeerId {
        let client = probe.client(OWNER);
        let mut request = Message::request(topic, 7);
        request.set_payload(json(payload));
        request.set_flag(Flags::STREAMING, true);
        probe.say(client, request);
        client
    }

    #[test]
    fn each_is_told_what_it_wants_until_it_leaves() {
        let mut probe = Probe::start(&[]);
        let mine = follow(&mut probe, "groups.get", r#"{"name":"mine"}"#);
        let other = follow(&mut probe, "groups.get", r#"{"name":"other"}"#);
        for client in [mine, other] {
            assert!(probe.heard(client).is_some(), "the members as they are");
        }
        let member = probe.client(OWNER);
        probe.call(member, "groups.join", r#"{"name":"mine"}"#);
        let told = probe.heard(mine).expect("a change of its group");
        assert_eq!(told.payload(), Some(&json(r#"{"members":"0"}"#)));
        assert_eq!(probe.heard(other), None);
        let mut leave = Message::request("groups.cancel", 0);
        leave.set_payload(json(r#"{"matchtag":7}"#));
        leave.set_flag(Flags::NORESPONSE, true);
        probe.say(mine, leave);
        assert!(probe.heard(mine).is_some(), "the end of its stream");
        probe.call(member, "groups.leave", r#"{"name":"mine"}"#);
        assert_eq!(probe.heard(mine), None);
    }

    #[test]
    fn all_follow_the_log_and_the_configuration() {
        let mut probe = Probe::start(&[]);
        let follows = r#"{"follow":true,"nobacklog":true}"#;
        let both = [(); 2].map(|()| follow(&mut probe, "log.dmesg", follows));
        let mut line = Message::request("log.append", 0);
        line.set_payload(bytes::Bytes::from_static(b"<6>1 - 0 test - - - here"));
        probe.say(both[0], line);
        let told = both.map(|client| probe.heard(client).expect("the line"));
        assert_eq!(told[0].payload(), told[1].payload());
        let watcher = follow(&mut probe, "config.get", "{}");
        assert!(probe.heard(watcher).is_some(), "the configuration as it is");
        let new = r#"{"tbon":{"torpid_max":"1m"}}"#;
        probe.call(both[0], "config.load", new);
        let told = probe.heard(watcher).expect("a change of it");
        assert_eq!(told.payload(), Some(&json(new)));
    }
}
