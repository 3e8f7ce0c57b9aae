//! Which services a sender has used, so that each can be told when it is gone
//! (protocol/01 section 6.2).

use wire::{Flags, Kind, Message, topic};

use crate::limits::ARMED_MAX;

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
pub struct Armed {
    ready: Vec<Ready>,
}

impl Armed {
    /// Remembers that `request`, with its sender on the route stack, was sent.
    pub fn arm(&mut self, request: &Message) {
        let Kind::Request { nodeid, .. } = request.kind else {
            return;
        };
        if request.has(Flags::NORESPONSE) {
            return;
        }
        let topic = request.topic();
        let prefix = topic.rsplit_once('.').map_or("", |(prefix, _)| prefix);
        let upstream = request.has(Flags::UPSTREAM);
        let known = |ready: &Ready| {
            ready.nodeid == nodeid && ready.upstream == upstream && ready.prefix == prefix
        };
        // Senders use few services, and one more often than the others: a list moved
        // to front is faster here than a map.
        if let Some(at) = self.ready.iter().position(known) {
            self.ready.swap(0, at);
            return;
        }
        if self.ready.len() >= ARMED_MAX {
            tracing::error!("{topic}: too many services in use to be told of the disconnect");
            return;
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
    }

    /// The messages to send now that the sender is gone.
    pub fn fire(self) -> impl Iterator<Item = Message> {
        self.ready.into_iter().map(|ready| ready.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(topics: &[&str], want: &[&str]) {
        let mut armed = Armed::default();
        for topic in topics {
            armed.arm(&Message::request(topic, 1));
        }
        let messages: Vec<Message> = armed.fire().collect();
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
        let mut armed = Armed::default();
        armed.arm(&request);
        assert_eq!(armed.fire().count(), 0);
    }
}
