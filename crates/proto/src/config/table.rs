//! A table of the configuration whose reader accepts exactly the known keys, with the
//! error texts of Flux.

use serde_json::{Map, Value};

use crate::data::shape::mismatch;
use crate::{Errno, Refusal};

/// A table, and its path in error messages.
pub(super) struct Table<'a> {
    /// Action for error texts: `reading` or `parsing`.
    doing: &'static str,
    path: String,
    entries: &'a Map<String, Value>,
}

impl<'a> Table<'a> {
    /// The table that a value is, with no other keys than `known`.
    pub fn open(path: String, value: &'a Value, known: &[&str]) -> Result<Self, Refusal> {
        Table::open_as("parsing", path, value, known)
    }

    /// The same, with another word for the failed action.
    pub fn open_as(
        doing: &'static str,
        path: String,
        value: &'a Value,
        known: &[&str],
    ) -> Result<Self, Refusal> {
        let Some(entries) = value.as_object() else {
            return Err(fail(doing, &path, &mismatch("object", value)));
        };
        let table = Table {
            doing,
            path,
            entries,
        };
        table.check_known(entries, known)?;
        Ok(table)
    }

    /// The table under a key, if it is set, with no other keys than `known`. Errors in it
    /// are reported for this table.
    pub fn inner(&self, key: &str, known: &[&str]) -> Result<Option<Table<'a>>, Refusal> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let inner = Table::open(self.path.clone(), value, known)?;
        Ok(Some(inner))
    }

    /// The same, with a name of its own in error messages.
    pub fn named(&self, key: &str, known: &[&str]) -> Result<Option<Table<'a>>, Refusal> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let inner = Table::open(format!("{}.{key}", self.path), value, known)?;
        Ok(Some(inner))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.entries.get(key)
    }

    /// The strings in the array under a key; error `text` for anything else.
    pub fn texts(&self, key: &str, text: &str) -> Result<Option<Vec<String>>, Refusal> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            let words = value.as_array()?.iter();
            words.map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        texts(value).map(Some).ok_or_else(|| self.fail(text))
    }

    /// The refusal with `text` about this table.
    pub fn fail(&self, text: &str) -> Refusal {
        fail(self.doing, &self.path, text)
    }

    fn check_known(&self, entries: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
        let unknown = entries.keys().map(String::as_str);
        let unknown: Vec<&str> = unknown.filter(|key| !known.contains(key)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let (n, names) = (unknown.len(), unknown.join(", "));
        Err(self.fail(&format!("{n} object item(s) left unpacked: {names}")))
    }
}

fn fail(doing: &str, path: &str, text: &str) -> Refusal {
    let text = format!("error {doing} [{path}] config table: {text}");
    Refusal::new(Errno::EINVAL, text)
}
