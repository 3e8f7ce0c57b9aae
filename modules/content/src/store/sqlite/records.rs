//! Table `ferroflux_records`: what the kvs keeps beside the blobs. It has one writer at a
//! time, the one that opened it last, so that what a killed predecessor had sent can not
//! undo what its successor has done.

use proto::content::Record;
use rusqlite::{Connection, OptionalExtension};

use crate::store::backing::Writer;
use crate::store::failure::Failure;

/// Key of the row with the writer's UUID. What begins with a dot is not a record.
const WRITER: &str = ".writer";

/// Key of the row with the number of the writer's last commit.
const NUMBER: &str = ".number";

/// Key of the row with the newest transaction of the journal that was folded.
const FOLDED: &str = ".folded";

/// Makes `writer` the writer and gives all records by key.
pub fn open(db: &Connection, writer: &str) -> Result<Vec<Record>, Failure> {
    put(db, WRITER, writer.as_bytes())?;
    set_number(db, 0)?;
    all(db)
}

/// All records by key.
pub fn all(db: &Connection) -> Result<Vec<Record>, Failure> {
    let mut select = db.prepare_cached(
        "SELECT key, value FROM ferroflux_records WHERE key NOT LIKE '.%' ORDER BY key",
    )?;
    let rows = select.query_map([], |row| {
        let value: Option<Vec<u8>> = row.get(1)?;
        Ok(Record {
            key: row.get(0)?,
            value: Some(value.unwrap_or_default().into()),
        })
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// One record.
pub fn one(db: &Connection, key: &str) -> Result<Option<Record>, Failure> {
    let mut select = db.prepare_cached("SELECT value FROM ferroflux_records WHERE key = ?1")?;
    let value = select.query_row([key], |row| row.get::<_, Option<Vec<u8>>>(0));
    Ok(value.optional()?.map(|value| Record {
        key: key.to_owned(),
        value: Some(value.unwrap_or_default().into()),
    }))
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

/// Says which commit of the writer was the last.
pub fn set_number(db: &Connection, number: u64) -> Result<(), Failure> {
    put(db, NUMBER, number.to_string().as_bytes())
}

/// The newest transaction of the journal that was folded.
pub fn folded(db: &Connection) -> Result<u64, Failure> {
    let folded = text(db, FOLDED)?;
    Ok(folded.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Says which one it is.
pub fn set_folded(db: &Connection, number: u64) -> Result<(), Failure> {
    put(db, FOLDED, number.to_string().as_bytes())
}

fn text(db: &Connection, key: &str) -> Result<Option<String>, Failure> {
    let mut select = db.prepare_cached("SELECT value FROM ferroflux_records WHERE key = ?1")?;
    let value = select.query_row([key], |row| row.get::<_, Vec<u8>>(0));
    let value = value.optional()?;
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

fn put(db: &Connection, key: &str, value: &[u8]) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT INTO ferroflux_records(key, value) VALUES(?1, ?2)
         ON CONFLICT(key) DO UPDATE SET value = excluded.value",
    )?
    .execute((key, value))?;
    Ok(())
}
