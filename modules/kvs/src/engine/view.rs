//! Objects visible to the engine: those kept in memory, and those fetched for one
//! request, which stay until it is done.

use std::rc::Rc;

use bytes::Bytes;
use node::{LRU_ITEM_BYTES, Lru};
use proto::config::Cache;
use proto::data::BlobRef;
use proto::kvs::{CommitError, LookupError};
use proto::{Errno, Refusal};
use rustc_hash::FxHashMap;

use super::dir::Dir;
use super::draft::Made;
use super::entry::Corrupt;
use crate::limits::KEPT_BLOB_BYTES_MAX;

/// Reason for which the engine stopped.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// Blobs that must be fetched; then the same call is made again.
    Need(Vec<Want>),
    /// The root of this namespace must be found out; then the same call is made again.
    Namespace(String),
    /// The operation fails.
    Failed(Refusal),
}

/// An object to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// A directory.
    Dir(BlobRef),
    /// A blob of a value.
    Blob(BlobRef),
}

impl Want {
    /// The blob that it is in.
    pub fn name(self) -> BlobRef {
        match self {
            Self::Dir(name) | Self::Blob(name) => name,
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Failed(refusal)
    }
}

impl From<LookupError> for Stop {
    fn from(error: LookupError) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<CommitError> for Stop {
    fn from(error: CommitError) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<Corrupt> for Stop {
    fn from(corrupt: Corrupt) -> Stop {
        Stop::Failed(corrupt.into())
    }
}

/// A blob is not the tree object that it should be.
impl From<Corrupt> for Refusal {
    fn from(_: Corrupt) -> Refusal {
        Refusal::bare(Errno::ENOTRECOVERABLE)
    }
}

/// Objects that every request may use, bounded.
#[derive(Debug)]
pub struct Memory {
    /// Directories.
    pub dirs: Lru<BlobRef, Rc<Dir>>,
    /// Blobs of values.
    pub blobs: Lru<BlobRef, Bytes>,
    /// Blobs on their way to the store.
    pub unstored: Unstored,
}

impl Memory {
    /// Nothing yet; up to this number of bytes of each kind.
    pub fn new(cache: &Cache) -> Memory {
        Memory {
            dirs: Lru::new(cache.dirs),
            blobs: Lru::new(cache.values),
            unstored: Unstored::default(),
        }
    }

    /// Keeps up to this number of bytes of each kind from now on.
    pub fn resize(&mut self, cache: &Cache) {
        self.dirs.set_bytes_max(cache.dirs);
        self.blobs.set_bytes_max(cache.values);
    }

    /// Keeps a blob of a value, unless it would push out most others. A copy, so that it does
    /// not hold a whole message there.
    pub fn keep_blob(&mut self, name: BlobRef, blob: &Bytes) {
        if blob.len() <= KEPT_BLOB_BYTES_MAX.min(self.blobs.bytes_max() / 4) {
            let bytes = blob.len() + LRU_ITEM_BYTES;
            self.blobs.insert(name, Bytes::copy_from_slice(blob), bytes);
        }
    }

    /// A blob of a value, without counting as a use.
    pub fn peek_blob(&self, name: &BlobRef) -> Option<&Bytes> {
        let unstored = self.unstored.blobs.get(name).map(|(_, blob)| blob);
        unstored.or_else(|| self.blobs.peek(name))
    }
}

/// Objects in batches that are on their way to the store. The next transaction works on
/// them, and they cannot be fetched yet, so they must not be pushed out. As many as the
/// batches have.
#[derive(Debug, Default)]
pub struct Unstored {
    dirs: FxHashMap<BlobRef, (u64, Rc<Dir>)>,
    blobs: FxHashMap<BlobRef, (u64, Bytes)>,
}

impl Unstored {
    /// Adds the results of a transaction of batch `number`.
    pub fn add(&mut self, number: u64, made: &Made) {
        let dirs = made.dirs.iter();
        self.dirs
            .extend(dirs.map(|(name, dir)| (*name, (number, dir.clone()))));
        let blobs = made.blobs.iter();
        self.blobs
            .extend(blobs.map(|(name, blob)| (*name, (number, blob.clone()))));
    }

    /// Forgets it, unless a later batch has made the same.
    pub fn remove(&mut self, number: u64, made: &Made) {
        for (name, _) in &made.dirs {
            if self.dirs.get(name).is_some_and(|(last, _)| *last == number) {
                self.dirs.remove(name);
            }
        }
        for (name, _) in &made.blobs {
            if self
                .blobs
                .get(name)
                .is_some_and(|(last, _)| *last == number)
            {
                self.blobs.remove(name);
            }
        }
    }

    /// True if it is empty.
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty() && self.blobs.is_empty()
    }
}

/// Objects that were fetched for one request. They must not be pushed out before it is
/// done, or it would fetch them for ever.
#[derive(Debug, Default)]
pub struct Supply {
    dirs: FxHashMap<BlobRef, Result<Rc<Dir>, Refusal>>,
    blobs: FxHashMap<BlobRef, Result<Bytes, Refusal>>,
}

impl Supply {
    /// Stores a directory that was fetched or made.
    pub fn put_dir(&mut self, name: BlobRef, dir: Result<Rc<Dir>, Refusal>) {
        self.dirs.insert(name, dir);
    }

    /// Stores a blob that was fetched.
    pub fn put_blob(&mut self, name: BlobRef, blob: Result<Bytes, Refusal>) {
        self.blobs.insert(name, blob);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Supply::default();
    }
}

/// Both together.
pub struct View<'a> {
    /// For everyone.
    pub memory: &'a mut Memory,
    /// For this request.
    pub supply: &'a Supply,
}

impl View<'_> {
    /// A directory.
    pub fn dir(&mut self, name: BlobRef) -> Result<Rc<Dir>, Stop> {
        match self.supply.dirs.get(&name) {
            Some(dir) => Ok(dir.clone()?),
            None => match self.memory.unstored.dirs.get(&name) {
                Some((_, dir)) => Ok(dir.clone()),
                None => match self.memory.dirs.get(&name) {
                    Some(dir) => Ok(dir),
                    None => Err(Stop::Need(vec![Want::Dir(name)])),
                },
            },
        }
    }

    /// A blob of a value.
    pub fn blob(&mut self, name: BlobRef) -> Result<Bytes, Stop> {
        match self.supply.blobs.get(&name) {
            Some(blob) => Ok(blob.clone()?),
            None => match self.memory.unstored.blobs.get(&name) {
                Some((_, blob)) => Ok(blob.clone()),
                None => match self.memory.blobs.get(&name) {
                    Some(blob) => Ok(blob),
                    None => Err(Stop::Need(vec![Want::Blob(name)])),
                },
            },
        }
    }

    /// A value in blobs, in one piece. Asks for all that is missing at once.
    pub fn join(&mut self, names: &[BlobRef], bytes_max: usize) -> Result<Bytes, Stop> {
        let (mut blobs, mut needed, mut len) = (Vec::with_capacity(names.len()), Vec::new(), 0);
        for name in names {
            match self.blob(*name) {
                Ok(blob) => {
                    len += blob.len();
                    blobs.push(blob);
                }
                Err(Stop::Need(wants)) => needed.extend(wants),
                Err(failed) => return Err(failed),
            }
            if len > bytes_max {
                return Err(Refusal::bare(Errno::EFBIG).into());
            }
        }
        if !needed.is_empty() {
            needed.sort_unstable();
            needed.dedup();
            return Err(Stop::Need(needed));
        }
        if let [blob] = blobs.as_slice() {
            return Ok(blob.clone());
        }
        let mut joined = Vec::with_capacity(len);
        for blob in blobs {
            joined.extend_from_slice(&blob);
        }
        Ok(joined.into())
    }
}
