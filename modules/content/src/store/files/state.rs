//! Records and checkpoints in memory, and one batch's changes to them as a line of text.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proto::content::Record;
use proto::content_backing::KeptCheckpoint;
use serde_json::{Map, Value};

use crate::store::backing::Writer;
use crate::store::failure::Failure;

/// Key of the entry with the writer's UUID. Names that begin with a dot are not records.
pub const WRITER: &str = ".writer";

/// Key of the entry with the number of the writer's last commit.
pub const NUMBER: &str = ".number";

/// State recorded in the journal.
#[derive(Debug, Default)]
pub struct State {
    records: BTreeMap<String, Bytes>,
    /// The oldest first.
    checkpoints: Vec<KeptCheckpoint>,
    /// Values replaced by the batch, the last first to be put back.
    before: Vec<(String, Option<Bytes>)>,
    /// The checkpoints before the batch, if it has made any.
    checkpoints_before: Option<Vec<KeptCheckpoint>>,
    /// Number of the newest line.
    pub number: u64,
}

/// Changes of one batch, or the whole state.
#[derive(Debug, Default)]
pub struct Line {
    /// New values; `None` where a record is removed.
    pub records: BTreeMap<String, Option<Bytes>>,
    /// New checkpoints, the oldest first.
    pub checkpoints: Vec<KeptCheckpoint>,
    /// One more than that of the line before; lines of older releases have 0.
    pub number: u64,
}

impl State {
    /// All records by key.
    pub fn records(&self) -> Vec<Record> {
        let records = self.records.iter().filter(|(key, _)| !key.starts_with('.'));
        records
            .map(|(key, value)| Record {
                key: key.clone(),
                value: Some(value.clone()),
            })
            .collect()
    }

    /// The one whose commits are taken.
    pub fn writer(&self) -> Option<Writer> {
        let text = |key| Some(String::from_utf8_lossy(self.records.get(key)?));
        let number = text(NUMBER).and_then(|number| number.parse().ok());
        Some(Writer {
            uuid: text(WRITER)?.into_owned(),
            number: number.unwrap_or(0),
        })
    }

    /// The checkpoints, the oldest first.
    pub fn checkpoints(&self) -> &[KeptCheckpoint] {
        &self.checkpoints
    }

    /// The number of the newest checkpoint, 0 without one.
    pub fn epoch(&self) -> i64 {
        self.checkpoints.last().map_or(0, |newest| newest.id)
    }

    /// Changes a record. Gives the new value, which holds no message in memory.
    pub fn change(&mut self, key: &str, value: Option<&[u8]>) -> Option<Bytes> {
        let value = value.map(Bytes::copy_from_slice);
        let before = match &value {
            Some(value) => self.records.insert(key.to_owned(), value.clone()),
            None => self.records.remove(key),
        };
        self.before.push((key.to_owned(), before));
        value
    }

    /// Adds a checkpoint and forgets those beyond `max`.
    pub fn add_checkpoint(&mut self, kept: KeptCheckpoint, max: usize) {
        if self.checkpoints_before.is_none() {
            self.checkpoints_before = Some(self.checkpoints.clone());
        }
        self.checkpoints.push(kept);
        let beyond = self.checkpoints.len().saturating_sub(max.max(1));
        self.checkpoints.drain(..beyond);
    }

    /// The changes since the last call are there to stay.
    pub fn settle(&mut self) {
        self.before.clear();
        self.checkpoints_before = None;
    }

    /// The changes since `settle` are taken back.
    pub fn undo(&mut self) {
        while let Some((key, value)) = self.before.pop() {
            match value {
                Some(value) => self.records.insert(key, value),
                None => self.records.remove(&key),
            };
        }
        if let Some(checkpoints) = self.checkpoints_before.take() {
            self.checkpoints = checkpoints;
        }
    }

    /// Applies a line of the journal.
    pub fn apply(&mut self, line: Line, max: usize) {
        self.number = line.number;
        for (key, value) in line.records {
            self.change(&key, value.as_deref());
        }
        for kept in line.checkpoints {
            self.add_checkpoint(kept, max);
        }
        self.settle();
    }

    /// A line that says all.
    pub fn whole(&self) -> Line {
        let records = self.records.iter();
        Line {
            records: records
                .map(|(key, value)| (key.clone(), Some(value.clone())))
                .collect(),
            checkpoints: self.checkpoints.clone(),
            number: self.number,
        }
    }
}

impl Line {
    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.checkpoints.is_empty()
    }

    /// One line of JSON:
    /// `{"records": {KEY: BASE64 or null}, "checkpoints": [...], "number": N}`.
    pub fn text(&self) -> Result<String, Failure> {
        let records = self.records.iter().map(|(key, value)| {
            let value = value.as_ref().map(|value| STANDARD.encode(value));
            (key.clone(), value.map_or(Value::Null, Value::String))
        });
        let records: Map<String, Value> = records.collect();
        let unwritable = |error| Failure::Damaged(format!("checkpoint: {error}"));
        let checkpoints = serde_json::to_value(&self.checkpoints).map_err(unwritable)?;
        let number = self.number;
        let line = serde_json::json!({
            "records": records, "checkpoints": checkpoints, "number": number,
        });
        Ok(line.to_string())
    }

    /// Parses the output of `text`; `None` for any other text.
    pub fn parse(text: &str) -> Option<Line> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        let checkpoints = serde_json::from_value(value.get_mut("checkpoints")?.take()).ok()?;
        let Value::Object(records) = value.get_mut("records")?.take() else {
            return None;
        };
        let records = records.into_iter().map(|(key, value)| {
            let value = match value {
                Value::Null => None,
                Value::String(text) => Some(STANDARD.decode(text).ok()?.into()),
                _ => return None,
            };
            Some((key, value))
        });
        Some(Line {
            records: records.collect::<Option<_>>()?,
            checkpoints,
            number: value.get("number").and_then(Value::as_u64).unwrap_or(0),
        })
    }
}
