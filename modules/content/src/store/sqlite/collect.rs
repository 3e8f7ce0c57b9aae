//! Marking and deleting blobs (doc/garbage-collection.md), closing the gaps that they leave, and
//! giving free pages back.
//!
//! Row numbers only mark the progress of a sweep. The epoch protects blobs stored since.

use proto::content_backing::{Sweep, Swept};
use proto::data::BlobRef;
use rusqlite::Connection;

use super::schema;
use crate::limits::{MOVED_BLOB_BYTES_MAX, MOVED_PER_DELETED, SHRINK_PAGES};
use crate::store::failure::Failure;

/// The largest row number in use, 0 without blobs.
pub fn high_water(db: &Connection) -> Result<i64, Failure> {
    let highest = "SELECT coalesce(max(rowid), 0) FROM objects";
    Ok(db.query_row(highest, [], |row| row.get(0))?)
}

/// Number of blobs, with rows after one and up to another, of a lower epoch.
pub fn count_below(db: &Connection, epoch: i64, after: i64, end: i64) -> Result<i64, Failure> {
    let count = "SELECT count(*) FROM objects WHERE rowid > ?1 AND rowid <= ?2 AND epoch < ?3";
    let mut select = db.prepare_cached(count)?;
    Ok(select.query_row((after, end, epoch), |row| row.get(0))?)
}

/// Raises the epoch of blobs, and returns the number of those with a lower one.
pub fn mark(db: &Connection, epoch: i64, names: &[BlobRef]) -> Result<i64, Failure> {
    let mut update =
        db.prepare_cached("UPDATE objects SET epoch = ?1 WHERE hash = ?2 AND epoch < ?1")?;
    let mut marked = 0;
    for name in names {
        marked += update.execute((epoch, name.digest()))? as i64;
    }
    Ok(marked)
}

/// Deletes blobs of a lower epoch.
pub fn sweep(db: &Connection, sweep: &Sweep) -> Result<Swept, Failure> {
    let window_end = sweep.cursor.saturating_add(sweep.window);
    let end = window_end.min(sweep.high_water);
    let mut delete = db.prepare_cached(
        "DELETE FROM objects WHERE rowid IN
         (SELECT rowid FROM objects WHERE rowid > ?1 AND rowid <= ?2 AND epoch < ?3
          ORDER BY rowid LIMIT ?4) RETURNING rowid",
    )?;
    let args = (sweep.cursor, end, sweep.epoch, sweep.delete_cap);
    let rows = delete.query_map(args, |row| row.get::<_, i64>(0))?;
    let (mut deleted, mut last) = (0, sweep.cursor);
    for row in rows {
        deleted += 1;
        last = last.max(row?);
    }
    let cursor = match deleted < sweep.delete_cap {
        true => end.max(sweep.cursor),
        false => last,
    };
    close_gaps(db, sweep.cursor, cursor, deleted)?;
    Ok(Swept { deleted, cursor })
}

/// Moves the blobs that are left among rows of which a good part was deleted, to behind all others:
/// pages become free whole, and the remaining blobs stand close together. SQLite by itself leaves
/// pages until two thirds of them are empty. No sweep that is under way is to look at them again:
/// they are marked.
fn close_gaps(db: &Connection, after: i64, end: i64, deleted: i64) -> Result<(), Failure> {
    let mut select = db.prepare_cached(
        "SELECT rowid FROM objects WHERE rowid > ?1 AND rowid <= ?2 AND length(object) <= ?3
         ORDER BY rowid LIMIT ?4",
    )?;
    let most = deleted * MOVED_PER_DELETED;
    let args = (after, end, MOVED_BLOB_BYTES_MAX, most + 1);
    let rows = select.query_map(args, |row| row.get(0))?;
    let kept: Vec<i64> = rows.collect::<Result<_, _>>()?;
    if kept.len() as i64 > most {
        return Ok(());
    }
    let last = high_water(db)?;
    let mut update = db.prepare_cached("UPDATE objects SET rowid = ?1 WHERE rowid = ?2")?;
    for (row, to) in kept.iter().zip(last + 1..) {
        update.execute((to, row))?;
    }
    Ok(())
}

/// Moves some pages from the end of the file into free ones, so that it gets shorter when
/// the log is copied into it. Returns true if there are more. Files that were made
/// without `auto_vacuum` stay as long as they are.
pub fn shrink(db: &Connection) -> Result<bool, Failure> {
    let before = schema::number(db, "freelist_count")?;
    let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({SHRINK_PAGES})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    let after = schema::number(db, "freelist_count")?;
    Ok(after > 0 && after < before)
}
