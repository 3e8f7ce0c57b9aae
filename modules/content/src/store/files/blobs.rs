//! The files of blobs: each has the blobref as its name and the blob, as it is, as its
//! content. Its time of modification is its epoch, in seconds since 1970: a number that
//! changes without the file being written, and that copies of a folder may lose without
//! harm, for a time of today is later than any epoch.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use proto::data::BlobRef;

use crate::store::failure::Failure;

/// Name of a blob that is being written. One is left when a process is killed.
const TEMPORARY: &str = ".new";

/// The folder with the blobs.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
}

/// Position of a blob in the order in which blobs are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1 on: the first bits of the digest. Several blobs may have one place.
    pub number: i64,
    /// Blobref.
    pub name: BlobRef,
}

impl Blobs {
    /// The blobs in `folder`.
    pub fn open(folder: &Path) -> Result<Blobs, Failure> {
        let blobs = Blobs {
            folder: folder.to_owned(),
        };
        let left = folder.join(TEMPORARY);
        match std::fs::remove_file(&left) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::File(left, error)),
            _ => Ok(blobs),
        }
    }

    /// Path of a blob, whether stored or not.
    pub fn path(&self, name: &BlobRef) -> PathBuf {
        self.folder.join(name.to_string())
    }

    /// A blob, or the reason for which it is unreadable. `None` when it is not there.
    pub fn load(&self, name: &BlobRef) -> Result<Option<Result<Bytes, String>>, Failure> {
        let path = self.path(name);
        let blob = match std::fs::read(&path) {
            Ok(blob) => blob,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::File(path, error)),
        };
        Ok(Some(match BlobRef::of(name.kind(), &blob) == *name {
            true => Ok(blob.into()),
            false => Err("it has another hash".to_owned()),
        }))
    }

    /// True if a blob is stored.
    pub fn has(&self, name: &BlobRef) -> Result<bool, Failure> {
        Ok(self.epoch(name)?.is_some())
    }

    /// Writes a blob, unless it is there and whole, and marks it with the epoch. Gives the
    /// file that is new.
    pub fn store(
        &self,
        name: &BlobRef,
        blob: &[u8],
        epoch: i64,
    ) -> Result<Option<PathBuf>, Failure> {
        let path = self.path(name);
        match std::fs::read(&path) {
            Ok(found) if found == blob => {
                if self.epoch(name)?.is_some_and(|found| found < epoch) {
                    self.set_epoch(name, epoch)?;
                }
                return Ok(None);
            }
            // One that a loss of power has damaged is written again.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::File(path, error)),
        }
        let temporary = self.folder.join(TEMPORARY);
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(blob)?;
            file.set_modified(time_of(epoch))
        });
        let written = written.and_then(|()| std::fs::rename(&temporary, &path));
        written.map_err(|error| {
            // Its partial file takes room that the next one may need.
            std::fs::remove_file(&temporary).ok();
            Failure::File(path.clone(), error)
        })?;
        Ok(Some(path))
    }

    /// Makes new files survive a loss of power, or everything.
    pub fn make_last(&self, made: &[PathBuf], all: bool) -> Result<(), Failure> {
        let folder = File::open(&self.folder).map_err(Failure::Io)?;
        if all {
            return rustix::fs::syncfs(&folder).map_err(|error| Failure::Io(error.into()));
        }
        for path in made {
            let synced = File::open(path).and_then(|file| file.sync_all());
            synced.map_err(|error| Failure::File(path.clone(), error))?;
        }
        match made.is_empty() {
            true => Ok(()),
            false => folder.sync_all().map_err(Failure::Io),
        }
    }

    /// A blob's epoch; `None` when it is not there.
    pub fn epoch(&self, name: &BlobRef) -> Result<Option<i64>, Failure> {
        let path = self.path(name);
        match std::fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(time) => {
                let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(Some(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::File(path, error)),
        }
    }

    /// Sets a blob's epoch.
    pub fn set_epoch(&self, name: &BlobRef, epoch: i64) -> Result<(), Failure> {
        let path = self.path(name);
        let file = File::options().write(true).open(&path);
        file.and_then(|file| file.set_modified(time_of(epoch)))
            .map_err(|error| Failure::File(path, error))
    }

    /// Deletes a blob.
    pub fn delete(&self, name: &BlobRef) -> Result<(), Failure> {
        let path = self.path(name);
        std::fs::remove_file(&path).map_err(|error| Failure::File(path, error))
    }

    /// Every blob there is.
    pub fn names(&self) -> Result<Vec<BlobRef>, Failure> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(Failure::Io)? {
            let entry = entry.map_err(Failure::Io)?;
            if let Some(Ok(name)) = entry.file_name().to_str().map(str::parse) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Number of blobs, and their bytes.
    pub fn count(&self) -> Result<(i64, i64), Failure> {
        let (mut count, mut bytes) = (0, 0);
        for name in self.names()? {
            let path = self.path(&name);
            let metadata = std::fs::metadata(&path).map_err(|error| Failure::File(path, error))?;
            count += 1;
            bytes += metadata.len() as i64;
        }
        Ok((count, bytes))
    }

    /// Deletes every blob.
    pub fn delete_all(&self) -> Result<(), Failure> {
        self.names()?.iter().try_for_each(|name| self.delete(name))
    }
}

fn time_of(epoch: i64) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(epoch).unwrap_or(0))
}
