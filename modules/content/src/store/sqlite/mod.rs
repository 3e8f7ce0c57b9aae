//! The store in one SQLite file. A batch is one transaction of SQLite.
//!
//! Read on in `schema.rs` (the tables and how the file is opened), then `blobs.rs`,
//! `checkpoints.rs` and `records.rs` (one file a table).

mod blobs;
mod checkpoints;
mod records;
mod schema;

use std::path::Path;

use bytes::Bytes;
use proto::content::{Checkpoint, Commit, Record};
use proto::data::BlobRef;
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
        checkpoints::get(&self.db)
    }

    fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        let max = self.settings.checkpoints_max;
        self.epoch = checkpoints::put(&self.db, checkpoint, max)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
