//! What a backing store can do: the small steps of which `batch.rs` makes transactions.

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
use crate::settings::Durability;

/// What a batch is going to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The store changes.
    pub writes: bool,
    /// What it writes must survive a loss of power.
    pub power_safe: bool,
}

/// The one whose commits are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Its UUID.
    pub uuid: String,
    /// Number of its last commit that is stored, 0 for none.
    pub number: u64,
}

/// Whether a store has something to tidy up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upkeep {
    /// No.
    Nothing,
    /// When there is nothing else to do.
    WhenIdle,
    /// Before anything else: it has reached a limit.
    Now,
}

/// A store on a disk, owned by the worker thread. It is closed by dropping it.
///
/// A [`Failure`] is of the store, not of one task: the caller that gets one calls
/// [`undo`](Backing::undo), and then nothing of the batch is there.
pub trait Backing: Debug + Send {
    /// The file, or the folder, by which failures are told.
    fn path(&self) -> &Path;

    /// Begins a batch. Only one that `writes` may call what writes.
    fn begin(&mut self, batch: Batch) -> Result<(), Failure>;

    /// Makes everything since `begin` last, all or nothing.
    fn end(&mut self) -> Result<(), Failure>;

    /// Back to what was before `begin`, after any failure since, that of `end` included.
    fn undo(&mut self);

    /// What was found damaged so far.
    fn damage(&mut self) -> &mut Damage;

    /// What was read is not what was written. The next one to open the store is to know.
    fn damaged(&mut self, what: &str) {
        self.damage().note(what);
    }

    /// A blob, or what is wrong with it. `None` when it is not there.
    fn load(&mut self, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure>;

    /// Whether a blob is there.
    fn has(&mut self, name: &BlobRef) -> Result<bool, Failure>;

    /// Writes a blob; one that is there already is marked as stored now, so that a
    /// collection that is under way keeps it.
    fn store(&mut self, name: &BlobRef, blob: &[u8]) -> Result<(), Failure>;

    /// The one whose commits are taken.
    fn writer(&mut self) -> Result<Option<Writer>, Failure>;

    /// Makes `writer` the writer, and gives all records by key.
    fn open_records(&mut self, writer: &str) -> Result<Vec<Record>, Failure>;

    /// The same where nothing can be written: that there is another writer is written with
    /// what it writes first.
    fn open_records_unsaved(&mut self, writer: &str) -> Result<Vec<Record>, Failure>;

    /// Writes blobs, records and maybe a checkpoint. Whose they are has been checked.
    /// What it builds on may not be there: then it alone is refused, and
    /// at most blobs of it are there.
    fn commit(&mut self, commit: &Commit) -> Result<Result<(), Refusal>, Failure>;

    /// The checkpoints, newest first. One that cannot be read is left out.
    fn checkpoints(&mut self) -> Result<Vec<Checkpoint>, Failure>;

    /// Adds a checkpoint, and forgets those beyond the limit.
    fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure>;

    /// The number of the newest checkpoint, with which blobs stored now are marked.
    fn epoch(&mut self) -> i64;

    /// From where a collection begins. Nothing is counted.
    fn gc_info(&mut self) -> Result<GcState, Failure>;

    /// How many blobs with rows after one and up to another have a lower epoch.
    fn count_below(&mut self, epoch: i64, after: i64, end: i64) -> Result<i64, Failure>;

    /// Raises the epoch of blobs to `epoch`, and says how many had a lower one.
    fn mark(&mut self, epoch: i64, names: &[BlobRef]) -> Result<i64, Failure>;

    /// Deletes blobs below an epoch. The numbers have been checked.
    fn sweep(&mut self, sweep: &Sweep) -> Result<Swept, Failure>;

    /// Whether there is something to tidy up.
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

    /// Gives some free space back to the file system. Says whether there is more.
    fn shrink(&mut self) -> Result<bool, Failure>;

    /// What is there; times are filled in by the caller.
    fn stats(&mut self) -> Result<Stats, Failure>;

    /// How much is kept in memory from now on.
    fn set_cache(&mut self, _: Cache) -> Result<(), Failure> {
        Ok(())
    }

    /// Forgets what is in memory and in the store too.
    fn drop_cache(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// What a commit survives from now on.
    fn set_durability(&mut self, durability: Durability) -> Result<(), Failure>;
}
