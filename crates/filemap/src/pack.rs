//! From a file to its object.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use proto::Errno;
use proto::data::BlobRef;
use rustix::fs::{FileType, Mode, OFlags, SeekFrom, seek};

use crate::limits::{CHUNK_BYTES_MAX, REGIONS_MAX, SMALL_FILE_BYTES_MAX};
use crate::object::{Content, FileObject, Region};
use crate::walk::{Found, errno};

/// Limit between contents in an object and contents in blobs.
#[derive(Debug, Clone, Copy)]
pub struct Packing {
    /// Bytes of a blob at most; 0 for as much as there is up to a hole.
    pub chunk_bytes: u64,
    /// Bytes of the largest file that its object holds.
    pub small_file_bytes: u64,
}

/// A part of a file that is to become a blob.
pub struct Chunk<'a> {
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub bytes: &'a [u8],
}

/// Reasons for which a file has no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The system refuses.
    #[error("{0}: {1}")]
    Io(String, Errno),
    /// Neither a regular file nor a directory nor a symbolic link.
    #[error("{0}: unsupported file type")]
    Kind(String),
    /// The target of a link is not UTF-8.
    #[error("{0}: link target is not UTF-8")]
    NotText(String),
    /// The file has fewer bytes than before.
    #[error("{0}: file changed while it was read")]
    Changed(String),
    /// Too many blobs.
    #[error("{0}: file has more than {REGIONS_MAX} regions; use a larger chunk size")]
    TooMany(String),
    /// A blob would be too large.
    #[error("{0}: a region is larger than {CHUNK_BYTES_MAX} bytes; use a chunk size")]
    TooLarge(String),
}

/// The object of a file. `keep` stores each part of a large one, and says its reference.
pub fn pack<E: From<PackError>>(
    found: &Found,
    packing: &Packing,
    keep: &mut impl FnMut(Chunk<'_>) -> Result<BlobRef, E>,
) -> Result<FileObject, E> {
    let metadata = &found.metadata;
    let mut object = FileObject {
        path: found.name.clone(),
        mode: metadata.mode(),
        mtime: Some(metadata.mtime()),
        ctime: Some(metadata.ctime()),
        size: None,
        content: Content::Empty,
    };
    match FileType::from_raw_mode(metadata.mode()) {
        FileType::Directory => {}
        FileType::Symlink => object.content = Content::Link(target(found)?),
        FileType::RegularFile => {
            let file = Source::open(found)?;
            object.size = Some(file.size);
            object.content = file.content(packing, keep)?;
        }
        _ => return Err(PackError::Kind(found.name.clone()).into()),
    }
    Ok(object)
}

fn target(found: &Found) -> Result<String, PackError> {
    let io = |error| PackError::Io(found.name.clone(), errno(&error));
    let target = std::fs::read_link(&found.path).map_err(io)?;
    let target = target.into_os_string().into_string();
    target.map_err(|_| PackError::NotText(found.name.clone()))
}

/// A regular file that is read.
struct Source<'a> {
    file: File,
    size: u64,
    name: &'a str,
}

impl<'a> Source<'a> {
    /// Opens a file that was found, if it still is a regular file.
    fn open(found: &'a Found) -> Result<Source<'a>, PackError> {
        let name = found.name.as_str();
        let io = |error| PackError::Io(name.to_owned(), errno(&error));
        let file = open(&found.path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        match metadata.is_file() {
            true => Ok(Source {
                file,
                size: metadata.len(),
                name,
            }),
            false => Err(PackError::Changed(name.to_owned())),
        }
    }

    fn content<E: From<PackError>>(
        &self,
        packing: &Packing,
        keep: &mut impl FnMut(Chunk<'_>) -> Result<BlobRef, E>,
    ) -> Result<Content, E> {
        if self.data(0)?.is_none() {
            return Ok(Content::Empty);
        }
        if self.size <= packing.small_file_bytes.min(SMALL_FILE_BYTES_MAX) {
            let mut bytes = Vec::new();
            self.read(0, self.size, &mut bytes)?;
            return Ok(Content::Bytes(bytes));
        }
        let (mut regions, mut at, mut bytes) = (Vec::new(), 0, Vec::new());
        while let Some((begin, end)) = self.data(at)? {
            let len = match packing.chunk_bytes {
                0 => end - begin,
                most => most.min(end - begin),
            };
            if len > CHUNK_BYTES_MAX {
                return Err(PackError::TooLarge(self.name.to_owned()).into());
            }
            if regions.len() >= REGIONS_MAX {
                return Err(PackError::TooMany(self.name.to_owned()).into());
            }
            self.read(begin, len, &mut bytes)?;
            let blobref = keep(Chunk {
                offset: begin,
                bytes: &bytes,
            })?;
            regions.push(Region(begin, len, blobref));
            at = begin + len;
        }
        Ok(Content::Blobs(regions))
    }

    /// Where the next data begin and end, within the size that the object says.
    fn data(&self, from: u64) -> Result<Option<(u64, u64)>, PackError> {
        if from >= self.size {
            return Ok(None);
        }
        let io =
            |error: rustix::io::Errno| PackError::Io(self.name.to_owned(), errno(&error.into()));
        let begin = match seek(&self.file, SeekFrom::Data(from)) {
            Err(rustix::io::Errno::NXIO) => return Ok(None),
            begin => begin.map_err(io)?,
        };
        let end = seek(&self.file, SeekFrom::Hole(begin)).map_err(io)?;
        let end = end.min(self.size);
        Ok((end > begin).then_some((begin, end)))
    }

    fn read(&self, offset: u64, len: u64, bytes: &mut Vec<u8>) -> Result<(), PackError> {
        let changed = || PackError::Changed(self.name.to_owned());
        bytes.resize(usize::try_from(len).map_err(|_| changed())?, 0);
        match self.file.read_exact_at(bytes, offset) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(changed()),
            Err(error) => Err(PackError::Io(self.name.to_owned(), errno(&error))),
            Ok(()) => Ok(()),
        }
    }
}

/// A pipe that took the place of a file is not waited for, and no link is followed.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())?;
    Ok(File::from(file))
}

#[cfg(test)]
mod tests {
    use proto::data::HashKind;

    use super::*;
    use crate::walk::walk;

    /// Object of a file with its contents, and the number of blobs kept.
    fn packed(base: &Path, name: &str, packing: &Packing) -> Result<String, PackError> {
        let mut shown = String::new();
        walk::<PackError>(base, Path::new(name), &mut |found| {
            let mut n_kept = 0;
            let object = pack::<PackError>(&found, packing, &mut |chunk| {
                n_kept += 1;
                Ok(BlobRef::of(HashKind::Sha1, chunk.bytes))
            })?;
            let content = match &object.content {
                Content::Blobs(regions) => {
                    assert_eq!(regions.len(), n_kept);
                    let parts = regions
                        .iter()
                        .map(|Region(at, len, _)| format!("{at}+{len}"));
                    parts.collect::<Vec<_>>().join(" ")
                }
                other => format!("{other:?}"),
            };
            shown = format!("{:?} {content}", object.size);
            Ok(())
        })?;
        Ok(shown)
    }

    impl From<crate::walk::WalkError> for PackError {
        fn from(error: crate::walk::WalkError) -> PackError {
            PackError::Changed(error.to_string())
        }
    }

    #[test]
    fn contents_are_in_the_object_or_in_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        let packing = Packing {
            chunk_bytes: 1000,
            small_file_bytes: 10,
        };
        let check = |name: &str, packing: &Packing, expect: &str| {
            assert_eq!(packed(base, name, packing).unwrap(), expect, "{name}");
        };
        std::fs::write(base.join("small"), "0123456789").unwrap();
        check(
            "small",
            &packing,
            r#"Some(10) Bytes([48, 49, 50, 51, 52, 53, 54, 55, 56, 57])"#,
        );
        std::fs::write(base.join("large"), vec![7; 2500]).unwrap();
        check("large", &packing, "Some(2500) 0+1000 1000+1000 2000+500");
        check(
            "large",
            &Packing {
                chunk_bytes: 0,
                ..packing
            },
            "Some(2500) 0+2500",
        );
        std::fs::write(base.join("empty"), "").unwrap();
        check(
            "empty",
            &Packing {
                small_file_bytes: 0,
                ..packing
            },
            "Some(0) Empty",
        );
        let sparse = File::create(base.join("sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        check("sparse", &packing, "Some(1073741824) Empty");
        sparse.write_all_at(&[1; 4096], 1 << 20).unwrap();
        let whole = Packing {
            chunk_bytes: 1 << 20,
            ..packing
        };
        check("sparse", &whole, "Some(1073741824) 1048576+4096");
        std::os::unix::fs::symlink("large", base.join("link")).unwrap();
        check("link", &packing, r#"None Link("large")"#);
        std::fs::create_dir(base.join("folder")).unwrap();
        check("folder", &packing, "None Empty");
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
        let packing = Packing {
            chunk_bytes: 0,
            small_file_bytes: 0,
        };
        let error = packed(folder.path(), "pipe", &packing).unwrap_err();
        assert_eq!(error.to_string(), "pipe: unsupported file type");
    }
}
