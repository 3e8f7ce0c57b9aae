//! Services that a sender has used, each of which is notified when it disconnects
//! (protocol/01 section 6.2).

use wire::{Flags, Kind, Message, topic};

use crate::limits::DISCONNECT_NOTICES_MAX;

/// One disconnect message, ready to be sent.
#[derive(Debug)]
struct Ready {
    /// The topics that it answers for: everything before their last dot.
    prefix: String,
    nodeid: u32,
    upstream: bool,
    message: Message,
}

/// The disconnect messages of one sender.
#[derive(Debug, Default)]
pub struct DisconnectNotices {
    ready: Vec<Ready>,
}

impl DisconnectNotices {
    /// Remembers that `request`, with its sender on the route stack, was sent. `false`
    /// when there is no room: the sender's end could not be reported.
    #[must_use]
    pub fn note(&mut self, request: &Message) -> bool {
        let Kind::Request { nodeid, .. } = request.kind else {
            return true;
        };
        if request.has(Flags::NORESPONSE) {
            self.cancel(request);
            return true;
        }
        let topic = request.topic();
        let prefix = topic.rsplit_once('.').map_or("", |(prefix, _)| prefix);
        let upstream = request.has(Flags::UPSTREAM);
        let known = |ready: &Ready| {
            ready.nodeid == nodeid
                && ready.upstream == upstream
                && ready.prefix == prefix
                && ready.message.hops_below() == request.hops_below()
        };
        // Senders use few services, and one more often than the others: a list moved
        // to front is faster here than a map.
        if let Some(at) = self.ready.iter().position(known) {
            self.ready.swap(0, at);
            return true;
        }
        if self.ready.len() >= DISCONNECT_NOTICES_MAX {
            return false;
        }
        let mut message = request.clone();
        // A request without a response has no matchtag (RFC 6).
        if let Kind::Request { matchtag, .. } = &mut message.kind {
            *matchtag = 0;
        }
        message.set_topic(&topic::disconnect_of(topic));
        message.set_payload(bytes::Bytes::new());
        message.set_flag(Flags::NORESPONSE, true);
        self.ready.push(Ready {
            prefix: prefix.to_owned(),
            nodeid,
            upstream,
            message,
        });
        true
    }

    /// A program behind the sender has left, and reports that itself.
    fn cancel(&mut self, disconnect: &Message) {
        let behind = disconnect.hops_below();
        if let Some(prefix) = disconnect.topic().strip_suffix(".disconnect")
            && !behind.is_empty()
        {
            let is_told =
                |ready: &Ready| ready.prefix == prefix && ready.message.hops_below() == behind;
            self.ready.retain(|ready| !is_told(ready));
        }
    }

    /// The messages to send after the sender has disconnected.
    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        self.ready.into_iter().map(|ready| ready.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(topics: &[&str], want: &[&str]) {
        let mut notices = DisconnectNotices::default();
        for topic in topics {
            assert!(notices.note(&Message::request(topic, 1)));
        }
        let messages: Vec<Message> = notices.into_messages().collect();
        assert!(messages.iter().all(|message| message.matchtag() == 0));
        let mut got: Vec<String> = messages.iter().map(|m| m.topic().to_owned()).collect();
        got.sort();
        assert_eq!(got, want);
    }

    #[test]
    fn each_service_used_is_told_once() {
        check(
            &["kvs.lookup", "kvs.commit", "kvs-watch.lookup"],
            &["kvs-watch.disconnect", "kvs.disconnect"],
        );
        check(&["a.b.c", "a.d"], &["a.b.disconnect", "a.disconnect"]);
        check(&["bare"], &["disconnect"]);
    }

    #[test]
    fn requests_without_response_arm_nothing() {
        let mut request = Message::request("log.append", 0);
        request.set_flag(Flags::NORESPONSE, true);
        let mut notices = DisconnectNotices::default();
        assert!(notices.note(&request));
        assert_eq!(notices.into_messages().count(), 0);
    }

    #[test]
    fn each_program_behind_the_sender_is_told_of_unless_it_said_so_itself() {
        let behind = |name: &str, topic: &str| {
            let mut request = Message::request(topic, 1);
            for hop in [name, "sender"] {
                request.push_route(wire::Identity::new(hop).unwrap());
            }
            request
        };
        let mut notices = DisconnectNotices::default();
        for name in ["one", "two", "two"] {
            assert!(notices.note(&behind(name, "a.b")));
        }
        let mut left = behind("one", "a.disconnect");
        left.set_flag(Flags::NORESPONSE, true);
        assert!(notices.note(&left));
        let told: Vec<Message> = notices.into_messages().collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].first_route().unwrap().as_str(), "two");
    }

    #[test]
    fn a_sender_of_too_many_services_is_refused() {
        let mut notices = DisconnectNotices::default();
        for n in 0..DISCONNECT_NOTICES_MAX {
            assert!(notices.note(&Message::request(&format!("{n}.a"), 1)));
        }
        assert!(!notices.note(&Message::request("a.b", 1)));
        assert!(notices.note(&Message::request("7.b", 1)));
    }
}
