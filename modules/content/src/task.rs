//! Tasks of the worker on the file, and their results.

use bytes::Bytes;
use proto::content::{Checkpoint, Commit, Edit, Finding, Record};
use proto::content_backing::{GcState, Stats, Sweep, Swept};
use proto::data::BlobRef;
use proto::{Errno, Refusal};

use crate::mapped::{MapStep, Part, Place};

/// One thing to do with the file. A batch of them is one transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Read a blob.
    Load(BlobRef),
    /// Read a blob from a file in which it is, or was.
    LoadMapped(BlobRef, Vec<Place>),
    /// Look at some of a file that is to be mapped.
    Map(MapStep),
    /// Check that a blob exists.
    Validate(BlobRef),
    /// Write a blob.
    Store(BlobRef, Bytes),
    /// Write blobs, records and maybe a checkpoint.
    Commit(Commit),
    /// Make this the writer of the records, and read them.
    Records(String),
    /// Read the checkpoints, newest first.
    CheckpointGet,
    /// Write a checkpoint.
    CheckpointPut(Checkpoint),
    /// Say from where a collection begins.
    GcInfo,
    /// Count blobs below an epoch, with rows after one and up to another.
    Count {
        /// The epoch.
        epoch: i64,
        /// Before the first row.
        after: i64,
        /// The last row.
        end: i64,
    },
    /// Raise the epoch of blobs.
    Mark(i64, Vec<BlobRef>),
    /// Delete blobs below an epoch.
    Sweep(Sweep),
    /// Give some free space back to the file system.
    Shrink,
    /// Return counts of the contents.
    Stats,
    /// Return the damage that was found.
    Findings,
    /// Someone has taken note of that.
    Accept,
    /// Nothing: its answer means that everything before is done.
    Barrier,
}

/// Result of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The task is done.
    Done,
    /// A blob.
    Blob(Bytes),
    /// All records.
    Records(Vec<Record>),
    /// Checkpoints, newest first.
    Checkpoints(Vec<Checkpoint>),
    /// From where a collection begins.
    Gc(GcState),
    /// Number of blobs stored or marked.
    Number(i64),
    /// Blobs deleted.
    Swept(Swept),
    /// Parts of a file, and where it goes on.
    Parts(Vec<Part>, Option<u64>),
    /// True if there is more to give back.
    Shrunk(bool),
    /// Statistics.
    Stats(Box<Stats>),
    /// Damage found.
    Findings(Vec<Finding>),
}

/// Result of a task, or its error.
pub type TaskResult = Result<Outcome, Refusal>;

impl Task {
    /// True if the file changes.
    pub fn writes(&self) -> bool {
        match self {
            Self::Store(..) | Self::Commit(_) | Self::Records(_) | Self::CheckpointPut(_) => true,
            Self::Mark(..) | Self::Sweep(_) | Self::Shrink => true,
            Self::Load(_) | Self::Validate(_) | Self::CheckpointGet | Self::Barrier => false,
            Self::LoadMapped(..) | Self::Map(_) => false,
            Self::GcInfo | Self::Count { .. } | Self::Stats => false,
            // Not in the store.
            Self::Findings | Self::Accept => false,
        }
    }

    /// True if it must survive a power failure: a checkpoint is the state to return to.
    pub fn is_checkpoint(&self) -> bool {
        match self {
            Self::CheckpointPut(_) => true,
            Self::Commit(commit) => commit.checkpoint.is_some(),
            _ => false,
        }
    }

    /// Bytes of blobs in it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Store(_, blob) => blob.len(),
            Self::Commit(commit) => {
                let blobs = commit.blobs.iter().map(|(_, blob)| blob.len());
                let edits = commit.edits.iter().map(Edit::bytes);
                blobs.chain(edits).sum()
            }
            _ => 0,
        }
    }
}

impl Outcome {
    /// The blob of a load.
    pub fn blob(self) -> Result<Bytes, Refusal> {
        match self {
            Self::Blob(blob) => Ok(blob),
            _ => Err(mixed_up()),
        }
    }

    /// The parts of a file, and where it goes on.
    pub fn parts(self) -> Result<(Vec<Part>, Option<u64>), Refusal> {
        match self {
            Self::Parts(parts, next) => Ok((parts, next)),
            _ => Err(mixed_up()),
        }
    }

    /// The records of an opening.
    pub fn records(self) -> Result<Vec<Record>, Refusal> {
        match self {
            Self::Records(records) => Ok(records),
            _ => Err(mixed_up()),
        }
    }

    /// The checkpoints.
    pub fn checkpoints(self) -> Result<Vec<Checkpoint>, Refusal> {
        match self {
            Self::Checkpoints(checkpoints) => Ok(checkpoints),
            _ => Err(mixed_up()),
        }
    }

    /// From where a collection begins.
    pub fn gc(self) -> Result<GcState, Refusal> {
        match self {
            Self::Gc(state) => Ok(state),
            _ => Err(mixed_up()),
        }
    }

    /// Number of blobs stored or marked.
    pub fn number(self) -> Result<i64, Refusal> {
        match self {
            Self::Number(number) => Ok(number),
            _ => Err(mixed_up()),
        }
    }

    /// Blobs deleted.
    pub fn swept(self) -> Result<Swept, Refusal> {
        match self {
            Self::Swept(swept) => Ok(swept),
            _ => Err(mixed_up()),
        }
    }

    /// Damage found.
    pub fn findings(self) -> Result<Vec<Finding>, Refusal> {
        match self {
            Self::Findings(findings) => Ok(findings),
            _ => Err(mixed_up()),
        }
    }

    /// Statistics.
    pub fn stats(self) -> Result<Stats, Refusal> {
        match self {
            Self::Stats(stats) => Ok(*stats),
            _ => Err(mixed_up()),
        }
    }
}

fn mixed_up() -> Refusal {
    Refusal::new(Errno::EIO, "the store returned another type of result")
}
