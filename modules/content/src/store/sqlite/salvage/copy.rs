//! What is taken over from a damaged file: rows of the form of our tables, blobs only with
//! the hash that is their name.

use std::collections::BTreeMap;

use proto::content::Checkpoint;
use proto::data::BlobRef;
use rusqlite::Connection;

use super::pages::Pages;
use super::rows::{Row, Value, rows_of};
use crate::limits::SALVAGE_LINES_MAX;
use crate::store::failure::Failure;
use crate::store::sqlite::blobs;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Blobs taken over.
    pub blobs: u64,
    /// Blobs that are not what their name says.
    pub damaged: u64,
    /// Records by key. Of several, the newest by the number that it ends with.
    records: BTreeMap<String, Vec<u8>>,
}

/// Copies everything that can be read into the tables of `fresh`.
pub fn copy(pages: &Pages, fresh: &Connection) -> Result<Found, Failure> {
    let mut found = Found::default();
    fresh.execute_batch("BEGIN IMMEDIATE")?;
    for number in pages.numbers() {
        for row in rows_of(pages, number) {
            found.take(fresh, row)?;
        }
    }
    let mut insert =
        fresh.prepare("INSERT OR REPLACE INTO ferroflux_records(key, value) VALUES(?1, ?2)")?;
    for record in &found.records {
        insert.execute(record)?;
    }
    fresh.execute_batch("COMMIT")?;
    Ok(found)
}

impl Found {
    fn take(&mut self, fresh: &Connection, (id, mut values): Row) -> Result<(), Failure> {
        match values.as_mut_slice() {
            [Value::Blob(digest), Value::Int(size), object, rest @ ..] => {
                let object = match object {
                    Value::Blob(object) => std::mem::take(object),
                    Value::Null => Vec::new(),
                    _ => return Ok(()),
                };
                let epoch = match rest {
                    [Value::Int(epoch)] => *epoch,
                    [] | [Value::Null] => 0,
                    _ => return Ok(()),
                };
                self.take_blob(fresh, digest, *size, object, epoch)
            }
            [Value::Null, Value::Text(text)] if is_checkpoint(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                let insert = "INSERT OR IGNORE INTO checkpt_v2(id, value) VALUES(?1, ?2)";
                fresh.prepare_cached(insert)?.execute((id, text))?;
                Ok(())
            }
            [Value::Null, Value::Blob(payload)] => {
                let insert = "INSERT OR IGNORE INTO ferroflux_journal(id, payload) VALUES(?1, ?2)";
                fresh.prepare_cached(insert)?.execute((id, &*payload))?;
                Ok(())
            }
            [Value::Text(key), Value::Blob(value)] if id == 0 => {
                if let Ok(key) = std::str::from_utf8(key) {
                    self.take_record(key, std::mem::take(value));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn take_blob(
        &mut self,
        fresh: &Connection,
        digest: &[u8],
        size: i64,
        object: Vec<u8>,
        epoch: i64,
    ) -> Result<(), Failure> {
        let Ok(name) = BlobRef::from_digest(digest) else {
            return Ok(());
        };
        match blobs::unpack(&name, size, object) {
            Ok(blob) => {
                blobs::store(fresh, digest, &blob, epoch)?;
                self.blobs += 1;
            }
            Err(what) => {
                self.damaged += 1;
                if self.damaged <= SALVAGE_LINES_MAX as u64 {
                    tracing::error!("blob {name} is dropped: {what}");
                }
            }
        }
        Ok(())
    }

    fn take_record(&mut self, key: &str, value: Vec<u8>) {
        let known = self.records.get(key);
        if known.is_none_or(|known| age_of(known) < age_of(&value)) {
            self.records.insert(key.to_owned(), value);
        }
    }
}

fn is_checkpoint(text: &[u8]) -> bool {
    serde_json::from_slice::<Checkpoint>(text).is_ok()
}

/// The number that a record of the kvs ends with grows with each version of it; so do
/// those that are numbers themselves.
fn age_of(value: &[u8]) -> i64 {
    let text = std::str::from_utf8(value).ok();
    if let Some(number) = text.and_then(|text| text.parse().ok()) {
        return number;
    }
    let row: Option<Vec<serde_json::Value>> = rmp_serde::from_slice(value).ok();
    let last = row.and_then(|row| row.last()?.as_i64());
    last.unwrap_or(-1)
}
