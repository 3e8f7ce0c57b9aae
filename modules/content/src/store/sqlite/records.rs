//! Table `ferroflux_records`: data that the kvs keeps beside the blobs. It has one writer
//! at a time, the one that opened it last, so that late messages of a killed predecessor
//! cannot undo the work of its successor.
//!
//! Every value ends with a check of it and its key; `seals.rs` has the check of the whole
//! table.

use proto::content::Record;
use rusqlite::{Connection, OptionalExtension};

use super::seals::{self, sealed, unsealed};
use crate::store::backing::Writer;
use crate::store::failure::Failure;

/// Key of the row with the writer's UUID. Names that begin with a dot are not records.
const WRITER: &str = ".writer";

/// Key of the row with the number of the writer's last commit.
const NUMBER: &str = ".number";

/// Key of the row with the newest transaction of the journal that was folded.
const FOLDED: &str = ".folded";

/// Makes `writer` the writer and gives all records by key.
pub fn open(db: &Connection, writer: &str) -> Result<Vec<Record>, Failure> {
    put(db, WRITER, writer.as_bytes())?;
    set_number(db, 0)?;
    seals::seal(db)?;
    all(db)
}

/// All records by key.
pub fn all(db: &Connection) -> Result<Vec<Record>, Failure> {
    let mut select = db.prepare_cached(
        "SELECT key, value FROM ferroflux_records WHERE key NOT LIKE '.%' ORDER BY key",
    )?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let records = rows.map(|row| {
        let (key, value): (String, Vec<u8>) = row?;
        let value = unsealed(&key, &value)?.to_vec();
        Ok(Record {
            key,
            value: Some(value.into()),
        })
    });
    records.collect()
}

/// One value.
pub fn value(db: &Connection, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let mut select = db.prepare_cached("SELECT value FROM ferroflux_records WHERE key = ?1")?;
    let value = select.query_row([key], |row| row.get::<_, Vec<u8>>(0));
    match value.optional()? {
        Some(value) => Ok(Some(unsealed(key, &value)?.to_vec())),
        None => Ok(None),
    }
}

/// The writer, and the last commit of it that is in its place.
pub fn writer(db: &Connection) -> Result<Option<Writer>, Failure> {
    let uuid = text(db, WRITER)?;
    let number = text(db, NUMBER)?;
    Ok(uuid.map(|uuid| Writer {
        uuid,
        number: number.and_then(|text| text.parse().ok()).unwrap_or(0),
    }))
}

/// Stores the number of the writer's last commit.
pub fn set_number(db: &Connection, number: u64) -> Result<(), Failure> {
    put(db, NUMBER, number.to_string().as_bytes())
}

/// The newest transaction of the journal that was folded.
pub fn folded(db: &Connection) -> Result<u64, Failure> {
    let folded = text(db, FOLDED)?;
    Ok(folded.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Stores the number of the last folded transaction.
pub fn set_folded(db: &Connection, number: u64) -> Result<(), Failure> {
    put(db, FOLDED, number.to_string().as_bytes())
}

fn text(db: &Connection, key: &str) -> Result<Option<String>, Failure> {
    let value = value(db, key)?;
    Ok(value.and_then(|value| String::from_utf8(value).ok()))
}

/// Changes records.
pub fn write<'a>(
    db: &Connection,
    records: impl Iterator<Item = &'a Record>,
) -> Result<(), Failure> {
    for record in records {
        match &record.value {
            Some(value) => put(db, &record.key, value)?,
            None => {
                db.prepare_cached("DELETE FROM ferroflux_records WHERE key = ?1")?
                    .execute([&record.key])?;
            }
        }
    }
    Ok(())
}

/// Changes one value.
pub fn put(db: &Connection, key: &str, value: &[u8]) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT INTO ferroflux_records(key, value) VALUES(?1, ?2)
         ON CONFLICT(key) DO UPDATE SET value = excluded.value",
    )?
    .execute((key, sealed(key, value)))?;
    Ok(())
}
