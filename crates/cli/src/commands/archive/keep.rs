//! Where the contents of large files go: into the content store, or nowhere, because the
//! store reads the file.

use std::collections::VecDeque;
use std::path::Path;

use bytes::Bytes;
use client::{Call, Handle, Pending};
use command::error::CliError;
use filemap::Chunk;
use proto::content::{MmapAdd, Store};
use proto::data::{BlobRef, HashKind};

use crate::limits::ARCHIVE_BYTES_IN_FLIGHT;

/// Stores blobs, several at a time.
pub struct Keep {
    hash: HashKind,
    /// Blobs are not stored: the file will be mapped.
    is_mapped: bool,
    under_way: VecDeque<(Pending<Store>, BlobRef, usize)>,
    bytes_under_way: usize,
    /// Blobs stored, for `--preserve`.
    pub kept: Vec<BlobRef>,
}

impl Keep {
    /// As the instance wants blobs to be named.
    pub fn new(handle: &mut Handle, is_mapped: bool) -> Result<Keep, CliError> {
        let name = handle.attr("content.hash")?;
        let hash = name.parse();
        let hash = hash.map_err(|_| CliError::new(format!("content.hash: unknown hash {name}")))?;
        Ok(Keep {
            hash,
            is_mapped,
            under_way: VecDeque::new(),
            bytes_under_way: 0,
            kept: Vec::new(),
        })
    }

    /// Stores a part of a file; waits when much is under way.
    pub fn keep(&mut self, handle: &mut Handle, chunk: &Chunk<'_>) -> Result<BlobRef, CliError> {
        let blobref = BlobRef::of(self.hash, chunk.bytes);
        self.kept.push(blobref);
        if self.is_mapped {
            return Ok(blobref);
        }
        let bytes = chunk.bytes.len();
        while self.bytes_under_way > 0 && self.bytes_under_way + bytes > ARCHIVE_BYTES_IN_FLIGHT {
            self.take(handle)?;
        }
        let store = Store(Bytes::copy_from_slice(chunk.bytes));
        let pending = handle.start(Call::new(&store));
        self.under_way.push_back((pending, blobref, bytes));
        self.bytes_under_way += bytes;
        Ok(blobref)
    }

    /// Has the store read a file whose parts were kept.
    pub fn map(
        &mut self,
        handle: &mut Handle,
        path: &Path,
        chunksize: u64,
        tag: &str,
    ) -> Result<(), CliError> {
        let path = std::path::absolute(path)?;
        let path = path
            .to_str()
            .ok_or_else(|| CliError::new(format!("{}: path is not UTF-8", path.display())))?;
        let add = MmapAdd {
            path: path.to_owned(),
            chunksize,
            tag: tag.to_owned(),
        };
        handle.rpc(&add)?;
        Ok(())
    }

    /// Waits until everything is stored.
    pub fn finish(&mut self, handle: &mut Handle) -> Result<(), CliError> {
        while !self.under_way.is_empty() {
            self.take(handle)?;
        }
        Ok(())
    }

    fn take(&mut self, handle: &mut Handle) -> Result<(), CliError> {
        let Some((pending, blobref, bytes)) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.bytes_under_way -= bytes;
        let stored = handle.wait(pending);
        let digest = stored
            .map_err(|refusal| CliError::from(refusal).about("content store"))?
            .0;
        match digest == blobref.digest() {
            true => Ok(()),
            false => Err(CliError::new(
                "content store: a blob was stored under a different name",
            )),
        }
    }
}
