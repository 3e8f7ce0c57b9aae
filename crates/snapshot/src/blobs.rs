//! Requests to the content service, many under way at a time.

use bytes::Bytes;
use client::{Call, Handle, Pending};
use proto::data::BlobRef;
use proto::{Refusal, content, content_backing};

/// Blobs, through the content service or past its memory.
pub struct Blobs {
    /// The connection.
    pub handle: Handle,
    is_direct: bool,
}

/// A request that is under way.
pub enum Asked {
    /// A load.
    Load(Pending<content::Load>),
    /// A load from the backing store.
    LoadDirect(Pending<content_backing::Load>),
    /// Check that a blob is stored.
    Validate(Pending<content_backing::Validate>),
    /// A store.
    Store(Pending<content::Store>),
    /// A store in the backing store.
    StoreDirect(Pending<content_backing::Store>),
}

impl Blobs {
    /// Blobs of the instance at the other end; `is_direct` goes to the backing store.
    pub fn new(handle: Handle, is_direct: bool) -> Blobs {
        Blobs { handle, is_direct }
    }

    /// Asks for a blob.
    pub fn load(&mut self, blobref: &BlobRef) -> Asked {
        let digest = Bytes::copy_from_slice(blobref.digest());
        match self.is_direct {
            true => {
                let load = content_backing::Load(digest);
                Asked::LoadDirect(self.handle.start(Call::new(&load)))
            }
            false => Asked::Load(self.handle.start(Call::new(&content::Load(digest)))),
        }
    }

    /// Asks whether the store has a blob, and has it whole.
    pub fn validate(&mut self, blobref: &BlobRef) -> Asked {
        let digest = Bytes::copy_from_slice(blobref.digest());
        let validate = content_backing::Validate(digest);
        Asked::Validate(self.handle.start(Call::new(&validate)))
    }

    /// Hands over a blob to be stored.
    pub fn store(&mut self, blob: Bytes) -> Asked {
        match self.is_direct {
            true => {
                let store = content_backing::Store(blob);
                Asked::StoreDirect(self.handle.start(Call::new(&store)))
            }
            false => Asked::Store(self.handle.start(Call::new(&content::Store(blob)))),
        }
    }

    /// Blocks until a request is answered: with the blob, with nothing, or with the
    /// digest of the stored blob.
    pub fn wait(&mut self, asked: Asked) -> Result<Bytes, Refusal> {
        match asked {
            Asked::Load(pending) => self.handle.wait(pending).map(|blob| blob.0),
            Asked::LoadDirect(pending) => self.handle.wait(pending).map(|blob| blob.0),
            Asked::Validate(pending) => self.handle.wait(pending).map(|_| Bytes::new()),
            Asked::Store(pending) => self.handle.wait(pending).map(|digest| digest.0),
            Asked::StoreDirect(pending) => self.handle.wait(pending).map(|digest| digest.0),
        }
    }

    /// Loads one blob and blocks until it is here.
    pub fn load_now(&mut self, blobref: &BlobRef) -> Result<Bytes, Refusal> {
        let asked = self.load(blobref);
        self.wait(asked)
    }
}
