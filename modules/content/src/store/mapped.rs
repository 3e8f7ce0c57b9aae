//! Files of this host whose parts are blobs: looks at them when they are mapped, and reads
//! the parts that are loaded. A file may change, shrink or go at any time; a blob is only
//! given if its bytes still have the hash of its name.

#![allow(clippy::disallowed_types, reason = "this is where files are read")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use proto::Refusal;
use proto::content::{LoadError, MmapError};
use proto::data::BlobRef;
use rustix::fs::{Mode, OFlags, SeekFrom, seek};

use super::failure::Failure;
use crate::limits::{MAP_STEP_BYTES, MAP_STEP_PARTS};
use crate::mapped::{MapStep, Part, Place};

/// The blob from the first of these places that still has it.
pub fn load(name: &BlobRef, places: &[Place]) -> Option<Bytes> {
    places.iter().find_map(|place| {
        let blob = read(&open(&place.path).ok()?, place.offset, place.len).ok()?;
        (BlobRef::of(name.kind(), &blob) == *name).then(|| Bytes::from(blob))
    })
}

/// The next parts of a file, and where it goes on; `None` at its end.
pub fn look(step: &MapStep) -> Result<(Vec<Part>, Option<u64>), Refusal> {
    let shown = step.path.display().to_string();
    let io = |error: std::io::Error| Failure::Io(error).refusal(&step.path);
    let file = open(&step.path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(MmapError::NotSuitable(shown).into());
    }
    let (mut parts, mut at, mut bytes) = (Vec::new(), step.from, 0);
    while bytes < MAP_STEP_BYTES && parts.len() < MAP_STEP_PARTS {
        let Some((offset, end)) = data(&file, at).map_err(io)? else {
            return match at {
                0 => Err(MmapError::NotSuitable(shown).into()),
                _ => Ok((parts, None)),
            };
        };
        let len = match step.part_bytes {
            0 => end - offset,
            most => most.min(end - offset),
        };
        if len > step.part_bytes_max {
            return Err(MmapError::TooBig(shown, step.part_bytes_max).into());
        }
        // It may be shorter by now.
        let blob = read(&file, offset, len).map_err(|_| LoadError::MappedChanged)?;
        let name = BlobRef::of(step.hash, &blob);
        parts.push(Part { name, offset, len });
        (at, bytes) = (offset + len, bytes + len);
    }
    Ok((parts, Some(at)))
}

/// Begin and end of the next data; `None` if there are none up to the end of the file.
fn data(file: &File, from: u64) -> std::io::Result<Option<(u64, u64)>> {
    let begin = match seek(file, SeekFrom::Data(from)) {
        Err(rustix::io::Errno::NXIO) => return Ok(None),
        begin => begin?,
    };
    let end = seek(file, SeekFrom::Hole(begin))?;
    Ok((end > begin).then_some((begin, end)))
}

/// A pipe or device is not waited for.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn read(file: &File, offset: u64, len: u64) -> std::io::Result<Vec<u8>> {
    let len = usize::try_from(len).map_err(std::io::Error::other)?;
    let mut blob = vec![0; len];
    file.read_exact_at(&mut blob, offset)?;
    Ok(blob)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use proto::data::HashKind;

    use super::*;

    fn step(path: &Path, part_bytes: u64) -> MapStep {
        MapStep {
            path: path.to_owned(),
            hash: HashKind::Sha1,
            part_bytes,
            part_bytes_max: 16 << 20,
            from: 0,
        }
    }

    /// The parts of a file as `offset+len`, or why there are none.
    fn check(path: &Path, part_bytes: u64, expect: &str) {
        let mut step = step(path, part_bytes);
        let mut shown = Vec::new();
        loop {
            let (parts, next) = match look(&step) {
                Ok(found) => found,
                Err(refusal) => {
                    let text = refusal.to_string();
                    return assert_eq!(text.replace(&path.display().to_string(), "F"), expect);
                }
            };
            shown.extend(
                parts
                    .iter()
                    .map(|part| format!("{}+{}", part.offset, part.len)),
            );
            match next {
                Some(from) => step.from = from,
                None => return assert_eq!(shown.join(" "), expect),
            }
        }
    }

    #[test]
    fn a_file_is_parted_and_holes_are_left_out() {
        const MIB: u64 = 1 << 20;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![7; 2500]).unwrap();
        check(&path, 1000, "0+1000 1000+1000 2000+500");
        check(&path, 0, "0+2500");
        check(&path, 2500, "0+2500");
        let file = File::create(&path).unwrap();
        file.set_len(17 * MIB).unwrap();
        check(&path, 1000, "F: not suitable for mapping");
        file.write_all_at(&[1; 4096], MIB).unwrap();
        file.write_all_at(&[2; 4096], 2 * MIB).unwrap();
        check(&path, MIB, "1048576+4096 2097152+4096");
        file.set_len(0).unwrap();
        file.write_all_at(&vec![3; 17 << 20], 0).unwrap();
        check(&path, 0, "F: a part is longer than 16777216 bytes");
        check(&path, 6 * MIB, "0+6291456 6291456+6291456 12582912+5242880");
    }

    #[test]
    fn what_is_no_file_with_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        check(folder.path(), 0, "F: not suitable for mapping");
        check(&path, 0, "F: No such file or directory");
        File::create(&path).unwrap();
        check(&path, 0, "F: not suitable for mapping");
        check(Path::new("/dev/null"), 0, "F: not suitable for mapping");
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        check(&pipe, 0, "F: not suitable for mapping");
    }

    #[test]
    fn a_blob_is_given_while_it_is_what_its_name_says() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        let places = paths.clone().map(|path: PathBuf| Place {
            path: Arc::new(path),
            offset: 1,
            len: 3,
        });
        let name = BlobRef::of(HashKind::Sha256, b"one");
        let given = || load(&name, &places).map(|blob| blob.to_vec());
        assert_eq!(given(), None, "there are no such files");
        std::fs::write(&paths[0], "<one>").unwrap();
        assert_eq!(given(), Some(b"one".to_vec()));
        std::fs::write(&paths[1], "<one>").unwrap();
        std::fs::write(&paths[0], "<two>").unwrap();
        assert_eq!(given(), Some(b"one".to_vec()), "the other still has it");
        std::fs::write(&paths[1], "<on").unwrap();
        assert_eq!(given(), None);
    }
}
