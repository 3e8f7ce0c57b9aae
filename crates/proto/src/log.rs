//! log.*: the broker's log ring (protocol/03 section 7). Lines are in the form of
//! [`crate::data::logline`].

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Never, Raw, Refusal};

/// Adds one or more lines to the log. Answered only if the matchtag is not 0. Log messages are
/// best effort unless a call says otherwise: no sink is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Append(pub Raw);

impl crate::Payload for Append {
    fn encode(&self) -> bytes::Bytes {
        self.0.encode()
    }
    fn decode(payload: Option<&bytes::Bytes>) -> Result<Self, crate::BadPayload> {
        Raw::decode(payload).map(Append)
    }
}

/// Empties the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clear;

/// Asks for the lines in the ring, and for later ones with `follow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dmesg {
    /// True to continue with new lines until cancelled.
    pub follow: bool,
    /// True to leave out the lines in the ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nobacklog: Option<bool>,
}

/// Sets a log attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAttr {
    /// Name.
    pub name: String,
    /// The level.
    pub value: String,
}

/// Asks for the counters of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "kebab-case")]
pub struct Stats {
    /// Lines in the ring.
    pub ring_used: u64,
    /// Lines received.
    pub count: u64,
    /// Of those, from this rank.
    pub local: u64,
    /// Of those, from other ranks.
    pub remote: u64,
}

crate::refusals! {
    /// Errors of setting a log attribute.
    pub enum SetAttrError {
        /// Not a severity.
        InvalidLevel => EINVAL "invalid level",
        /// Not an attribute of the log.
        Unknown => ENOENT "",
    }
}

crate::json_payloads!(Dmesg, SetAttr, Stats);
crate::no_payloads!(Clear, StatsGet);

crate::methods! {
    Append = "log.append" (OWNER) => Empty, Refusal, Nothing : "Adds lines to the log." {
        const DELIVERY: crate::Delivery = crate::Delivery::BestEffort;
    };
    Clear = "log.clear" (OWNER) => Empty, Never, idempotent : "Empties the log ring.";
    Dmesg = "log.dmesg" (OWNER) => Raw, Refusal, idempotent, Stream
        : "Sends the lines of the ring, each its own raw line with a NUL, and with `follow` new ones.";
    SetAttr = "log.setattr" (OWNER) => Empty, SetAttrError, idempotent : "Sets a log attribute.";
    StatsGet = "log.stats-get" (ALL) => Stats, Never, idempotent : "Counters of the log.";
}
