//! The journal: every event of every job as a stream (protocol/11 section 12).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::{Entry, JobId};
use crate::schema::{self, JsonSchema, Schema};
use crate::{BadPayload, Coded as _, Payload, RawJson};

use super::errors::JournalError;

/// Topic of the method that ends the stream (RFC 6).
pub const EVENTS_JOURNAL_CANCEL: &str = "job-manager.events-journal-cancel";

/// `id` of the record between the past and the present.
pub const SENTINEL: JobId = JobId::ANY;

/// Asks for the journal: one record for each job with its past, a record with the id
/// [`SENTINEL`], then one record for each new event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct EventsJournal {
    /// Only events of these names; the values are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<BTreeMap<String, Value>>,
    /// No events of these names; the values are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<BTreeMap<String, Value>>,
    /// Inactive jobs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
}

/// Events of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalRecord {
    /// Which, or [`SENTINEL`].
    pub id: JobId,
    /// In the order they were posted.
    pub events: Vec<Entry>,
    /// Without the environment and with all updates so far applied: in records of the
    /// past and with `submit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobspec: Option<RawJson>,
    /// Without `scheduling` and with all updates so far applied: in records of the past,
    /// when known, and with `alloc`.
    #[serde(default, rename = "R", skip_serializing_if = "Option::is_none")]
    pub r: Option<RawJson>,
}

/// The request as it is read, before the filters are known to be objects.
#[derive(Deserialize)]
struct Unchecked {
    allow: Option<Value>,
    deny: Option<Value>,
    full: Option<bool>,
}

impl Payload for EventsJournal {
    fn encode(&self) -> bytes::Bytes {
        crate::payload::encode_json(self)
    }

    fn decode(payload: Option<&bytes::Bytes>) -> Result<Self, BadPayload> {
        let unchecked: Unchecked = match payload {
            Some(_) => crate::payload::decode_json(payload)?,
            None => return Err(BadPayload("payload is missing".to_owned())),
        };
        let object = |filter: Option<Value>, error: JournalError| match filter {
            None => Ok(None),
            Some(Value::Object(names)) => Ok(Some(names.into_iter().collect())),
            Some(_) => Err(BadPayload(error.to_string())),
        };
        Ok(EventsJournal {
            allow: object(unchecked.allow, JournalError::Allow)?,
            deny: object(unchecked.deny, JournalError::Deny)?,
            full: unchecked.full,
        })
    }

    fn schema() -> Option<Schema> {
        schema::of::<Self>()
    }
}

/// What a request that does not decode is answered with: a text of its own for a filter
/// of the wrong type.
pub(super) fn bad_payload(reason: &BadPayload) -> crate::Refusal {
    [JournalError::Allow, JournalError::Deny]
        .into_iter()
        .find(|error| error.to_string() == reason.0)
        .map_or(crate::Refusal::bare(crate::Errno::EPROTO), |error| {
            error.refusal()
        })
}

crate::json_payloads!(JournalRecord);
