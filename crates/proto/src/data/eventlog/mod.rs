//! Event logs (RFC 18): one compact JSON object per line, appended and never rewritten.
//!
//! Contains one entry and the reading of a whole log. The forms for display are in
//! `text.rs`. It knows no event names: these belong to the service that writes the log.

mod stamps;
mod text;

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::textual::from_object;

pub use stamps::Stamps;
pub use text::{EntryFormatter, TimeForm};

/// Context of an event: an object whose key order is kept.
pub type Context = Map<String, Value>;

/// One event: time, name and context.
///
/// The timestamp is positive seconds since the epoch; the name is not empty and has no newline.
/// In JSON the keys are written in the order `timestamp`, `name`, `context`, and read in any
/// order.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    timestamp: f64,
    name: Cow<'static, str>,
    context: Option<Context>,
}

/// Errors of parsing an entry or a log. Services answer EINVAL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventlogError {
    /// The timestamp is missing, not a number, or not above zero.
    #[error("eventlog entry timestamp must be a number greater than zero")]
    Timestamp,
    /// The name is empty or has a newline.
    #[error("eventlog entry name must be a non-empty string without a newline")]
    Name,
    /// The context is not an object.
    #[error("eventlog entry context must be an object")]
    Context,
    /// The last line has no newline.
    #[error("eventlog does not end with a newline")]
    NoNewline,
    /// The log is not UTF-8.
    #[error("eventlog is not UTF-8")]
    NotUtf8,
    /// A line is not one JSON object with these keys.
    #[error("malformed eventlog entry: {0}")]
    Malformed(String),
}

impl Entry {
    /// An event without a context. `timestamp` is in seconds since the epoch.
    pub fn new(timestamp: f64, name: impl Into<Cow<'static, str>>) -> Result<Self, EventlogError> {
        let name = name.into();
        if !(timestamp > 0.0 && timestamp.is_finite()) {
            return Err(EventlogError::Timestamp);
        }
        if name.is_empty() || name.contains('\n') {
            return Err(EventlogError::Name);
        }
        Ok(Self {
            timestamp,
            name,
            context: None,
        })
    }

    /// The same event with this context.
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }

    /// The same event with a context made from a struct; refused unless it becomes an object.
    pub fn with(self, context: &impl Serialize) -> Result<Self, EventlogError> {
        match serde_json::to_value(context) {
            Ok(Value::Object(context)) => Ok(self.with_context(context)),
            _ => Err(EventlogError::Context),
        }
    }

    /// Seconds since the epoch.
    pub fn timestamp(&self) -> f64 {
        self.timestamp
    }

    /// Name of the event.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The context, if there is one.
    pub fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    /// The value of one key of the context.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.context.as_ref()?.get(key)
    }

    /// The text under one key of the context.
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The integer under one key of the context.
    pub fn get_i64(&self, key: &str) -> Option<i64> {
        self.get(key)?.as_i64()
    }

    /// The context as a struct; an absent context is read as `{}`.
    pub fn context_as<T: DeserializeOwned>(&self) -> Result<T, EventlogError> {
        let context = Value::Object(self.context.clone().unwrap_or_default());
        serde_json::from_value(context).map_err(|e| EventlogError::Malformed(e.to_string()))
    }

    /// One line of the log, its newline included.
    pub fn encode(&self) -> String {
        let mut line = self.to_json();
        line.push('\n');
        line
    }

    /// The compact JSON of the entry, without a newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers are finite and keys are strings")
    }

    /// Reads one line; the newline at its end may be missing.
    pub fn decode(line: &str) -> Result<Self, EventlogError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.contains('\n') {
            return Err(EventlogError::Malformed("more than one line".to_owned()));
        }
        let mut deserializer = serde_json::Deserializer::from_str(line);
        from_object::<_, RawEntry>(&mut deserializer)
            .and_then(|raw| deserializer.end().map(|()| raw))
            .map_err(|error| EventlogError::Malformed(error.to_string()))?
            .check()
    }
}

/// The lines of a log, each with its newline. Refuses a log whose last line is not finished.
pub fn split_log(log: &[u8]) -> Result<impl Iterator<Item = &str>, EventlogError> {
    let log = std::str::from_utf8(log).map_err(|_| EventlogError::NotUtf8)?;
    if !log.is_empty() && !log.ends_with('\n') {
        return Err(EventlogError::NoNewline);
    }
    Ok(log.split_inclusive('\n'))
}

/// Every entry of a log, or the first error.
pub fn decode_log(log: &[u8]) -> Result<Vec<Entry>, EventlogError> {
    split_log(log)?.map(Entry::decode).collect()
}

/// An entry as it is read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    timestamp: Value,
    name: Value,
    #[serde(default, deserialize_with = "present")]
    context: Option<Value>,
}

/// A key that may be missing, but whose value must not be null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl RawEntry {
    fn check(self) -> Result<Entry, EventlogError> {
        let timestamp = self.timestamp.as_f64().ok_or(EventlogError::Timestamp)?;
        let Value::String(name) = self.name else {
            return Err(EventlogError::Name);
        };
        let entry = Entry::new(timestamp, name)?;
        match self.context {
            None => Ok(entry),
            Some(Value::Object(context)) => Ok(entry.with_context(context)),
            Some(_) => Err(EventlogError::Context),
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = if self.context.is_some() { 3 } else { 2 };
        let mut entry = serializer.serialize_struct("Entry", keys)?;
        entry.serialize_field("timestamp", &self.timestamp)?;
        entry.serialize_field("name", &self.name)?;
        if let Some(context) = &self.context {
            entry.serialize_field("context", context)?;
        }
        entry.end()
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawEntry::deserialize(deserializer)?
            .check()
            .map_err(D::Error::custom)
    }
}

crate::schema::schema_by_hand!(Entry, "EventlogEntry", named, {
    "type": "object",
    "description": "One event of an event log (RFC 18).",
    "properties": {
        "timestamp": { "type": "number", "exclusiveMinimum": 0 },
        "name": { "type": "string", "minLength": 1 },
        "context": { "type": "object" }
    },
    "required": ["timestamp", "name"],
    "additionalProperties": false
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Reads one line; prints it again or the error.
    fn check(line: &str, expect: &str) {
        let outcome = match Entry::decode(line) {
            Ok(entry) => entry.to_json(),
            Err(error) => error.to_string(),
        };
        assert!(outcome.starts_with(expect), "{line}: {outcome}");
    }

    #[test]
    fn keys_are_read_in_any_order_and_written_in_one() {
        let line = r#"{"timestamp":1795330275.0266078,"name":"submit","context":{"b":1,"a":[]}}"#;
        check(line, line);
        check(
            r#"{"name":"x","context":{},"timestamp":5}"#,
            r#"{"timestamp":5.0,"name":"x","context":{}}"#,
        );
        check(
            "{\"name\":\"x\",\"timestamp\":1.5}\n",
            r#"{"timestamp":1.5,"name":"x"}"#,
        );
    }

    #[test]
    fn bad_entries_are_refused() {
        check(
            r#"{"name":"x"}"#,
            "malformed eventlog entry: missing field `timestamp`",
        );
        check(
            r#"{"timestamp":1}"#,
            "malformed eventlog entry: missing field `name`",
        );
        check(
            r#"{"timestamp":-1,"name":"x"}"#,
            "eventlog entry timestamp must be",
        );
        check(
            r#"{"timestamp":0,"name":"x"}"#,
            "eventlog entry timestamp must be",
        );
        check(
            r#"{"timestamp":"1","name":"x"}"#,
            "eventlog entry timestamp must be",
        );
        check(
            r#"{"timestamp":1,"name":""}"#,
            "eventlog entry name must be",
        );
        check(
            r#"{"timestamp":1,"name":"a\nb"}"#,
            "eventlog entry name must be",
        );
        check(r#"{"timestamp":1,"name":7}"#, "eventlog entry name must be");
        check(
            r#"{"timestamp":1,"name":"x","context":[]}"#,
            "eventlog entry context must be",
        );
        check(
            r#"{"timestamp":1,"name":"x","context":null}"#,
            "eventlog entry context must be",
        );
        check(
            r#"{"timestamp":1,"name":"x","extra":1}"#,
            "malformed eventlog entry: unknown field",
        );
        check(r#"[1,"x"]"#, "malformed eventlog entry");
        check("", "malformed eventlog entry");
        check(
            "{\"timestamp\":1,\n\"name\":\"x\"}",
            "malformed eventlog entry: more than one line",
        );
    }

    #[test]
    fn a_log_is_read_whole_or_not_at_all() {
        let a = "{\"timestamp\":1.0,\"name\":\"a\"}\n";
        let b = "{\"timestamp\":2.0,\"name\":\"b\"}\n";
        let log = format!("{a}{b}");
        let entries = decode_log(log.as_bytes()).unwrap();
        let again: String = entries.iter().map(Entry::encode).collect();
        assert_eq!(again, log);
        assert_eq!(
            split_log(log.as_bytes()).unwrap().collect::<Vec<_>>(),
            [a, b]
        );
        assert_eq!(decode_log(b""), Ok(vec![]));
        assert_eq!(
            decode_log(log.trim_end().as_bytes()),
            Err(EventlogError::NoNewline)
        );
        assert_eq!(decode_log(b"\xff\n"), Err(EventlogError::NotUtf8));
        assert!(decode_log(format!("{a}\n{b}").as_bytes()).is_err());
    }

    #[test]
    fn a_context_is_read_and_written_as_a_struct() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Finish {
            status: i32,
        }
        let entry = Entry::new(1.0, "finish")
            .unwrap()
            .with(&Finish { status: 9 })
            .unwrap();
        assert_eq!(
            entry.to_json(),
            r#"{"timestamp":1.0,"name":"finish","context":{"status":9}}"#
        );
        assert_eq!(entry.context_as(), Ok(Finish { status: 9 }));
        assert_eq!(
            (entry.get_i64("status"), entry.get_str("status")),
            (Some(9), None)
        );
        assert_eq!(
            Entry::new(1.0, "x").unwrap().with(&json!(1)),
            Err(EventlogError::Context)
        );
        assert!(
            Entry::new(1.0, "x")
                .unwrap()
                .context_as::<Finish>()
                .is_err()
        );
    }

    #[test]
    fn times_that_json_cannot_write_are_refused() {
        for timestamp in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert_eq!(Entry::new(timestamp, "x"), Err(EventlogError::Timestamp));
        }
    }

    proptest! {
        #[test]
        fn an_entry_survives_its_line(
            timestamp in 1e-3..1e11_f64,
            name in "[^\n]{1,10}",
            key: String,
            value: String,
        ) {
            let context = Context::from_iter([(key, Value::String(value))]);
            let entry = Entry::new(timestamp, name).unwrap().with_context(context);
            let line = entry.encode();
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(decode_log(line.as_bytes()), Ok(vec![entry]));
        }
    }
}
