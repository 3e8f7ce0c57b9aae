//! From an object to its file, which lies below one directory and nowhere else: no path leads
//! upwards, and none through a link.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use proto::Errno;
use rustix::fs::{self, AtFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};

use crate::limits::PATH_BYTES_MAX;
use crate::object::{Content, FileObject, Kind, Region};
use crate::walk::errno;

/// Directories that nothing is known of yet, less the umask.
const DIRECTORY_MODE: Mode = Mode::from_bits_truncate(0o777);

/// Files that are being written.
const GROWING_MODE: Mode = Mode::from_bits_truncate(0o600);

/// The directory that files are extracted below.
#[derive(Debug)]
pub struct Target {
    directory: OwnedFd,
    overwrites: bool,
}

/// A file whose blobs are still to come.
#[derive(Debug)]
pub struct Growing {
    file: File,
    path: String,
    size: u64,
    mode: Mode,
    mtime: Option<i64>,
}

/// Error of extracting a file: its path, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct UnpackError {
    path: String,
    why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error("unsafe path")]
    Unsafe,
    #[error("unsupported file type")]
    Kind,
    #[error("write: Attempt to overwrite existing file")]
    Exists,
    #[error("a blob has {0} bytes instead of {1}")]
    Length(usize, u64),
    #[error("write: {0}")]
    Io(Errno),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Why {
        Why::Io(errno(&error))
    }
}

impl From<rustix::io::Errno> for Why {
    fn from(error: rustix::io::Errno) -> Why {
        io::Error::from(error).into()
    }
}

impl Target {
    /// The directory `path`. `overwrites` allows existing files to be replaced.
    pub fn open(path: &Path, overwrites: bool) -> io::Result<Target> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::open(path, flags, Mode::empty())?;
        Ok(Target {
            directory,
            overwrites,
        })
    }

    /// Makes the file of an object. If its contents are blobs, they are to be written to the
    /// returned file, which is to be finished then.
    pub fn unpack(&self, object: &FileObject) -> Result<Option<Growing>, UnpackError> {
        self.make(object).map_err(|why| UnpackError {
            path: object.path.clone(),
            why,
        })
    }

    fn make(&self, object: &FileObject) -> Result<Option<Growing>, Why> {
        let mut parts = parts(&object.path)?;
        let name = parts.pop().ok_or(Why::Unsafe)?;
        if object.kind() == Kind::Other {
            return Err(Why::Kind);
        }
        let parent = self.descend(&parts)?;
        match (object.kind(), &object.content) {
            (Kind::Directory, _) => self.directory(&parent, name, object).map(|()| None),
            (Kind::Link, Content::Link(to)) => {
                self.create(&parent, name, || fs::symlinkat(to.as_str(), &parent, name))?;
                let times = times(object.mtime);
                fs::utimensat(&parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                Ok(None)
            }
            (Kind::File, content) => self.file(&parent, name, object, content),
            _ => Err(Why::Kind),
        }
    }

    /// The directory that a file lies in, made if need be.
    fn descend(&self, parts: &[&str]) -> Result<OwnedFd, Why> {
        let mut directory = self.directory.as_fd().try_clone_to_owned()?;
        for part in parts {
            directory = match open_directory(&directory, part, OFlags::PATH) {
                Err(rustix::io::Errno::NOENT) => {
                    make_directory(&directory, part)?;
                    open_directory(&directory, part, OFlags::PATH)?
                }
                opened => opened?,
            };
        }
        Ok(directory)
    }

    fn directory(&self, parent: &OwnedFd, name: &str, object: &FileObject) -> Result<(), Why> {
        let opened = match open_directory(parent, name, OFlags::RDONLY) {
            Err(rustix::io::Errno::NOENT) => {
                make_directory(parent, name)?;
                open_directory(parent, name, OFlags::RDONLY)
            }
            Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
                self.create(parent, name, || fs::mkdirat(parent, name, DIRECTORY_MODE))?;
                open_directory(parent, name, OFlags::RDONLY)
            }
            opened => opened,
        };
        let directory = match opened {
            Ok(directory) => directory,
            // One that was there and is not ours to read.
            Err(rustix::io::Errno::ACCESS) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match fs::fchmod(&directory, mode(object)) {
            // A file that existed and belongs to another user.
            Err(rustix::io::Errno::PERM) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(fs::futimens(&directory, &times(object.mtime))?),
        }
    }

    fn file(
        &self,
        parent: &OwnedFd,
        name: &str,
        object: &FileObject,
        content: &Content,
    ) -> Result<Option<Growing>, Why> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let flags = flags | OFlags::CLOEXEC;
        let created = self.create(parent, name, || {
            fs::openat(parent, name, flags, GROWING_MODE)
        });
        let growing = Growing {
            file: File::from(created?),
            path: object.path.clone(),
            size: object.size.unwrap_or(0),
            mode: mode(object),
            mtime: object.mtime,
        };
        match content {
            Content::Blobs(_) => {
                growing.file.set_len(growing.size)?;
                return Ok(Some(growing));
            }
            Content::Empty => growing.file.set_len(growing.size)?,
            Content::Bytes(bytes) => (&growing.file).write_all(bytes)?,
            Content::Json(value) => (&growing.file).write_all(value.to_string().as_bytes())?,
            Content::Link(_) => return Err(Why::Kind),
        }
        growing.seal()?;
        Ok(None)
    }

    /// Creates something under a name that may be taken.
    fn create<T>(
        &self,
        parent: &OwnedFd,
        name: &str,
        create: impl Fn() -> rustix::io::Result<T>,
    ) -> Result<T, Why> {
        match create() {
            Err(rustix::io::Errno::EXIST) if self.overwrites => {
                fs::unlinkat(parent, name, AtFlags::empty())?;
                Ok(create()?)
            }
            Err(rustix::io::Errno::EXIST) => Err(Why::Exists),
            created => Ok(created?),
        }
    }
}

impl Growing {
    /// Writes the blob of a region.
    pub fn write(&self, region: &Region, blob: &[u8]) -> Result<(), UnpackError> {
        self.put(region, blob).map_err(|why| self.fail(why))
    }

    fn put(&self, region: &Region, blob: &[u8]) -> Result<(), Why> {
        let Region(offset, len, _) = *region;
        if blob.len() as u64 != len || offset.checked_add(len).is_none_or(|end| end > self.size) {
            return Err(Why::Length(blob.len(), len));
        }
        Ok(self.file.write_all_at(blob, offset)?)
    }

    /// Gives the file its permissions and time, after the last blob.
    pub fn finish(self) -> Result<(), UnpackError> {
        self.seal().map_err(|why| self.fail(why))
    }

    fn seal(&self) -> Result<(), Why> {
        fs::fchmod(&self.file, self.mode)?;
        Ok(fs::futimens(&self.file, &times(self.mtime))?)
    }

    fn fail(&self, why: Why) -> UnpackError {
        UnpackError {
            path: self.path.clone(),
            why,
        }
    }
}

/// The parts of a path that stays below its directory.
fn parts(path: &str) -> Result<Vec<&str>, Why> {
    let is_safe = |part: &&str| !matches!(*part, "" | "." | "..") && !part.contains('\0');
    let parts: Vec<&str> = path.split('/').collect();
    match path.len() <= PATH_BYTES_MAX && parts.iter().all(is_safe) {
        true => Ok(parts),
        false => Err(Why::Unsafe),
    }
}

fn open_directory(parent: &OwnedFd, name: &str, access: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(parent, name, flags, Mode::empty())
}

/// Another process may extract the same archive here.
fn make_directory(parent: &OwnedFd, name: &str) -> rustix::io::Result<()> {
    match fs::mkdirat(parent, name, DIRECTORY_MODE) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        made => made,
    }
}

fn mode(object: &FileObject) -> Mode {
    Mode::from_bits_truncate(object.permissions())
}

fn times(mtime: Option<i64>) -> Timestamps {
    let omitted = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let at = |seconds| Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: omitted,
        last_modification: mtime.map_or(omitted, at),
    }
}

#[cfg(test)]
mod tests;
