//! Seals of rows, stored beside the rows: only they tell a record that was changed or is
//! missing from one that never existed.
//!
//! Each value of `ferroflux_records` ends with a check of it. Rows whose keys begin with a
//! dot have more data: `.seal` has the hash of all others, `.checkpoints` the hashes of
//! the checkpoints that were made here, `.state` whether the store was closed in order.
//! Blobs need none of this: their name is their hash.

use std::collections::BTreeMap;

use proto::data::{BlobRef, HashKind};
use rusqlite::Connection;

use super::records;
use crate::store::failure::Failure;

const SEAL: &str = ".seal";
const CHECKPOINTS: &str = ".checkpoints";
const STATE: &str = ".state";

/// Bytes of the check at the end of a value.
const CHECK_BYTES: usize = 8;

/// State of use of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Of a release that did not record it.
    Unknown,
    /// Someone has it open, or was killed.
    Open,
    /// The main file has everything.
    Closed,
}

/// The first bytes of the hash of `parts`.
pub fn check(parts: &[&[u8]]) -> [u8; CHECK_BYTES] {
    let hash = BlobRef::of(HashKind::Sha1, &parts.concat());
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash.digest()[..CHECK_BYTES]);
    check
}

/// A value as it is kept.
pub fn sealed(key: &str, value: &[u8]) -> Vec<u8> {
    [value, &check(&[key.as_bytes(), value])].concat()
}

/// A kept value as it was.
pub fn unsealed<'a>(key: &str, kept: &'a [u8]) -> Result<&'a [u8], Failure> {
    let found = kept.split_last_chunk();
    let found = found.filter(|(value, found)| check(&[key.as_bytes(), value]) == **found);
    match found {
        Some((value, _)) => Ok(value),
        None => Err(Failure::Damaged(format!("record {key} is damaged"))),
    }
}

/// Seals the table as it is.
pub fn seal(db: &Connection) -> Result<(), Failure> {
    records::put(db, SEAL, &seal_of(db)?)
}

/// State of use of the store.
pub fn state(db: &Connection) -> Result<State, Failure> {
    Ok(match records::value(db, STATE)?.as_deref() {
        None => State::Unknown,
        Some(b"closed") => State::Closed,
        Some(_) => State::Open,
    })
}

/// Stores the state of the table.
pub fn set_state(db: &Connection, state: State) -> Result<(), Failure> {
    let text: &[u8] = match state {
        State::Closed => b"closed",
        State::Open | State::Unknown => b"open",
    };
    records::put(db, STATE, text)?;
    seal(db)
}

/// Seals a store of a release that did not.
pub fn adopt(db: &Connection, state: State) -> Result<(), Failure> {
    for (key, value) in rows(db)? {
        if unsealed(&key, &value).is_err() {
            records::put(db, &key, &value)?;
        }
    }
    note_checkpoints(db)?;
    set_state(db, state)
}

/// Checks that the rows are those that were sealed.
pub fn verify(db: &Connection) -> Result<(), Failure> {
    let damaged = |what: &str| Err(Failure::Damaged(what.to_owned()));
    let all = rows(db)?;
    all.iter()
        .try_for_each(|(key, value)| unsealed(key, value).map(|_| ()))?;
    if records::value(db, SEAL)?.as_deref() != Some(&seal_of(db)?) {
        return damaged("records are missing");
    }
    let known = known_checkpoints(db)?;
    let newest = known.keys().next_back().copied().unwrap_or(0);
    let found = checkpoints(db)?;
    for (id, check) in &found {
        let is_right = match known.get(id) {
            Some(known) => known == check,
            // Other tools may add some.
            None => *id > newest && !known.values().any(|known| known == check),
        };
        if !is_right {
            return damaged(&format!("checkpoint {id} is damaged"));
        }
    }
    // Those who add some take old ones away.
    let has_others = found.keys().any(|id| *id > newest);
    if !has_others && known.keys().any(|id| !found.contains_key(id)) {
        return damaged("checkpoints are missing");
    }
    Ok(())
}

/// Notes which checkpoints there are.
pub fn note_checkpoints(db: &Connection) -> Result<(), Failure> {
    let mut text = Vec::new();
    for (id, check) in checkpoints(db)? {
        text.extend_from_slice(&id.to_be_bytes());
        text.extend_from_slice(&check);
    }
    records::put(db, CHECKPOINTS, &text)
}

fn known_checkpoints(db: &Connection) -> Result<BTreeMap<i64, [u8; CHECK_BYTES]>, Failure> {
    let text = records::value(db, CHECKPOINTS)?.unwrap_or_default();
    let entries = text.chunks_exact(8 + CHECK_BYTES);
    let entries = entries.filter_map(|entry| {
        let (id, check) = entry.split_first_chunk()?;
        Some((i64::from_be_bytes(*id), check.try_into().ok()?))
    });
    Ok(entries.collect())
}

fn checkpoints(db: &Connection) -> Result<BTreeMap<i64, [u8; CHECK_BYTES]>, Failure> {
    let mut select = db.prepare_cached("SELECT id, CAST(value AS BLOB) FROM checkpt_v2")?;
    let rows = select.query_map([], |row| {
        let value: Option<Vec<u8>> = row.get(1)?;
        Ok((row.get(0)?, check(&[&value.unwrap_or_default()])))
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// The hash of all rows but the seal itself.
fn seal_of(db: &Connection) -> Result<[u8; CHECK_BYTES], Failure> {
    let rows = rows(db)?;
    let others = rows.iter().filter(|(key, _)| key != SEAL);
    let parts = others.flat_map(|(key, value)| [key.as_bytes(), value]);
    Ok(check(&parts.collect::<Vec<_>>()))
}

fn rows(db: &Connection) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut select = db.prepare_cached("SELECT key, value FROM ferroflux_records ORDER BY key")?;
    let rows = select.query_map([], |row| {
        let value: Option<Vec<u8>> = row.get(1)?;
        Ok((row.get(0)?, value.unwrap_or_default()))
    })?;
    rows.map(|row| Ok(row?)).collect()
}
