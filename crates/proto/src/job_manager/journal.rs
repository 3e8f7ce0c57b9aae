//! The journal: every event of every job as a stream (protocol/11 section 12).
//!
//! A request with `since`, `userid` or `window` makes a numbered stream, which is our extension.
//! Its responses have `seq`, and it sends an event once the event is stored, so that it never
//! sends an event that a dying job manager loses:
//!
//! - The number of an event is its timestamp: no two events of the journal have the same one,
//!   and each is later than the one before, also after a restart. So numbers never start over.
//!   Events of a job up to its `validate` are one response, with the number of the last.
//! - With `since`, later events are sent in order, then the mark ([`SENTINEL`]), then new events. A
//!   consumer that was disconnected asks again with the last `seq`, misses nothing and gets nothing
//!   twice.
//! - Without `since`, or when some of the later events are no longer known (jobs were purged, or
//!   there were too many events), or when no event had that number yet (the stored events are
//!   older), there is a snapshot first: one response with `snapshot` for each job, then the mark
//!   with `snapshot`, whose `seq` is where the stream goes on. A snapshot replaces everything
//!   sent before: a job that is not in it is inactive or purged. An incomplete snapshot is no
//!   position: `since` is not to be taken from a response with `snapshot` other than the mark.
//! - With `window`, at most N responses are unacknowledged; [`EventsJournalTaken`] asks
//!   for more. A consumer that falls behind is sent the rest from the jobs' logs, or gets
//!   a snapshot.
//! - Events that no log keeps (`annotations`, `invalidate`, volatile `memo`) are not sent.
//!
//! A request with `packed` makes a plain stream whose past has inactive jobs as rows, many in one
//! response (`data::job::rows`), and not as records. Rows are the attributes that job-list shows of
//! a job, made once when the job ended. With `since`, rows of jobs whose last event has a number up
//! to that are left out, and the mark gives their number: a listener that has the same number has
//! the same rows, since the only change to an inactive job is to be purged.

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

/// The maximum number of unacknowledged responses of a consumer.
pub const WINDOW_MAX: u32 = 1 << 20;

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
    /// True to include inactive jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
    /// Only events with a greater number: the `seq` of the last response that was processed,
    /// or a time in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
    /// Only jobs of this user. Required of a guest, with its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userid: Option<u32>,
    /// Maximum number of unacknowledged responses, from 1 to [`WINDOW_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// Inactive jobs as packed rows. Only with `full` and `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<bool>,
}

impl EventsJournal {
    /// True if inactive jobs are wanted as packed rows.
    pub fn is_packed(&self) -> bool {
        self.packed == Some(true)
    }

    /// True if it asks for a selection that rows do not support: of events, of jobs or by
    /// count.
    fn chooses(&self) -> bool {
        let has_filter = self.allow.is_some() || self.deny.is_some();
        has_filter || self.userid.is_some() || self.window.is_some()
    }
}

/// Acknowledges responses of a stream with a `window`: more may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsJournalTaken {
    /// Matchtag of the sender's request for the stream.
    pub matchtag: u32,
    /// Total number of its responses processed so far.
    pub taken: u64,
}

/// Events of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalRecord {
    /// Job id, or [`SENTINEL`].
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
    /// In a numbered stream: the number of the last of the events; with the mark, of the last
    /// event that was sent or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<f64>,
    /// True in a snapshot and with its mark: these are all events of the job so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<bool>,
    /// With the mark of a packed stream: inactive jobs whose rows were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
}

impl JournalRecord {
    /// The record after the past.
    pub fn mark() -> JournalRecord {
        JournalRecord {
            id: SENTINEL,
            events: Vec::new(),
            jobspec: None,
            r: None,
            seq: None,
            snapshot: None,
            left_out: None,
        }
    }
}

/// The request before the filters are checked to be objects.
#[derive(Deserialize)]
struct Unchecked {
    allow: Option<Value>,
    deny: Option<Value>,
    full: Option<bool>,
    since: Option<Value>,
    userid: Option<Value>,
    window: Option<Value>,
    packed: Option<bool>,
}

/// A value of a key that may be absent, or the error in it.
fn value<T>(
    value: Option<Value>,
    read: impl Fn(&Value) -> Option<T>,
    error: JournalError,
) -> Result<Option<T>, BadPayload> {
    let Some(value) = value else {
        return Ok(None);
    };
    let read = read(&value).ok_or_else(|| BadPayload(error.to_string()))?;
    Ok(Some(read))
}

fn small(value: &Value) -> Option<u32> {
    value.as_u64()?.try_into().ok()
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
        let object = |value: &Value| {
            let names = value.as_object()?.clone();
            Some(names.into_iter().collect())
        };
        let window = |value: &Value| small(value).filter(|n| (1..=WINDOW_MAX).contains(n));
        let request = EventsJournal {
            allow: value(unchecked.allow, object, JournalError::Allow)?,
            deny: value(unchecked.deny, object, JournalError::Deny)?,
            full: unchecked.full,
            since: value(unchecked.since, Value::as_f64, JournalError::Since)?,
            userid: value(unchecked.userid, small, JournalError::Userid)?,
            window: value(unchecked.window, window, JournalError::Window)?,
            packed: unchecked.packed,
        };
        match request.is_packed() && request.chooses() {
            true => Err(BadPayload(JournalError::Packed.to_string())),
            false => Ok(request),
        }
    }

    fn schema() -> Option<Schema> {
        schema::of::<Self>()
    }
}

/// Error for a request that does not decode: a separate text for each key of the wrong
/// type but `full` and `packed`.
pub(super) fn bad_payload(reason: &BadPayload) -> crate::Refusal {
    use JournalError::{Allow, Deny, Packed, Since, Userid, Window};
    [Allow, Deny, Since, Userid, Window, Packed]
        .into_iter()
        .find(|error| error.to_string() == reason.0)
        .map_or(crate::Refusal::bare(crate::Errno::EPROTO), |error| {
            error.refusal()
        })
}

crate::json_payloads!(EventsJournalTaken, JournalRecord);
