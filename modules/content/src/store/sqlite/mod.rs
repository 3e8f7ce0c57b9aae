//! The store in one SQLite file. A batch is one transaction of SQLite.
//!
//! Read on in `schema.rs` (the tables and how the file is opened), then `blobs.rs`,
//! `checkpoints.rs` and `records.rs` (one file a table), `journal.rs`, `slots.rs` and
//! `texts.rs` (where commits go first), `collect.rs` (deleting), `log.rs` and `seals.rs` (how
//! damage is known) and `salvage/` (the rescue of a damaged file).

mod blobs;
mod checkpoints;
mod collect;
mod journal;
mod log;
mod records;
mod salvage;
mod schema;
mod seals;
mod slots;
mod texts;

use std::path::Path;

use bytes::Bytes;
use proto::Refusal;
use proto::config::Cache;
use proto::content::{Checkpoint, Commit, Record};
use proto::content_backing::{Config, GcState, Stats, Sweep, Swept};
use proto::data::BlobRef;
use proto::kvs::Summary;
use rusqlite::Connection;

use super::backing::{Backing, Batch, Upkeep, Writer};
use super::damage::Damage;
use super::failure::Failure;
use super::files_beside::beside;
use super::witness::{Acknowledged, Witness};
use crate::config::{Durability, FileSettings};
use crate::limits::{
    FOLDED_BYTES, FOLDED_TRANSACTIONS, JOURNAL_BYTES_MAX, JOURNAL_TRANSACTIONS_MAX, LOG_BYTES_IDLE,
    LOG_BYTES_MAX, SCANNED_BYTES_MAX,
};
use journal::{Journal, Loaded, Share};
use log::{Log, Reach};
use seals::State;

/// Bytes of the smallest page.
const FILE_BYTES_MIN: u64 = 512;

/// An open file.
#[derive(Debug)]
pub struct Sqlite {
    db: Connection,
    settings: FileSettings,
    journal: Journal,
    damage: Damage,
    witness: Option<Witness>,
    reach: Reach,
    /// The writer of the records, while there was no room to record it in the file.
    unsaved_writer: Option<String>,
    /// Id of the newest checkpoint, 0 without one; every blob stored is marked with it.
    epoch: i64,
    /// The epoch before the batch.
    epoch_before: i64,
    /// The batch asked for more than the settings do.
    is_power_safe: bool,
}

impl Sqlite {
    /// Opens the file and makes missing tables in it. A damaged file is replaced by a
    /// copy of its readable parts.
    pub fn open(settings: FileSettings) -> Result<Sqlite, Failure> {
        let mut damage = Damage::open(&settings.path);
        let told = match Witness::read(&settings.path) {
            Ok(told) => told.filter(|_| !settings.truncate),
            Err(failure) if failure.is_damage() => {
                let what = failure.what();
                damage.note(&format!("{what}: the newest transactions may be lost"));
                None
            }
            Err(failure) => return Err(failure),
        };
        let has_witness = told.is_some() || !damage.findings().is_empty();
        let why = match Sqlite::open_whole(&settings, told) {
            Ok(mut opened) => {
                if !has_witness && opened.state()? == State::Open {
                    let shown = settings.path.display();
                    damage.note(&format!(
                        "{shown}: its witness is missing: the newest transactions may be lost"
                    ));
                }
                opened.damage = damage;
                return opened.in_use(told);
            }
            Err(failure) if failure.is_damage() => failure,
            Err(failure) => return Err(failure),
        };
        salvage::salvage(&settings, &why, told, &mut damage)?;
        let mut opened = Sqlite::open_as_it_is(&settings, None)?;
        opened.damage = damage;
        opened.in_use(None)
    }

    /// Opens a file that has everything up to the state `told`.
    fn open_whole(settings: &FileSettings, told: Option<Acknowledged>) -> Result<Sqlite, Failure> {
        let damaged = |what: &str| Err(Failure::Damaged(what.to_owned()));
        let path = &settings.path;
        let page_bytes = Some(salvage::page_bytes_of(path));
        let end = told.and_then(|told| told.log);
        let log = Log::read(&beside(path, "-wal"), page_bytes, end)?;
        // Another tool may have copied it into the file and taken it away.
        if let Some(complaint) = log.complaint.filter(|_| !log.is_missing) {
            return Err(Failure::Damaged(complaint));
        }
        let bytes = std::fs::metadata(path).map_or(0, |found| found.len());
        if bytes < FILE_BYTES_MIN && !settings.truncate {
            // SQLite would begin a new one.
            if !log.frames.is_empty() {
                return damaged("it is empty, and its write-ahead log is not");
            } else if bytes > 0 || told.is_some_and(|told| told.number > 0) {
                return damaged("it was cut short");
            }
        }
        let opened = Sqlite::open_as_it_is(settings, told)?;
        let (last, number) = (opened.journal.last(), told.unwrap_or_default().number);
        if last < number {
            let text = format!("transactions {} to {number} are missing", last + 1);
            return Err(Failure::Damaged(text));
        }
        match salvage::reason(path, &opened.db) {
            Some(damage) => Err(damage),
            None => Ok(opened),
        }
    }

    fn open_as_it_is(
        settings: &FileSettings,
        told: Option<Acknowledged>,
    ) -> Result<Sqlite, Failure> {
        let is_new = told.is_none_or(|told| told.number == 0);
        let mut db = schema::open(settings, is_new)?;
        match seals::state(&db)? {
            State::Unknown if told.is_some_and(|told| told.number > 0) => {
                return Err(Failure::Damaged("records are missing".to_owned()));
            }
            State::Unknown => {
                db.execute_batch("BEGIN IMMEDIATE")?;
                seals::adopt(&db, State::Closed)?;
                db.execute_batch("COMMIT")?;
            }
            State::Open | State::Closed => seals::verify(&db)?,
        }
        let epoch = checkpoints::newest_id(&db)?;
        Ok(Sqlite {
            journal: Journal::read(&db)?,
            reach: Reach::of(&mut db, &settings.path)?,
            db,
            damage: Damage::open(&settings.path),
            witness: None,
            unsaved_writer: None,
            settings: settings.clone(),
            epoch,
            epoch_before: epoch,
            is_power_safe: false,
        })
    }

    fn state(&self) -> Result<State, Failure> {
        seals::state(&self.db)
    }

    /// From here on the main file records that there is a witness. Where there is no room
    /// for that, the existing data can still be read.
    fn in_use(mut self, told: Option<Acknowledged>) -> Result<Sqlite, Failure> {
        let marked = self.fold(Share::All).and_then(|()| {
            if self.state()? != State::Open {
                self.db.execute_batch("BEGIN IMMEDIATE")?;
                let set = seals::set_state(&self.db, State::Open);
                set.and_then(|()| Ok(self.db.execute_batch("COMMIT")?))?;
            }
            self.copy_log()
        });
        let mut now = Acknowledged {
            number: self.journal.last(),
            log: None,
        };
        if let Err(failure) = marked {
            self.undo();
            if !failure.may_pass() {
                return Err(failure);
            }
            tracing::error!("{}", failure.refusal(&self.settings.path));
            now.log = told.and_then(|told| told.log);
        }
        match Witness::open(&self.settings.path, now) {
            Ok(witness) => self.witness = Some(witness),
            Err(failure) if failure.may_pass() => {
                tracing::error!("{}", failure.refusal(&self.settings.path));
            }
            Err(failure) => return Err(failure),
        }
        Ok(self)
    }

    /// Copies the write-ahead log into the file, which has everything then.
    fn copy_log(&mut self) -> Result<(), Failure> {
        schema::copy_log(&self.db)?;
        self.reach.copied();
        self.notify_witness();
        Ok(())
    }

    /// Records the present state, before any client is answered. A witness that cannot be
    /// written knows less than it should, and that is all.
    fn notify_witness(&mut self) {
        let told = self.reach.end().map(|log| Acknowledged {
            number: self.journal.last(),
            log,
        });
        let Some(witness) = &mut self.witness else {
            return;
        };
        if let Err(failure) = told.and_then(|told| witness.record(told)) {
            tracing::error!("{}", failure.refusal(&self.settings.path));
        }
    }

    /// A blob that the index does not know. Requests for missing blobs are rare: then the
    /// index may be damaged.
    fn load_without_index(&mut self, name: &BlobRef) -> Loaded {
        let bytes = std::fs::metadata(&self.settings.path).map_or(0, |found| found.len());
        if bytes > SCANNED_BYTES_MAX {
            return Ok(None);
        }
        let loaded = blobs::load_without_index(&self.db, name)?;
        if loaded.is_some() {
            let shown = self.settings.path.display();
            self.damaged(&format!("{shown}: the index of blobs is damaged"));
        }
        Ok(loaded)
    }

    /// Moves the oldest transactions from the journal to their places.
    fn fold(&mut self, share: Share) -> Result<(), Failure> {
        let whole = Batch {
            writes: true,
            power_safe: false,
        };
        self.begin(whole)?;
        let folded = self.journal.fold(&self.db, share, self.epoch);
        let folded = folded.and_then(|()| self.commit_transaction());
        if folded.is_err() {
            self.undo();
        }
        folded
    }

    fn commit_transaction(&mut self) -> Result<(), Failure> {
        self.db.execute_batch("COMMIT")?;
        self.journal.end();
        self.notify_witness();
        Ok(())
    }

    /// True if the journal is long enough for a fold to be worth it.
    fn journal_is_long(&self) -> bool {
        let (transactions, bytes) = self.journal.size();
        transactions >= FOLDED_TRANSACTIONS || bytes >= FOLDED_BYTES
    }

    /// The next batch is as safe as the settings demand.
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
            self.db.execute_batch("BEGIN IMMEDIATE")?;
            if let Some(writer) = &self.unsaved_writer {
                self.journal.fold(&self.db, Share::All, self.epoch)?;
                records::open(&self.db, writer)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        if !self.db.is_autocommit() {
            self.journal.write(&self.db, self.epoch)?;
            self.journal.mark(&self.db)?;
            self.commit_transaction()?;
            self.unsaved_writer = None;
        }
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

    fn damage(&mut self) -> &mut Damage {
        &mut self.damage
    }

    fn damaged(&mut self, what: &str) {
        self.damage.note(what);
        salvage::want(&self.settings.path);
    }

    fn load(&mut self, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure> {
        match self.journal.load(&self.db, name)? {
            Some(loaded) => Ok(Some(loaded)),
            None => self.load_without_index(name),
        }
    }

    fn has(&mut self, name: &BlobRef) -> Result<bool, Failure> {
        let is_there = self.journal.has(name) || blobs::exists(&self.db, name)?;
        Ok(is_there || self.load_without_index(name)?.is_some())
    }

    fn store(&mut self, name: &BlobRef, blob: &[u8]) -> Result<(), Failure> {
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
        self.unsaved_writer = None;
        records::open(&self.db, writer)
    }

    fn open_records_unsaved(&mut self, writer: &str) -> Result<Vec<Record>, Failure> {
        self.journal.set_writer(Writer {
            uuid: writer.to_owned(),
            number: 0,
        });
        self.unsaved_writer = Some(writer.to_owned());
        Ok(self.journal.over(records::all(&self.db)?))
    }

    fn commit(&mut self, commit: &Commit) -> Result<Result<(), Refusal>, Failure> {
        if self.journal.size().0 >= 2 * JOURNAL_TRANSACTIONS_MAX {
            // Upkeep has failed so far: a request for more is told why.
            self.journal.fold(&self.db, Share::All, self.epoch)?;
        }
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
        // Blobs of the journal have the current epoch once they are in their place.
        self.journal.fold(&self.db, Share::All, self.epoch)?;
        self.journal.forget_texts();
        collect::sweep(&self.db, sweep)
    }

    fn upkeep_due(&self) -> Upkeep {
        let (transactions, bytes) = self.journal.size();
        let log_bytes = self.reach.log_bytes();
        let is_full = transactions >= JOURNAL_TRANSACTIONS_MAX || bytes >= JOURNAL_BYTES_MAX;
        if is_full || log_bytes >= LOG_BYTES_MAX {
            Upkeep::Now
        } else if self.journal_is_long() || log_bytes >= LOG_BYTES_IDLE {
            Upkeep::WhenIdle
        } else {
            Upkeep::Nothing
        }
    }

    fn upkeep(&mut self) -> Result<(), Failure> {
        if self.journal_is_long() {
            self.fold(Share::Some)?;
        }
        if self.reach.log_bytes() >= LOG_BYTES_IDLE {
            self.copy_log()?;
        }
        Ok(())
    }

    /// The main file has everything after this, and can go without a witness.
    fn close(&mut self) -> Result<(), Failure> {
        self.fold(Share::All)?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let closed = seals::set_state(&self.db, State::Closed);
        let closed = closed.and_then(|()| Ok(self.db.execute_batch("COMMIT")?));
        match closed {
            Ok(()) => self.copy_log(),
            Err(failure) => {
                self.undo();
                Err(failure)
            }
        }
    }

    fn shrink(&mut self) -> Result<bool, Failure> {
        collect::shrink(&self.db)
    }

    fn set_cache(&mut self, cache: Cache) -> Result<(), Failure> {
        self.journal.keep_texts(cache.texts);
        schema::set_page_cache(&self.db, cache.pages)
    }

    /// Pages that were changed and are not written yet stay.
    fn drop_cache(&mut self) -> Result<(), Failure> {
        self.journal.forget_texts();
        Ok(self.db.execute_batch("PRAGMA shrink_memory")?)
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
