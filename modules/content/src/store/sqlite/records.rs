//! Table `ferroflux_records`: what the kvs keeps beside the blobs. It has one writer at a
//! time, the one that opened it last, so that what a killed predecessor had sent can not
//! undo what its successor has done.

use proto::content::Record;
use rusqlite::{Connection, OptionalExtension};

use crate::store::failure::Failure;

/// Key of the row with the writer's UUID, which is not a record.
const WRITER: &str = ".writer";

/// Makes `writer` the writer and gives all records by key.
pub fn open(db: &Connection, writer: &str) -> Result<Vec<Record>, Failure> {
    put(db, WRITER, writer.as_bytes())?;
    let mut select =
        db.prepare_cached("SELECT key, value FROM ferroflux_records WHERE key != ?1 ORDER BY key")?;
    let rows = select.query_map([WRITER], |row| {
        let value: Option<Vec<u8>> = row.get(1)?;
        Ok(Record {
            key: row.get(0)?,
            value: Some(value.unwrap_or_default().into()),
        })
    })?;
    rows.map(|row| Ok(row?)).collect()
}

/// The writer's UUID.
pub fn writer(db: &Connection) -> Result<Option<String>, Failure> {
    let mut select = db.prepare_cached("SELECT value FROM ferroflux_records WHERE key = ?1")?;
    let writer = select.query_row([WRITER], |row| row.get::<_, Vec<u8>>(0));
    let writer = writer.optional()?;
    Ok(writer.and_then(|writer| String::from_utf8(writer).ok()))
}

/// Changes records.
pub fn write(db: &Connection, records: &[Record]) -> Result<(), Failure> {
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
