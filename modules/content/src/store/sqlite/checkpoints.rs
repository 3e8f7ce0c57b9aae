//! Table `checkpt_v2`: the newest checkpoints as JSON. The id of the newest is the epoch
//! of every blob stored after it.

use proto::content::Checkpoint;
use proto::content_backing::KeptCheckpoint;
use rusqlite::Connection;

use super::seals;
use crate::store::failure::Failure;

/// Id of the newest checkpoint, 0 without one.
pub fn newest_id(db: &Connection) -> Result<i64, Failure> {
    let newest = "SELECT coalesce(max(id), 0) FROM checkpt_v2";
    Ok(db.query_row(newest, [], |row| row.get(0))?)
}

/// The checkpoints, newest first. One that cannot be read is left out.
pub fn get(db: &Connection) -> Result<Vec<KeptCheckpoint>, Failure> {
    let mut select = db.prepare_cached("SELECT id, value FROM checkpt_v2 ORDER BY id DESC")?;
    let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    let mut checkpoints = Vec::new();
    for row in rows {
        let (id, value): (i64, String) = row?;
        match serde_json::from_str(&value) {
            Ok(value) => checkpoints.push(KeptCheckpoint { id, value }),
            Err(error) => tracing::error!("checkpoint {id} is left out: {error}"),
        }
    }
    Ok(checkpoints)
}

/// Adds a checkpoint, deletes those beyond `max`, and gives the new epoch.
pub fn put(db: &Connection, checkpoint: &Checkpoint, max: usize) -> Result<i64, Failure> {
    let value = serde_json::to_string(checkpoint)
        .map_err(|error| Failure::Damaged(format!("checkpoint: {error}")))?;
    db.prepare_cached("INSERT INTO checkpt_v2(value) VALUES(?1)")?
        .execute([value])?;
    let epoch = db.last_insert_rowid();
    db.prepare_cached(
        "DELETE FROM checkpt_v2 WHERE id NOT IN
         (SELECT id FROM checkpt_v2 ORDER BY id DESC LIMIT ?1)",
    )?
    .execute([max as i64])?;
    seals::note_checkpoints(db)?;
    seals::seal(db)?;
    tracing::debug!("checkpoint-put: advanced epoch to {epoch}");
    Ok(epoch)
}
