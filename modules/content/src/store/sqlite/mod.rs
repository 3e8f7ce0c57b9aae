//! The store in one SQLite file. A batch is one transaction of SQLite.
//!
//! Read on in `schema.rs` (the tables and how the file is opened), then `blobs.rs`,
//! `checkpoints.rs` and `records.rs` (one file a table), and `collect.rs` (deleting).

mod blobs;
mod checkpoints;
mod collect;
mod records;
mod schema;

use std::path::Path;

use bytes::Bytes;
use proto::content::{Checkpoint, Commit, Record};
use proto::content_backing::{Config, GcState, Stats, Sweep, Swept};
use proto::data::BlobRef;
use proto::kvs::Summary;
use rusqlite::Connection;

use super::backing::{Backing, Batch};
use super::failure::Failure;
use crate::settings::FileSettings;

/// An open file.
#[derive(Debug)]
pub struct Sqlite {
    db: Connection,
    settings: FileSettings,
    /// Id of the newest checkpoint, 0 without one; every blob stored is marked with it.
    epoch: i64,
    /// The epoch before the batch.
    epoch_before: i64,
    /// The batch asked for more than the settings do.
    is_power_safe: bool,
}

impl Sqlite {
    /// Opens the file and makes what is missing in it.
    pub fn open(settings: FileSettings) -> Result<Sqlite, Failure> {
        let db = schema::open(&settings)?;
        let epoch = checkpoints::newest_id(&db)?;
        Ok(Sqlite {
            db,
            settings,
            epoch,
            epoch_before: epoch,
            is_power_safe: false,
        })
    }

    /// The next batch is as safe as the settings say.
    fn restore_synchronous(&mut self) {
        if std::mem::take(&mut self.is_power_safe)
            && let Err(failure) = schema::set_synchronous(&self.db, &self.settings.synchronous)
        {
            tracing::error!("{}", failure.refusal(&self.settings.path));
        }
    }
}

impl Backing for Sqlite {
    fn path(&self) -> &Path {
        &self.settings.path
    }

    fn begin(&mut self, batch: Batch) -> Result<(), Failure> {
        self.epoch_before = self.epoch;
        if batch.power_safe {
            self.is_power_safe = true;
            schema::set_synchronous(&self.db, "FULL")?;
        }
        if batch.writes {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        if !self.db.is_autocommit() {
            self.db.execute_batch("COMMIT")?;
        }
        self.restore_synchronous();
        Ok(())
    }

    /// SQLite has rolled back by itself after some errors and not after others.
    fn undo(&mut self) {
        self.epoch = self.epoch_before;
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!("{}: {error}", self.settings.path.display());
        }
        self.restore_synchronous();
    }

    fn load(&mut self, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure> {
        blobs::load(&self.db, name)
    }

    fn has(&mut self, name: &BlobRef) -> Result<bool, Failure> {
        blobs::exists(&self.db, name)
    }

    fn store(&mut self, name: &BlobRef, blob: &[u8]) -> Result<(), Failure> {
        blobs::store(&self.db, name.digest(), blob, self.epoch)
    }

    fn writer(&mut self) -> Result<Option<String>, Failure> {
        records::writer(&self.db)
    }

    fn open_records(&mut self, writer: &str) -> Result<Vec<Record>, Failure> {
        records::open(&self.db, writer)
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), Failure> {
        for (digest, blob) in &commit.blobs {
            blobs::store(&self.db, digest, blob, self.epoch)?;
        }
        records::write(&self.db, &commit.records)?;
        if let Some(checkpoint) = &commit.checkpoint {
            self.put_checkpoint(checkpoint)?;
        }
        Ok(())
    }

    fn checkpoints(&mut self) -> Result<Vec<Checkpoint>, Failure> {
        let kept = checkpoints::get(&self.db)?;
        Ok(kept.into_iter().map(|kept| kept.value).collect())
    }

    fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        let max = self.settings.checkpoints_max;
        self.epoch = checkpoints::put(&self.db, checkpoint, max)?;
        Ok(())
    }

    fn epoch(&mut self) -> i64 {
        self.epoch
    }

    fn gc_info(&mut self, count_below: Option<i64>) -> Result<GcState, Failure> {
        Ok(GcState {
            current_epoch: self.epoch,
            high_water: collect::high_water(&self.db)?,
            candidates: match count_below {
                Some(epoch) => Some(collect::count_below(&self.db, epoch)?),
                None => None,
            },
        })
    }

    fn mark(&mut self, epoch: i64, names: &[BlobRef]) -> Result<i64, Failure> {
        collect::mark(&self.db, epoch, names)
    }

    fn sweep(&mut self, sweep: &Sweep) -> Result<Swept, Failure> {
        collect::sweep(&self.db, sweep)
    }

    fn shrink(&mut self) -> Result<bool, Failure> {
        collect::shrink(&self.db)
    }

    fn stats(&mut self) -> Result<Stats, Failure> {
        let page_size = schema::number(&self.db, "page_size")?;
        Ok(Stats {
            object_count: blobs::count(&self.db)?,
            current_epoch: self.epoch,
            dbfile_size: page_size * schema::number(&self.db, "page_count")?,
            dbfile_free: page_size * schema::number(&self.db, "freelist_count")?,
            load_time: Summary::default(),
            store_time: Summary::default(),
            config: Config {
                journal_mode: self.settings.journal_mode.clone(),
                synchronous: self.settings.synchronous.clone(),
            },
            checkpoints: checkpoints::get(&self.db)?,
        })
    }
}

#[cfg(test)]
mod tests;
