//! Table `objects`: blobs by digest. From 256 bytes on they are compressed: one LZ4
//! block, with the length of the blob in `size`. Others have `size` -1.

use bytes::Bytes;
use proto::data::BlobRef;
use rusqlite::{Connection, OptionalExtension};

use crate::limits::COMPRESS_BYTES_MIN;
use crate::store::failure::Failure;

/// `size` of a blob that is not compressed.
const NOT_COMPRESSED: i64 = -1;

/// A blob, or the reason for which it is unreadable. `None` when it is not there.
pub fn load(db: &Connection, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure> {
    load_by(db, name, "SELECT size, object FROM objects WHERE hash = ?1")
}

/// The same by looking at every row.
pub fn load_without_index(
    db: &Connection,
    name: &BlobRef,
) -> Result<Option<Result<Bytes, String>>, Failure> {
    let select = "SELECT size, object FROM objects NOT INDEXED WHERE hash = ?1";
    load_by(db, name, select)
}

fn load_by(
    db: &Connection,
    name: &BlobRef,
    select: &str,
) -> Result<Option<Result<Bytes, String>>, Failure> {
    let mut select = db.prepare_cached(select)?;
    let row = select.query_row([name.digest()], |row| {
        let size: i64 = row.get(0)?;
        // A blob of no bytes may come back as NULL.
        let object: Option<Vec<u8>> = row.get(1)?;
        Ok((size, object.unwrap_or_default()))
    });
    let found = row.optional()?;
    Ok(found.map(|(size, object)| unpack(name, size, object)))
}

/// True if a blob is stored.
pub fn exists(db: &Connection, name: &BlobRef) -> Result<bool, Failure> {
    let mut select = db.prepare_cached("SELECT 1 FROM objects WHERE hash = ?1")?;
    Ok(select.exists([name.digest()])?)
}

/// Number of blobs.
pub fn count(db: &Connection) -> Result<i64, Failure> {
    Ok(db.query_row("SELECT count(*) FROM objects", [], |row| row.get(0))?)
}

/// Writes a blob; one that is there already is only marked with the epoch, so that a
/// collection that is under way keeps it.
pub fn store(db: &Connection, digest: &[u8], blob: &[u8], epoch: i64) -> Result<(), Failure> {
    let packed = pack(blob);
    let (size, object) = match &packed {
        Some(packed) => (blob.len() as i64, packed.as_slice()),
        None => (NOT_COMPRESSED, blob),
    };
    let mut insert = db.prepare_cached(
        "INSERT INTO objects(hash, size, object, epoch) VALUES(?1, ?2, ?3, ?4)
         ON CONFLICT(hash) DO UPDATE SET epoch = excluded.epoch WHERE epoch < excluded.epoch",
    )?;
    insert.execute((digest, size, object, epoch))?;
    Ok(())
}

/// The compressed form, where that is worth it.
fn pack(blob: &[u8]) -> Option<Vec<u8>> {
    if blob.len() < COMPRESS_BYTES_MIN {
        return None;
    }
    let packed = lz4_flex::block::compress(blob);
    (packed.len() < blob.len()).then_some(packed)
}

/// A blob as it is, from its row.
pub fn unpack(name: &BlobRef, size: i64, object: Vec<u8>) -> Result<Bytes, String> {
    let blob = match usize::try_from(size) {
        // LZ4 makes at most 255 bytes of one: a larger size is damage, not a reservation.
        Ok(size) if size / 255 > object.len() => return Err("impossible size".to_owned()),
        Ok(size) => {
            let mut blob = vec![0; size];
            let len = lz4_flex::block::decompress_into(&object, &mut blob)
                .map_err(|error| error.to_string())?;
            blob.truncate(len);
            blob
        }
        Err(_) => object,
    };
    match BlobRef::of(name.kind(), &blob) == *name {
        true => Ok(blob.into()),
        false => Err("it has another hash".to_owned()),
    }
}
