//! Data copied from a damaged file: rows of the form of our tables, blobs only with the
//! hash that is their name.

use std::collections::BTreeMap;

use proto::content::Checkpoint;
use proto::data::BlobRef;
use rusqlite::Connection;

use super::pages::Pages;
use super::rows::{Row, Value, rows_of};
use crate::limits::SALVAGE_LINES_MAX;
use crate::store::damage::Damage;
use crate::store::failure::Failure;
use crate::store::sqlite::seals::unsealed;
use crate::store::sqlite::{blobs, records};

/// Data found.
#[derive(Debug, Default)]
pub struct Found {
    /// Blobs taken over.
    pub blobs: u64,
    /// Blobs whose bytes do not have the hash of their name.
    pub damaged: u64,
    /// Values of records as they were found, by key, and whether on a free page.
    records: BTreeMap<String, Vec<(bool, Vec<u8>)>>,
}

/// Copies everything that can be read into the tables of `fresh`. On pages that are said
/// to be free there may be rows that are not: they count where there is no other.
pub fn copy(pages: &Pages, fresh: &Connection, damage: &mut Damage) -> Result<Found, Failure> {
    let mut found = Found::default();
    fresh.execute_batch("BEGIN IMMEDIATE")?;
    for (number, is_free) in pages.numbers() {
        for row in rows_of(pages, number) {
            found.take(fresh, row, is_free, damage)?;
        }
    }
    found.put_records(fresh, damage)?;
    fresh.execute_batch("COMMIT")?;
    Ok(found)
}

impl Found {
    fn take(
        &mut self,
        fresh: &Connection,
        (id, mut values): Row,
        is_free: bool,
        damage: &mut Damage,
    ) -> Result<(), Failure> {
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
                self.take_blob(fresh, digest, *size, object, epoch, damage)
            }
            [Value::Null, Value::Text(text)] if !is_free && is_checkpoint(text) => {
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
                    let values = self.records.entry(key.to_owned()).or_default();
                    values.push((is_free, std::mem::take(value)));
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
        damage: &mut Damage,
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
                    damage.note(&format!("blob {name} is dropped: {what}"));
                }
            }
        }
        Ok(())
    }

    /// Of several values of a record the newest counts, by the number that it ends with.
    fn put_records(&self, fresh: &Connection, damage: &mut Damage) -> Result<(), Failure> {
        let is_right = |key: &str, value: &[u8]| unsealed(key, value).is_ok();
        let mut all = self.records.iter();
        // Older releases have not checked any.
        let are_checked = all.any(|(key, values)| values.iter().any(|(_, v)| is_right(key, v)));
        for (key, values) in &self.records {
            let whole = values.iter().filter_map(|(is_free, kept)| {
                let value = match are_checked {
                    true => unsealed(key, kept).ok()?,
                    false => kept,
                };
                Some((!is_free, age_of(value), value))
            });
            match whole.max() {
                Some((_, _, value)) => records::put(fresh, key, value)?,
                None => damage.note(&format!("record {key} is damaged and dropped")),
            }
        }
        Ok(())
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
