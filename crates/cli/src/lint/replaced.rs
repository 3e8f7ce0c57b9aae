//! A key that has a stream of events, and is written over instead of being appended to: who reads it
//! may miss some, and each write carries all that went before.
//!
//! Such a key is one that a program follows as a log (with the flag for appended values), or one
//! of which each value begins with the whole value before. The first value may be put; numbers may
//! be replaced, of which only the newest is of use.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::kvs::{APPEND, Commit, PRIMARY, WATCH_APPEND};
use proto::{Method, kvs_watch};
use serde_json::Value;

use super::{Findings, Place, Record, Rule};
use crate::limits::{LINT_KEYS_MAX, LINT_VALUE_BYTES_MAX};

/// Least number of times in a row that a value must begin with the one before: once may
/// be chance.
const GROWN_MIN: u32 = 2;

type Key = (String, String);

#[derive(Debug, Default)]
struct Written {
    /// The value that it was put to last, if it is short.
    value: Option<Vec<u8>>,
    /// Number of times in a row that a value began with the one before.
    grown: u32,
    /// Author of the last replacement while the value existed.
    replaced_by: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Replaced {
    followed: BTreeSet<Key>,
    written: BTreeMap<Key, Written>,
}

impl Rule for Replaced {
    fn see(&mut self, record: &Record, found: &mut Findings) {
        if record.asks(kvs_watch::Lookup::TOPIC) && record.has_flag(WATCH_APPEND) {
            self.follow(record, found);
        } else if record.asks(Commit::TOPIC) {
            let ops = record.payload.get("ops").and_then(Value::as_array);
            for op in ops.into_iter().flatten() {
                self.write(record, op, found);
            }
        }
    }
}

impl Replaced {
    fn follow(&mut self, watch: &Record, found: &mut Findings) {
        let Some(key) = key_of(watch, &watch.payload) else {
            return;
        };
        if let Some(who) = self
            .written
            .get(&key)
            .and_then(|w| w.replaced_by.as_deref())
        {
            found.add(place(who, &key), || followed_by(&watch.who));
        }
        if self.followed.len() < LINT_KEYS_MAX {
            self.followed.insert(key);
        }
    }

    fn write(&mut self, commit: &Record, op: &Value, found: &mut Findings) {
        let Some(key) = key_of(commit, op) else {
            return;
        };
        let object = op.get("dirent").filter(|object| !object.is_null());
        let is_value = object.is_some_and(|object| {
            let kind = object.get("type").and_then(Value::as_str);
            matches!(kind, Some("val" | "valref"))
        });
        let has_room = self.written.len() < LINT_KEYS_MAX;
        if !is_value {
            // It was removed, or is something else.
            self.written.remove(&key);
        } else if op.get("flags").and_then(Value::as_u64).unwrap_or(0) & u64::from(APPEND) != 0 {
            if has_room {
                self.written.entry(key).or_default().value = None;
            }
        } else if let Some(written) = self.written.get_mut(&key) {
            written.replace(&commit.who, object.and_then(value_of));
            let is_followed = self.followed.contains(&key);
            if is_followed {
                found.add(place(&commit.who, &key), || {
                    "it is followed as a log".to_owned()
                });
            } else if written.grown >= GROWN_MIN {
                let why = || "each value contains the whole value before".to_owned();
                found.add(place(&commit.who, &key), why);
            }
        } else if has_room {
            let value = object.and_then(value_of);
            self.written.insert(
                key,
                Written {
                    value,
                    ..Written::default()
                },
            );
        }
    }
}

impl Written {
    fn replace(&mut self, who: &str, value: Option<Vec<u8>>) {
        let has_grown = match (&self.value, &value) {
            (Some(old), Some(new)) => has_history(old, new),
            _ => false,
        };
        self.grown = if has_grown { self.grown + 1 } else { 0 };
        self.replaced_by = Some(who.to_owned());
        self.value = value;
    }
}

/// True if the new value is the old one and more.
fn has_history(old: &[u8], new: &[u8]) -> bool {
    if old.is_empty() || new.len() <= old.len() {
        return false;
    }
    match (serde_json::from_slice(old), serde_json::from_slice(new)) {
        (Ok(Value::Array(old)), Ok(Value::Array(new))) => !old.is_empty() && new.starts_with(&old),
        // Of a number the newest is enough; a longer text in quotes is another text.
        (Ok(Value::Number(_) | Value::String(_)), Ok(_)) => false,
        _ => new.starts_with(old),
    }
}

/// A value, if it is a short one.
fn value_of(object: &Value) -> Option<Vec<u8>> {
    let data = object.get("data")?.as_str()?;
    let value = STANDARD.decode(data).ok()?;
    (value.len() <= LINT_VALUE_BYTES_MAX).then_some(value)
}

fn key_of(message: &Record, has_key: &Value) -> Option<Key> {
    let namespace = message.text("namespace").unwrap_or(PRIMARY);
    let key = has_key.get("key")?.as_str()?;
    Some((namespace.to_owned(), key.to_owned()))
}

fn place(who: &str, (namespace, key): &Key) -> Place {
    let is_primary = namespace == PRIMARY;
    Place {
        rule: "replaced-stream",
        who: who.to_owned(),
        topic: Commit::TOPIC.to_owned(),
        key: Some(if is_primary {
            key.clone()
        } else {
            format!("ns:{namespace}/{key}")
        }),
    }
}

fn followed_by(who: &str) -> String {
    format!("{who} follows it as a log")
}
