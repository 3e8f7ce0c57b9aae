//! A tree built from its values, in the order in which they come, without ever holding
//! more of it than the directories on the way to the value at hand; or a stored tree
//! that is changed in places, which costs least in the order of the keys.

use std::collections::VecDeque;

use bytes::Bytes;
use proto::data::treeobj::Dir;
use proto::data::{BlobRef, HashKind, Tree};
use proto::{Errno, Refusal};

use crate::blobs::{Asked, Blobs};
use crate::limits::RESTORE_BYTES_IN_FLIGHT_MAX;
use crate::names::Key;
use crate::walk::dir_of;
use command::error::CliError;

/// Bytes of the smallest value that gets a blob of its own.
const BLOB_BYTES_MIN: usize = 72;

/// A tree that grows.
pub struct Grow {
    hash: HashKind,
    window: usize,
    /// From the root down to the directory at hand.
    open: Vec<Open>,
    /// Stores without an answer, oldest first.
    stores: VecDeque<Stored>,
    bytes_in_flight: usize,
    n_blobs: u64,
}

/// A directory that may still get entries.
struct Open {
    name: Box<str>,
    entries: Dir,
}

/// A blob on its way.
struct Stored {
    asked: Asked,
    blobref: BlobRef,
    bytes: usize,
}

impl Grow {
    /// An empty tree whose blobs are named by `hash`, with at most `window` stores under
    /// way.
    pub fn new(hash: HashKind, window: usize) -> Grow {
        Grow {
            hash,
            window: window.max(1),
            open: vec![Open {
                name: Box::from(""),
                entries: Dir::new(),
            }],
            stores: VecDeque::new(),
            bytes_in_flight: 0,
            n_blobs: 0,
        }
    }

    /// The tree that begins at `root`, to be changed.
    pub fn from_root(blobs: &mut Blobs, root: &BlobRef, window: usize) -> Result<Grow, CliError> {
        let mut grow = Grow::new(root.kind(), window);
        let entries = dir_of(&blobs.load_now(root)?)?;
        if let Some(open) = grow.open.last_mut() {
            open.entries = entries;
        }
        Ok(grow)
    }

    /// Blobs stored so far.
    pub fn n_blobs(&self) -> u64 {
        self.n_blobs
    }

    /// Puts a value at a key, in place of the present one.
    pub fn put_value(
        &mut self,
        blobs: &mut Blobs,
        key: &Key,
        value: Vec<u8>,
    ) -> Result<(), CliError> {
        let value = Bytes::from(value);
        let tree = match value.len() < BLOB_BYTES_MIN {
            true => Tree::Val(value),
            false => Tree::ValRef(vec![self.store(blobs, value)?]),
        };
        self.put(blobs, key, tree)
    }

    /// Puts a tree object at a key.
    pub fn put(&mut self, blobs: &mut Blobs, key: &Key, tree: Tree) -> Result<(), CliError> {
        let Some((name, above)) = key.names().split_last() else {
            return Err(CliError::new("the root cannot be a value"));
        };
        self.open(blobs, above)?;
        if let Some(open) = self.open.last_mut() {
            open.entries.insert(name.clone(), tree);
        }
        Ok(())
    }

    /// Removes a key from the tree; returns its value.
    pub fn take(&mut self, blobs: &mut Blobs, key: &Key) -> Result<Option<Tree>, CliError> {
        let Some((name, above)) = key.names().split_last() else {
            return Ok(None);
        };
        self.open(blobs, above)?;
        let open = self.open.last_mut();
        Ok(open.and_then(|open| open.entries.remove(name)))
    }

    /// Makes the directory with these names above it the one at hand.
    fn open(&mut self, blobs: &mut Blobs, above: &[Box<str>]) -> Result<(), CliError> {
        let is_open = |open: &Open, name: &str| *open.name == *name;
        let pairs = self.open[1..].iter().zip(above);
        let n_common = pairs.take_while(|(open, name)| is_open(open, name)).count();
        self.close_down_to(blobs, 1 + n_common)?;
        for name in &above[n_common..] {
            self.enter(blobs, name)?;
        }
        Ok(())
    }

    /// Stores the rest, waits until all is stored, and returns the root.
    pub fn finish(mut self, blobs: &mut Blobs) -> Result<(BlobRef, u64), CliError> {
        self.close_down_to(blobs, 1)?;
        let entries = self.open.pop().map(|open| open.entries);
        let root = self.store_dir(blobs, entries.unwrap_or_default())?;
        self.settle(blobs, 0)?;
        Ok((root, self.n_blobs))
    }

    /// Opens a directory in the one at hand. One that was closed before is taken up again:
    /// archives need not be in order.
    fn enter(&mut self, blobs: &mut Blobs, name: &str) -> Result<(), CliError> {
        let found = self.open.last().and_then(|open| open.entries.get(name));
        let entries = match found {
            Some(Tree::Dir(entries)) => entries.clone(),
            Some(Tree::DirRef(blobref)) => {
                let blobref = *blobref;
                // It may be on its way to the store.
                self.settle(blobs, 0)?;
                dir_of(&blobs.load_now(&blobref)?)?
            }
            _ => Dir::new(),
        };
        self.open.push(Open {
            name: Box::from(name),
            entries,
        });
        Ok(())
    }

    fn close_down_to(&mut self, blobs: &mut Blobs, n_open: usize) -> Result<(), CliError> {
        while self.open.len() > n_open
            && let Some(Open { name, entries }) = self.open.pop()
        {
            let blobref = self.store_dir(blobs, entries)?;
            if let Some(above) = self.open.last_mut() {
                above.entries.insert(name, Tree::DirRef(blobref));
            }
        }
        Ok(())
    }

    fn store_dir(&mut self, blobs: &mut Blobs, entries: Dir) -> Result<BlobRef, CliError> {
        self.store(blobs, Tree::Dir(entries).encode().into())
    }

    fn store(&mut self, blobs: &mut Blobs, blob: Bytes) -> Result<BlobRef, CliError> {
        while self.stores.len() >= self.window
            || (self.bytes_in_flight + blob.len() > RESTORE_BYTES_IN_FLIGHT_MAX
                && !self.stores.is_empty())
        {
            self.settle(blobs, self.stores.len() - 1)?;
        }
        let blobref = BlobRef::of(self.hash, &blob);
        let bytes = blob.len();
        self.bytes_in_flight += bytes;
        self.n_blobs += 1;
        self.stores.push_back(Stored {
            asked: blobs.store(blob),
            blobref,
            bytes,
        });
        Ok(blobref)
    }

    /// Waits until no more than `left` stores are under way.
    fn settle(&mut self, blobs: &mut Blobs, left: usize) -> Result<(), CliError> {
        while self.stores.len() > left
            && let Some(stored) = self.stores.pop_front()
        {
            let failed = |refusal: Refusal| CliError::from(refusal).about("error storing blob");
            let digest = blobs.wait(stored.asked).map_err(failed)?;
            self.bytes_in_flight -= stored.bytes;
            if *digest != *stored.blobref.digest() {
                let text = "the store uses another hash for blobrefs";
                return Err(failed(Refusal::new(Errno::EPROTO, text)));
            }
        }
        Ok(())
    }
}
