//! Operations of a backing store: the small steps of which `batch.rs` makes transactions.

use std::fmt::Debug;
use std::path::Path;

use bytes::Bytes;
use proto::Refusal;
use proto::config::Cache;
use proto::content::{Checkpoint, Commit, Record};
use proto::content_backing::{GcState, Stats, Sweep, Swept};
use proto::data::BlobRef;

use super::damage::Damage;
use super::failure::Failure;
use crate::config::Durability;

/// Properties of a batch to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The store changes.
    pub writes: bool,
    /// True if its writes must survive a power failure.
    pub power_safe: bool,
}

/// The one whose commits are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// UUID.
    pub uuid: String,
    /// Number of its last commit that is stored, 0 for none.
    pub number: u64,
}

/// Upkeep that a store needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upkeep {
    /// No.
    Nothing,
    /// When the worker is idle.
    WhenIdle,
    /// Before anything else: it has reached a limit.
    Now,
}

/// A store on a disk, owned by the worker thread. It is closed by dropping it.
///
/// A [`Failure`] is of the store, not of one task: the caller that gets one calls
/// [`undo`](Backing::undo), and then nothing of the batch is there.
pub trait Backing: Debug + Send {
    /// The file, or the folder, named in failures.
    fn path(&self) -> &Path;

    /// Begins a batch. A method that writes may be called only on a backing with
    /// `writes`.
    fn begin(&mut self, batch: Batch) -> Result<(), Failure>;

    /// Makes everything since `begin` last, all or nothing.
    fn end(&mut self) -> Result<(), Failure>;

    /// Returns to the state before `begin`, after any failure since, that of `end`
    /// included.
    fn undo(&mut self);

    /// Damage found so far.
    fn damage(&mut self) -> &mut Damage;

    /// Records data that differ from those written. The next one to open the store is to
    /// know.
    fn damaged(&mut self, what: &str) {
        self.damage().note(what);
    }

    /// A blob, or the reason for which it is unreadable. `None` when it is not there.
    fn load(&mut self, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure>;

    /// True if a blob is stored.
    fn has(&mut self, name: &BlobRef) -> Result<bool, Failure>;

    /// Writes a blob; one that is there already is marked as stored now, so that a
    /// collection that is under way keeps it.
    fn store(&mut self, name: &BlobRef, blob: &[u8]) -> Result<(), Failure>;

    /// The one whose commits are taken.
    fn writer(&mut self) -> Result<Option<Writer>, Failure>;

    /// Makes `writer` the writer, and gives all records by key.
    fn open_records(&mut self, writer: &str) -> Result<Vec<Record>, Failure>;

    /// The same where nothing can be written: the new writer is recorded with its first
    /// write.
    fn open_records_unsaved(&mut self, writer: &str) -> Result<Vec<Record>, Failure>;

    /// Writes blobs, records and maybe a checkpoint. Their owner has been checked. Its
    /// base may be missing: then it alone is refused, and at most blobs of it are stored.
    fn commit(&mut self, commit: &Commit) -> Result<Result<(), Refusal>, Failure>;

    /// The checkpoints, newest first. One that cannot be read is left out.
    fn checkpoints(&mut self) -> Result<Vec<Checkpoint>, Failure>;

    /// Adds a checkpoint, and forgets those beyond the limit.
    fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure>;

    /// The number of the newest checkpoint, with which blobs stored now are marked.
    fn epoch(&mut self) -> i64;

    /// From where a collection begins. Nothing is counted.
    fn gc_info(&mut self) -> Result<GcState, Failure>;

    /// Number of blobs, with rows after one and up to another, of a lower epoch.
    fn count_below(&mut self, epoch: i64, after: i64, end: i64) -> Result<i64, Failure>;

    /// Raises the epoch of blobs to `epoch`, and returns the number of those with a lower
    /// one.
    fn mark(&mut self, epoch: i64, names: &[BlobRef]) -> Result<i64, Failure>;

    /// Deletes blobs below an epoch. The numbers have been checked.
    fn sweep(&mut self, sweep: &Sweep) -> Result<Swept, Failure>;

    /// Upkeep needed now.
    fn upkeep_due(&self) -> Upkeep {
        Upkeep::Nothing
    }

    /// Tidies up, a few milliseconds' worth, outside of a batch.
    fn upkeep(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Tidies everything up: the store is about to be closed.
    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Gives some free space back to the file system. Returns true if there is more.
    fn shrink(&mut self) -> Result<bool, Failure>;

    /// Statistics; times are filled in by the caller.
    fn stats(&mut self) -> Result<Stats, Failure>;

    /// Sets the amount kept in memory.
    fn set_cache(&mut self, _: Cache) -> Result<(), Failure> {
        Ok(())
    }

    /// Forgets the caches in memory and in the store.
    fn drop_cache(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Sets the durability of commits.
    fn set_durability(&mut self, durability: Durability) -> Result<(), Failure>;
}
