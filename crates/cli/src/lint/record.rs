//! A message as the rules see it: its sender or receiver, and its contents.

use proto::module::Traced;
use serde_json::Value;

/// The type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
    Event,
}

/// One message, sent or received by one party. A message between two traced peers is seen
/// twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When, in seconds.
    pub at: f64,
    /// The module or program.
    pub who: String,
    /// Sent by it, or received.
    pub is_sent: bool,
    /// Of which type.
    pub kind: Kind,
    /// Topic.
    pub topic: String,
    /// Matchtag of requests and their responses.
    pub matchtag: u32,
    /// Null if there is none that is JSON.
    pub payload: Value,
    /// True if there is one that is not JSON and so unknown.
    pub is_opaque: bool,
    /// Of a response.
    pub errnum: i64,
}

impl Record {
    /// Record of a message that a broker has shown of `who`; `None` for irrelevant ones.
    pub fn new(who: String, traced: Traced) -> Option<Record> {
        let kind = match traced.kind {
            1 => Kind::Request,
            2 => Kind::Response,
            4 => Kind::Event,
            _ => return None,
        };
        Some(Record {
            at: traced.timestamp,
            who,
            is_sent: traced.prefix == "tx",
            kind,
            topic: traced.topic,
            matchtag: traced.matchtag.unwrap_or(0),
            is_opaque: traced.payload.is_null() && traced.payload_size > 0,
            payload: traced.payload,
            errnum: traced.errnum,
        })
    }

    /// True if it is a request of this topic, seen at its sender.
    pub fn asks(&self, topic: &str) -> bool {
        self.is_sent && self.kind == Kind::Request && self.topic == topic
    }

    /// True if it is a response, seen at its requester.
    pub fn is_answer(&self) -> bool {
        !self.is_sent && self.kind == Kind::Response
    }

    /// True if it came unrequested: an event, or a request.
    pub fn is_occasion(&self) -> bool {
        !self.is_sent && self.kind != Kind::Response
    }

    /// A text of the payload.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name)?.as_str()
    }

    /// A number of the payload.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.payload.get(name)?.as_i64()
    }

    /// Bits of the payload.
    pub fn has_flag(&self, flag: u32) -> bool {
        let flags = self.number("flags").unwrap_or(0);
        flags & i64::from(flag) != 0
    }
}
