//! Table of the blobs that are in files of this host, so that nothing of a file is copied
//! (protocol/24 section 16). `store/mapped.rs` reads the files. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use proto::content::{MmapError, MmapStats};
use proto::data::{BlobRef, HashKind};

use crate::limits::{MAPPED_FILES_MAX, MAPPED_PARTS_MAX, MAPPED_PLACES_TRIED};

/// A mapped file, in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FileId(u64);

/// A blob that is a part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name.
    pub name: BlobRef,
    /// Offset.
    pub offset: u64,
    /// Length.
    pub len: u64,
}

/// Location of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Arc<PathBuf>,
    /// Offset.
    pub offset: u64,
    /// Length.
    pub len: u64,
}

/// Some of a file that is to be mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapStep {
    /// The file.
    pub path: PathBuf,
    /// Hash of blobrefs.
    pub hash: HashKind,
    /// Bytes of a part; 0 for as much as there is up to a hole.
    pub part_bytes: u64,
    /// Bytes that a part may have.
    pub part_bytes_max: u64,
    /// Offset of the start.
    pub from: u64,
}

/// The mapped files and their blobs.
#[derive(Debug, Default)]
pub struct Mapped {
    files: BTreeMap<FileId, File>,
    /// One place of each blob in each file.
    parts: BTreeMap<(BlobRef, FileId), (u64, u64)>,
    last: FileId,
}

#[derive(Debug)]
struct File {
    tag: String,
    path: Arc<PathBuf>,
    /// All of it is known.
    is_whole: bool,
}

impl Mapped {
    /// Begins to map a file.
    pub fn open(&mut self, tag: String, path: PathBuf) -> Result<FileId, MmapError> {
        if self.files.len() >= MAPPED_FILES_MAX {
            return Err(MmapError::Full);
        }
        self.last.0 += 1;
        let file = File {
            tag,
            path: Arc::new(path),
            is_whole: false,
        };
        self.files.insert(self.last, file);
        Ok(self.last)
    }

    /// Goes on with a file, all or nothing.
    pub fn extend(&mut self, file: FileId, parts: Vec<Part>) -> Result<(), MmapError> {
        if !self.files.contains_key(&file) {
            return Err(MmapError::Removed);
        }
        if self.parts.len() + parts.len() > MAPPED_PARTS_MAX {
            return Err(MmapError::Full);
        }
        let parts = parts.into_iter();
        self.parts
            .extend(parts.map(|part| ((part.name, file), (part.offset, part.len))));
        Ok(())
    }

    /// The file is complete: earlier knowledge of it under this tag is forgotten.
    pub fn close(&mut self, file: FileId) -> Result<(), MmapError> {
        let Some(whole) = self.files.get_mut(&file) else {
            return Err(MmapError::Removed);
        };
        whole.is_whole = true;
        let (tag, path) = (whole.tag.clone(), whole.path.clone());
        self.forget(|id, other| {
            id < file && other.is_whole && other.tag == tag && other.path == path
        });
        Ok(())
    }

    /// Forgets a file that could not be mapped as a whole.
    pub fn give_up(&mut self, file: FileId) {
        self.forget(|id, _| id == file);
    }

    /// Forgets the files with a tag, those that are being mapped too.
    pub fn remove_tag(&mut self, tag: &str) {
        self.forget(|_, file| file.tag == tag);
    }

    fn forget(&mut self, is_meant: impl Fn(FileId, &File) -> bool) {
        let before = self.files.len();
        self.files.retain(|id, file| !is_meant(*id, file));
        if self.files.len() < before {
            let files = &self.files;
            self.parts.retain(|(_, id), _| files.contains_key(id));
        }
    }

    /// Where a blob is, the oldest place first.
    pub fn places(&self, name: &BlobRef) -> Vec<Place> {
        let all = (*name, FileId(0))..=(*name, FileId(u64::MAX));
        let found = self.parts.range(all).filter_map(|((_, id), part)| {
            let (offset, len) = *part;
            let path = self.files.get(id)?.path.clone();
            Some(Place { path, offset, len })
        });
        found.take(MAPPED_PLACES_TRIED).collect()
    }

    /// Mapped files, for `content.stats-get`.
    pub fn stats(&self) -> MmapStats {
        let mut stats = MmapStats {
            blobs: self.parts.len() as u64,
            ..MmapStats::default()
        };
        for file in self.files.values().filter(|file| file.is_whole) {
            let paths: &mut Vec<String> = stats.tags.entry(file.tag.clone()).or_default();
            paths.push(file.path.display().to_string());
        }
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, offset: u64) -> Part {
        Part {
            name: BlobRef::of(HashKind::Sha1, text.as_bytes()),
            offset,
            len: text.len() as u64,
        }
    }

    /// Maps a file with these parts.
    fn map(mapped: &mut Mapped, tag: &str, path: &str, parts: &[&str]) -> Result<(), MmapError> {
        let file = mapped.open(tag.to_owned(), path.into())?;
        let parts = parts.iter().zip(0..).map(|(text, n)| part(text, n));
        mapped.extend(file, parts.collect())?;
        mapped.close(file)
    }

    fn places(mapped: &Mapped, text: &str) -> String {
        let found = mapped.places(&part(text, 0).name);
        let shown = found
            .iter()
            .map(|place| format!("{}@{}+{}", place.path.display(), place.offset, place.len));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_blob_is_where_a_file_has_it() {
        let mut mapped = Mapped::default();
        map(&mut mapped, "x", "/a", &["one", "three"]).unwrap();
        map(&mut mapped, "y", "/b", &["three"]).unwrap();
        assert_eq!(places(&mapped, "one"), "/a@0+3");
        assert_eq!(places(&mapped, "three"), "/a@1+5 /b@0+5");
        assert_eq!(places(&mapped, "two"), "");
        mapped.remove_tag("x");
        assert_eq!(places(&mapped, "one"), "");
        assert_eq!(places(&mapped, "three"), "/b@0+5");
        mapped.remove_tag("x");
        let stats = mapped.stats();
        assert_eq!(
            (format!("{:?}", stats.tags), stats.blobs),
            (r#"{"y": ["/b"]}"#.into(), 1)
        );
    }

    #[test]
    fn a_file_that_is_mapped_again_is_what_it_is_now() {
        let mut mapped = Mapped::default();
        map(&mut mapped, "x", "/a", &["one"]).unwrap();
        map(&mut mapped, "x", "/a", &["two"]).unwrap();
        assert_eq!(
            (places(&mapped, "one"), places(&mapped, "two")),
            (String::new(), "/a@0+3".into())
        );
        assert_eq!(mapped.stats().blobs, 1);
    }

    #[test]
    fn a_file_that_is_given_up_or_removed_meanwhile_leaves_nothing() {
        let mut mapped = Mapped::default();
        let first = mapped.open("x".to_owned(), "/a".into()).unwrap();
        mapped.extend(first, vec![part("one", 0)]).unwrap();
        assert!(mapped.stats().tags.is_empty(), "not before it is whole");
        mapped.give_up(first);
        assert_eq!(mapped.stats().blobs, 0);
        let second = mapped.open("x".to_owned(), "/a".into()).unwrap();
        mapped.remove_tag("x");
        let removed = Err(MmapError::Removed);
        assert_eq!(mapped.extend(second, vec![part("one", 0)]), removed);
        assert_eq!(mapped.close(second), removed);
        assert_eq!(mapped.stats(), MmapStats::default());
    }

    #[test]
    fn there_is_an_end_to_what_is_mapped() {
        let mut mapped = Mapped::default();
        for _ in 0..MAPPED_FILES_MAX {
            mapped.open("x".to_owned(), "/a".into()).unwrap();
        }
        assert_eq!(
            mapped.open("x".to_owned(), "/a".into()),
            Err(MmapError::Full)
        );
        let mut mapped = Mapped::default();
        let file = mapped.open("x".to_owned(), "/a".into()).unwrap();
        let parts = vec![part("one", 0); MAPPED_PARTS_MAX + 1];
        assert_eq!(mapped.extend(file, parts), Err(MmapError::Full));
    }
}
