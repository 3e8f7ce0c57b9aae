//! event.*: publishing and subscribing (protocol/03 section 5).

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// Publishes an event and waits for its sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publish {
    /// Topic of the event.
    pub topic: String,
    /// 0, or 0x20 for a private event.
    pub flags: u32,
    /// Payload in base64, its NUL included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// Position of the event in the sequence of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// From 1 on.
    pub seq: u32,
}

/// Subscribes to events whose topic begins with `topic`; counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribe {
    /// Prefix of the topics; empty for all.
    pub topic: String,
}

/// Cancels one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unsubscribe {
    /// Topic of the subscription.
    pub topic: String,
}

crate::refusals! {
    /// Errors of publishing an event.
    pub enum PublishError {
        /// Flags other than PRIVATE, or a payload that is not base64.
        Malformed => EPROTO "",
        /// A component of ours listens to it, or it belongs to another user.
        Reserved(String) => EPERM "only the instance owner may publish {0}",
        /// Only rank 0 assigns sequence numbers.
        NotRankZero => EPROTO "this service is only available on rank 0",
    }
}

crate::refusals! {
    /// Errors of unsubscribing.
    pub enum UnsubscribeError {
        /// There is no such subscription.
        Unknown => ENOENT "",
    }
}

crate::json_payloads!(Publish, Published, Subscribe, Unsubscribe);

crate::methods! {
    Publish = "event.publish" (USER) => Published, PublishError
        : "Publishes an event and answers with its sequence number.";
    Subscribe = "event.subscribe" (USER) => Empty, Refusal
        : "Subscribes to events by a prefix of their topic.";
    Unsubscribe = "event.unsubscribe" (USER) => Empty, UnsubscribeError
        : "Cancels one subscription.";
}
