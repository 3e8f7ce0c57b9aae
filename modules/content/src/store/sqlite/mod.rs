//! The store in one SQLite file. A batch is one transaction of SQLite.
//!
//! Read on in `schema.rs` (the tables and how the file is opened), then `blobs.rs`,
//! `checkpoints.rs` and `records.rs` (one file a table), `journal.rs`, `slots.rs` and
//! `texts.rs` (where commits go first), `collect.rs` (deleting) and `salvage/` (what becomes of a damaged file).

mod blobs;
mod checkpoints;
mod collect;
mod journal;
mod records;
mod salvage;
mod schema;
mod slots;
mod texts;

use std::path::Path;

use bytes::Bytes;
use proto::Refusal;
use proto::content::{Checkpoint, Commit, Record};
use proto::content_backing::{Config, GcState, Stats, Sweep, Swept};
use proto::data::BlobRef;
use proto::kvs::Summary;
use rusqlite::Connection;

use super::backing::{Backing, Batch, Upkeep, Writer};
use super::failure::Failure;
use crate::limits::{
    FOLDED_BYTES, FOLDED_TRANSACTIONS, JOURNAL_BYTES_MAX, JOURNAL_TRANSACTIONS_MAX,
    LOG_BYTES_A_TRANSACTION, LOG_BYTES_MAX,
};
use crate::settings::{Durability, FileSettings};
use journal::{Journal, Share};

/// An open file.
#[derive(Debug)]
pub struct Sqlite {
    db: Connection,
    settings: FileSettings,
    journal: Journal,
    /// About how many bytes were written since the write-ahead log was copied into the
    /// file.
    log_bytes: usize,
    /// Id of the newest checkpoint, 0 without one; every blob stored is marked with it.
    epoch: i64,
    /// The epoch before the batch.
    epoch_before: i64,
    /// The batch asked for more than the settings do.
    is_power_safe: bool,
}

impl Sqlite {
    /// Opens the file and makes what is missing in it. One that is damaged is replaced by
    /// what can be read of it.
    pub fn open(settings: FileSettings) -> Result<Sqlite, Failure> {
        let damage = match Sqlite::open_as_it_is(&settings) {
            Ok(opened) => match salvage::reason(&settings.path, &opened.db) {
                Some(damage) => damage,
                None => return Ok(opened),
            },
            Err(failure) if failure.is_damage() => failure,
            Err(failure) => return Err(failure),
        };
        salvage::salvage(&settings, &damage)?;
        Sqlite::open_as_it_is(&settings)
    }

    fn open_as_it_is(settings: &FileSettings) -> Result<Sqlite, Failure> {
        let db = schema::open(settings)?;
        let epoch = checkpoints::newest_id(&db)?;
        let journal = Journal::read(&db)?;
        let mut opened = Sqlite {
            db,
            settings: settings.clone(),
            journal,
            log_bytes: 0,
            epoch,
            epoch_before: epoch,
            is_power_safe: false,
        };
        opened.fold(Share::All)?;
        Ok(opened)
    }

    /// Moves the oldest transactions from the journal to their places.
    fn fold(&mut self, share: Share) -> Result<(), Failure> {
        let whole = Batch {
            writes: true,
            power_safe: false,
        };
        self.begin(whole)?;
        let folded = self.journal.fold(&self.db, share, self.epoch);
        let folded = folded.and_then(|()| self.end());
        if folded.is_err() {
            self.undo();
        }
        folded
    }

    /// Whether there is enough for a fold to be worth it.
    fn journal_is_long(&self) -> bool {
        let (transactions, bytes) = self.journal.size();
        transactions >= FOLDED_TRANSACTIONS || bytes >= FOLDED_BYTES
    }

    /// The next batch is as safe as the settings say.
    fn restore_synchronous(&mut self) {
        if std::mem::take(&mut self.is_power_safe)
            && let Err(failure) = schema::set_synchronous(&self.db, self.settings.synchronous())
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
        self.journal.begin();
        if batch.writes {
            self.log_bytes += LOG_BYTES_A_TRANSACTION;
            self.db.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        if !self.db.is_autocommit() {
            self.journal.write(&self.db, self.epoch)?;
            self.db.execute_batch("COMMIT")?;
        }
        self.journal.end();
        self.restore_synchronous();
        Ok(())
    }

    /// SQLite has rolled back by itself after some errors and not after others.
    fn undo(&mut self) {
        self.epoch = self.epoch_before;
        self.journal.undo();
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!("{}: {error}", self.settings.path.display());
        }
        self.restore_synchronous();
    }

    fn damaged(&mut self) {
        salvage::want(&self.settings.path);
    }

    fn load(&mut self, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure> {
        self.journal.load(&self.db, name)
    }

    fn has(&mut self, name: &BlobRef) -> Result<bool, Failure> {
        Ok(self.journal.has(name) || blobs::exists(&self.db, name)?)
    }

    fn store(&mut self, name: &BlobRef, blob: &[u8]) -> Result<(), Failure> {
        self.log_bytes += blob.len();
        blobs::store(&self.db, name.digest(), blob, self.epoch)
    }

    fn writer(&mut self) -> Result<Option<Writer>, Failure> {
        Ok(self.journal.writer().cloned())
    }

    fn open_records(&mut self, writer: &str) -> Result<Vec<Record>, Failure> {
        self.journal.fold(&self.db, Share::All, self.epoch)?;
        self.journal.set_writer(Writer {
            uuid: writer.to_owned(),
            number: 0,
        });
        records::open(&self.db, writer)
    }

    fn commit(&mut self, commit: &Commit) -> Result<Result<(), Refusal>, Failure> {
        if self.journal.size().0 >= 2 * JOURNAL_TRANSACTIONS_MAX {
            // Upkeep has failed so far: whoever asks for more is told why.
            self.journal.fold(&self.db, Share::All, self.epoch)?;
        }
        let blobs = commit.blobs.iter().map(|(_, blob)| blob.len());
        self.log_bytes += blobs.sum::<usize>();
        if let Err(refusal) = self.journal.add(&self.db, commit, self.epoch)? {
            return Ok(Err(refusal));
        }
        if let Some(checkpoint) = &commit.checkpoint {
            self.put_checkpoint(checkpoint)?;
        }
        Ok(Ok(()))
    }

    fn checkpoints(&mut self) -> Result<Vec<Checkpoint>, Failure> {
        let kept = checkpoints::get(&self.db)?;
        Ok(kept.into_iter().map(|kept| kept.value).collect())
    }

    fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        self.journal.fold(&self.db, Share::All, self.epoch)?;
        let max = self.settings.checkpoints_max;
        self.epoch = checkpoints::put(&self.db, checkpoint, max)?;
        Ok(())
    }

    fn epoch(&mut self) -> i64 {
        self.epoch
    }

    fn gc_info(&mut self) -> Result<GcState, Failure> {
        Ok(GcState {
            current_epoch: self.epoch,
            high_water: collect::high_water(&self.db)?,
            candidates: None,
        })
    }

    fn count_below(&mut self, epoch: i64, after: i64, end: i64) -> Result<i64, Failure> {
        collect::count_below(&self.db, epoch, after, end)
    }

    fn mark(&mut self, epoch: i64, names: &[BlobRef]) -> Result<i64, Failure> {
        collect::mark(&self.db, epoch, names)
    }

    fn sweep(&mut self, sweep: &Sweep) -> Result<Swept, Failure> {
        // What the journal holds has the current epoch once it is in its place.
        self.journal.fold(&self.db, Share::All, self.epoch)?;
        self.journal.forget_texts();
        collect::sweep(&self.db, sweep)
    }

    fn upkeep_due(&self) -> Upkeep {
        let (transactions, bytes) = self.journal.size();
        let most = [
            (transactions, JOURNAL_TRANSACTIONS_MAX),
            (bytes, JOURNAL_BYTES_MAX),
            (self.log_bytes, LOG_BYTES_MAX),
        ];
        if most.iter().any(|(have, max)| have >= max) {
            Upkeep::Now
        } else if self.journal_is_long() || self.log_bytes >= LOG_BYTES_MAX / 2 {
            Upkeep::WhenIdle
        } else {
            Upkeep::Nothing
        }
    }

    fn upkeep(&mut self) -> Result<(), Failure> {
        if self.journal_is_long() {
            let (_, before) = self.journal.size();
            self.fold(Share::Some)?;
            // Compressed they are less, with their index more.
            self.log_bytes += before - self.journal.size().1;
        }
        if self.log_bytes >= LOG_BYTES_MAX / 2 {
            schema::copy_log(&self.db)?;
            self.log_bytes = 0;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.fold(Share::All)
    }

    fn shrink(&mut self) -> Result<bool, Failure> {
        collect::shrink(&self.db)
    }

    fn set_durability(&mut self, durability: Durability) -> Result<(), Failure> {
        self.settings.durability = durability;
        schema::set_synchronous(&self.db, self.settings.synchronous())
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
                synchronous: self.settings.synchronous().to_owned(),
            },
            checkpoints: checkpoints::get(&self.db)?,
        })
    }
}

#[cfg(test)]
mod tests;
