//! Decoder of a journal record, in place: a history of many jobs is mostly reading.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One response of `job-manager.events-journal`.
#[derive(Debug, Deserialize)]
pub struct Record<'a> {
    /// The job, or -1 between the past and the present.
    pub id: RecordId,
    /// In the order they were posted.
    #[serde(borrow)]
    pub events: Vec<Event<'a>>,
    /// With the past and with `submit`.
    #[serde(borrow, default)]
    pub jobspec: Option<&'a RawValue>,
    /// With the past and with `alloc`.
    #[serde(borrow, default, rename = "R")]
    pub r: Option<&'a RawValue>,
    /// With the mark of a packed stream: jobs that it has left out.
    #[serde(default)]
    pub left_out: Option<u64>,
}

/// A job id, or the number of the sentinel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordId {
    /// A job.
    Job(u64),
    /// Below zero, or the same bits without a sign.
    Sentinel,
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RecordId, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = RecordId;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a job id")
            }
            fn visit_u64<E>(self, id: u64) -> Result<RecordId, E> {
                Ok(match id {
                    u64::MAX => RecordId::Sentinel,
                    id => RecordId::Job(id),
                })
            }
            fn visit_i64<E>(self, id: i64) -> Result<RecordId, E> {
                Ok(u64::try_from(id).map_or(RecordId::Sentinel, RecordId::Job))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// One event of a job.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    /// Seconds since the epoch.
    pub timestamp: f64,
    /// Name of the event.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Context of the event.
    #[serde(borrow, default)]
    pub context: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Record<'a>, serde_json::Error> {
        serde_json::from_slice(payload.strip_suffix(b"\0").unwrap_or(payload))
    }
}

impl Event<'_> {
    /// The context as a type; an absent one is `{}`.
    pub fn context<T: DeserializeOwned>(&self) -> Option<T> {
        let text = self.context.map_or("{}", RawValue::get);
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_in_place() {
        let text = br#"{"id":7,"events":[{"timestamp":1.5,"name":"finish","context":{"status":9}}],"R":{"version":1}}"#;
        let record = Record::decode(text).unwrap();
        assert_eq!(record.id, RecordId::Job(7));
        assert!(matches!(record.events[0].name, Cow::Borrowed("finish")));
        assert_eq!(record.r.unwrap().get(), r#"{"version":1}"#);
        let sentinel = Record::decode(b"{\"id\":-1,\"events\":[]}\0").unwrap();
        assert_eq!(sentinel.id, RecordId::Sentinel);
    }

    #[test]
    fn a_sentinel_may_be_written_without_a_sign() {
        let sentinel = Record::decode(b"{\"id\":18446744073709551615,\"events\":[]}").unwrap();
        assert_eq!(sentinel.id, RecordId::Sentinel);
    }
}
