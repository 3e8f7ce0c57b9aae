//! Filters of clients that trace messages, and the form in which a message is shown to
//! them.

use proto::module::Traced;
use serde_json::Value;
use wire::{Errno, Flags, Kind, Message, topic};

use crate::limits::TRACED_BYTES_MAX;

/// Filter of one of them.
pub(crate) struct Filter {
    typemask: i64,
    topic_glob: String,
    /// Payloads and error texts too.
    is_full: bool,
}

impl Filter {
    /// As a request says it.
    pub(super) fn new(typemask: i64, topic_glob: String, full: Option<bool>) -> Filter {
        Filter {
            typemask,
            topic_glob,
            is_full: full == Some(true),
        }
    }

    /// True if a message, which is shown with this topic, is wanted.
    pub(super) fn wants(&self, message: &Message, topic: &str) -> bool {
        self.typemask & kind_bit(message) != 0 && topic::glob_matches(&self.topic_glob, topic)
    }

    /// Description of a message; the caller adds where it was seen.
    pub(super) fn describe(&self, message: &Message, topic: &str) -> Traced {
        let text = message
            .payload()
            .and_then(|payload| payload.strip_suffix(b"\0"));
        let payload = text
            .filter(|text| self.is_full && text.len() <= TRACED_BYTES_MAX)
            .and_then(|text| serde_json::from_slice(text).ok());
        let (errnum, matchtag) = match message.kind {
            Kind::Response { errnum, matchtag } => (errnum, Some(matchtag)),
            Kind::Request { matchtag, .. } => (0, Some(matchtag)),
            _ => (0, None),
        };
        let errstr = match (self.is_full && errnum != 0, message.error_text()) {
            (false, _) => String::new(),
            (true, Some(text)) => text.to_owned(),
            (true, None) => Errno(errnum).to_string(),
        };
        Traced {
            rank: -1,
            kind: kind_bit(message),
            topic: topic.to_owned(),
            matchtag,
            payload_size: message.payload().map_or(0, |payload| payload.len() as i64),
            payload: payload.filter(Value::is_object).unwrap_or(Value::Null),
            errnum: i64::from(errnum),
            errstr,
            delivery: delivery(message),
            stopped: match errnum {
                0 => None,
                _ => message.error_note().map(str::to_owned),
            },
            ..Traced::default()
        }
    }
}

/// Delivery policy of a request, if it is not the usual one. `message` is as sent over
/// the link, with the time that is left.
fn delivery(message: &Message) -> Option<String> {
    match message.kind {
        Kind::Request { .. } if message.has(Flags::NORESPONSE) => Some("best-effort".to_owned()),
        Kind::Request { .. } if message.has(Flags::USER1) => Some("now".to_owned()),
        Kind::Request { .. } if message.deadline_ms != 0 => {
            Some(format!("wait {:.3}", message.deadline_ms as f64 / 1e3))
        }
        _ => None,
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
