//! The store in a folder: a file for each blob, and one with records and checkpoints.
//!
//! A blob is written under a temporary name and then renamed, so that a name is never that
//! of half a blob. Blobs of a batch come first; the batch is there once its line is in the
//! journal. A process that is killed in between leaves blobs that nobody refers to.
//!
//! Read on in `blobs.rs` (the blobs), `state.rs` (records and checkpoints), `journal.rs`
//! (their file) and `collect.rs` (deleting).
#![allow(clippy::disallowed_types, reason = "this is where files are kept")]

mod blobs;
mod collect;
mod journal;
mod state;

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proto::content::{Checkpoint, Commit, Record};
use proto::content_backing::{Config, GcState, KeptCheckpoint, Stats, Sweep, Swept};
use proto::data::BlobRef;
use proto::kvs::Summary;
use proto::{Errno, Refusal};

use super::backing::{Backing, Batch, Writer};
use super::damage::Damage;
use super::failure::Failure;
use super::witness::{Acknowledged, Witness};
use crate::config::{Durability, FileSettings};
use crate::limits::{FILE_BUSY_MS, FILE_BUSY_STEP_MS};
use blobs::{Blobs, Place};
use journal::Journal;
use state::{Line, State};

/// Held while the store is open, so that there is no second service.
const LOCK: &str = "lock";

/// An open folder.
#[derive(Debug)]
pub struct Files {
    settings: FileSettings,
    blobs: Blobs,
    journal: Journal,
    /// State of the journal, with the changes of the batch since.
    state: State,
    /// Changes of the batch.
    line: Line,
    /// Files that the batch has made.
    made: Vec<PathBuf>,
    batch: Batch,
    /// Where the blobs of a collection are, sorted; kept from one sweep to the next.
    places: Vec<Place>,
    damage: Damage,
    witness: Witness,
    /// The writer of the records, while there was no room to record it in the file.
    unsaved_writer: Option<String>,
    _lock: File,
}

impl Files {
    /// Opens the folder and makes missing files and folders in it.
    pub fn open(settings: FileSettings) -> Result<Files, Failure> {
        let path = &settings.path;
        match std::fs::create_dir(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Failure::Io(error));
            }
            _ => {}
        }
        let lock = lock(&path.join(LOCK))?;
        let blobs = Blobs::open(path)?;
        if settings.truncate {
            blobs.delete_all()?;
            Journal::delete(path)?;
        }
        let mut damage = Damage::open(path);
        let told = match Witness::read(path) {
            Ok(told) => told.filter(|_| !settings.truncate),
            Err(failure) if failure.is_damage() => {
                damage.note(&format!(
                    "{}: the newest changes may be lost",
                    failure.what()
                ));
                Some(Acknowledged::default())
            }
            Err(failure) => return Err(failure),
        };
        let number = told.map(|told| told.number);
        let max = settings.checkpoints_max;
        let (journal, state) = Journal::open(path, max, number, &mut damage)?;
        let told = Acknowledged {
            number: state.number,
            log: None,
        };
        let witness = Witness::open(path, told)?;
        if settings.durability == Durability::Power {
            // A predecessor may have asked for less.
            blobs.make_last(&[], true)?;
        }
        Ok(Files {
            blobs,
            journal,
            state,
            line: Line::default(),
            made: Vec::new(),
            batch: Batch {
                writes: false,
                power_safe: false,
            },
            places: Vec::new(),
            damage,
            witness,
            unsaved_writer: None,
            settings,
            _lock: lock,
        })
    }

    fn change_record(&mut self, key: &str, value: Option<&[u8]>) {
        self.line
            .records
            .insert(key.to_owned(), self.state.change(key, value));
    }

    /// True if this batch must survive a power failure.
    fn is_power_safe(&self) -> bool {
        self.batch.power_safe || self.settings.durability == Durability::Power
    }
}

impl Backing for Files {
    fn path(&self) -> &Path {
        &self.settings.path
    }

    fn begin(&mut self, batch: Batch) -> Result<(), Failure> {
        self.batch = batch;
        if batch.writes
            && let Some(writer) = self.unsaved_writer.clone()
        {
            self.open_records(&writer)?;
        }
        Ok(())
    }

    /// The blobs are there; now the line that records them.
    fn end(&mut self) -> Result<(), Failure> {
        let is_power_safe = self.is_power_safe();
        if is_power_safe && self.batch.writes {
            // A checkpoint refers to blobs of batches that were not made to last.
            let all = self.settings.durability == Durability::Process;
            self.blobs.make_last(&self.made, all)?;
        }
        if !self.line.is_empty() {
            let number = self.state.number + 1;
            self.line.number = number;
            let text = self.line.text()?;
            self.journal.append(&text, is_power_safe)?;
            self.state.number = number;
            if let Err(failure) = self.witness.record(Acknowledged { number, log: None }) {
                tracing::error!("{}", failure.refusal(self.path()));
            }
            self.journal.compact_if_long(&self.state, is_power_safe);
        }
        if self.batch.writes {
            self.unsaved_writer = None;
        }
        self.line = Line::default();
        self.made.clear();
        self.state.settle();
        Ok(())
    }

    fn undo(&mut self) {
        self.line = Line::default();
        self.state.undo();
        self.journal.undo();
        for path in self.made.drain(..) {
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::error!("{}: {error}", path.display());
            }
        }
    }

    fn damage(&mut self) -> &mut Damage {
        &mut self.damage
    }

    fn load(&mut self, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure> {
        self.blobs.load(name)
    }

    fn has(&mut self, name: &BlobRef) -> Result<bool, Failure> {
        self.blobs.has(name)
    }

    fn store(&mut self, name: &BlobRef, blob: &[u8]) -> Result<(), Failure> {
        let made = self.blobs.store(name, blob, self.state.epoch())?;
        self.made.extend(made);
        Ok(())
    }

    fn writer(&mut self) -> Result<Option<Writer>, Failure> {
        Ok(self.state.writer())
    }

    fn open_records(&mut self, writer: &str) -> Result<Vec<Record>, Failure> {
        self.change_record(state::WRITER, Some(writer.as_bytes()));
        self.change_record(state::NUMBER, Some(b"0"));
        Ok(self.state.records())
    }

    fn open_records_unsaved(&mut self, writer: &str) -> Result<Vec<Record>, Failure> {
        self.unsaved_writer = Some(writer.to_owned());
        Ok(self.state.records())
    }

    fn commit(&mut self, commit: &Commit) -> Result<Result<(), Refusal>, Failure> {
        for (digest, blob) in &commit.blobs {
            let name = BlobRef::from_digest(digest)
                .map_err(|error| Failure::Damaged(format!("digest of a commit: {error}")))?;
            self.store(&name, blob)?;
        }
        for edit in &commit.edits {
            let [name, base] = [&edit.digest, &edit.base].map(|digest| {
                BlobRef::from_digest(digest)
                    .map_err(|error| Failure::Damaged(format!("digest of a commit: {error}")))
            });
            let (name, base) = (name?, base?);
            let blob = self.blobs.load(&base)?.and_then(Result::ok);
            let Some(blob) = blob.and_then(|blob| edit.apply(&blob)) else {
                let text = format!("blob {base} is missing or damaged, and {name} is based on it");
                return Ok(Err(Refusal::new(Errno::ENOENT, text)));
            };
            self.store(&name, &blob)?;
        }
        for record in &commit.records {
            self.change_record(&record.key, record.value.as_deref());
        }
        self.change_record(state::NUMBER, Some(commit.number.to_string().as_bytes()));
        if let Some(checkpoint) = &commit.checkpoint {
            self.put_checkpoint(checkpoint)?;
        }
        Ok(Ok(()))
    }

    fn checkpoints(&mut self) -> Result<Vec<Checkpoint>, Failure> {
        let newest_first = self.state.checkpoints().iter().rev();
        Ok(newest_first.map(|kept| kept.value.clone()).collect())
    }

    fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        let kept = KeptCheckpoint {
            id: self.state.epoch() + 1,
            value: checkpoint.clone(),
        };
        tracing::debug!("checkpoint-put: advanced epoch to {}", kept.id);
        self.line.checkpoints.push(kept.clone());
        self.state
            .add_checkpoint(kept, self.settings.checkpoints_max);
        Ok(())
    }

    fn epoch(&mut self) -> i64 {
        self.state.epoch()
    }

    fn gc_info(&mut self) -> Result<GcState, Failure> {
        Ok(GcState {
            current_epoch: self.state.epoch(),
            high_water: collect::HIGH_WATER,
            candidates: None,
        })
    }

    fn count_below(&mut self, epoch: i64, after: i64, end: i64) -> Result<i64, Failure> {
        collect::count_below(&self.blobs, &mut self.places, epoch, (after, end))
    }

    fn mark(&mut self, epoch: i64, names: &[BlobRef]) -> Result<i64, Failure> {
        collect::mark(&self.blobs, epoch, names)
    }

    fn sweep(&mut self, sweep: &Sweep) -> Result<Swept, Failure> {
        let current = self.state.epoch();
        collect::sweep(&self.blobs, &mut self.places, sweep, current)
    }

    /// A deleted file takes no space.
    fn shrink(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Data written after a change to safety refer to data written before it.
    fn set_durability(&mut self, durability: Durability) -> Result<(), Failure> {
        if durability == Durability::Power {
            self.blobs.make_last(&[], true)?;
        }
        self.settings.durability = durability;
        Ok(())
    }

    fn stats(&mut self) -> Result<Stats, Failure> {
        let (object_count, bytes) = self.blobs.count()?;
        let synchronous = match self.settings.durability {
            Durability::Process => "NORMAL",
            Durability::Power => "FULL",
        };
        Ok(Stats {
            object_count,
            current_epoch: self.state.epoch(),
            dbfile_size: bytes + self.journal.len() as i64,
            dbfile_free: 0,
            load_time: Summary::default(),
            store_time: Summary::default(),
            config: Config {
                journal_mode: String::new(),
                synchronous: synchronous.to_owned(),
            },
            checkpoints: self.state.checkpoints().iter().rev().cloned().collect(),
        })
    }
}

/// A predecessor that was killed may still be being buried.
#[allow(
    clippy::disallowed_methods,
    reason = "the worker has nothing else to do yet"
)]
fn lock(path: &Path) -> Result<File, Failure> {
    let told = |error| Failure::File(path.to_owned(), error);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(told)?;
    for _ in 0..FILE_BUSY_MS / FILE_BUSY_STEP_MS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(told(error)),
        }
        std::thread::sleep(std::time::Duration::from_millis(FILE_BUSY_STEP_MS));
    }
    let busy = rustix::io::Errno::BUSY.raw_os_error();
    Err(told(std::io::Error::from_raw_os_error(busy)))
}

#[cfg(test)]
mod tests;
