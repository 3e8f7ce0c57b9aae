//! The witness: a small file beside the store that records the last acknowledged state.
//!
//! A store that lost its end looks like one that never had it: SQLite reads its
//! write-ahead log up to the first frame that is not right and takes the rest for a
//! transaction that was never finished. The witness is written over after every
//! transaction and before its answers, so that an end that is missing is known as damage.
//! It is not synced by itself: it never runs ahead of a log that is, and one that stayed
//! behind in a loss of power only knows less.
//!
//! ```text
//! witness = "ffwitn01" number:u64 salts:u32*2 frames:u32 sums:u32*2 sha1-of-these:20
//! ```
#![allow(clippy::disallowed_types, reason = "this is where a file is kept")]

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use proto::data::{BlobRef, HashKind};

use super::failure::Failure;
use super::files_beside::{beside, delete};

const MAGIC: &[u8; 8] = b"ffwitn01";
const BODY_BYTES: usize = 36;
const BYTES: usize = BODY_BYTES + 20;

/// Last acknowledged state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Acknowledged {
    /// Number of the newest transaction that has one.
    pub number: u64,
    /// Least end of the write-ahead log. `None` while the main file has it all.
    pub log: Option<LogEnd>,
}

/// The last frame of a write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogEnd {
    /// Salts, which distinguish one life of the log from the next.
    pub salts: [u32; 2],
    /// Frames in it, at least one.
    pub frames: u32,
    /// The running checksum, as the last frame has it.
    pub sums: [u32; 2],
}

/// The open file.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    file: File,
    told: Acknowledged,
}

impl Witness {
    /// Reads the witness of the store at `store`. `None` when there is no witness.
    pub fn read(store: &Path) -> Result<Option<Acknowledged>, Failure> {
        let path = path_of(store);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::File(path, error)),
        };
        match Acknowledged::decode(&bytes) {
            Some(told) => Ok(Some(told)),
            None => Err(Failure::Damaged(format!("{} is damaged", path.display()))),
        }
    }

    /// Opens the witness, and writes `told` into it.
    pub fn open(store: &Path, told: Acknowledged) -> Result<Witness, Failure> {
        let path = path_of(store);
        let whole = std::fs::metadata(&path).is_ok_and(|found| found.len() == BYTES as u64);
        if !whole {
            // It is never there without all of its bytes.
            let new = beside(&path, ".new");
            let made = std::fs::write(&new, told.encode());
            let made = made.and_then(|()| std::fs::rename(&new, &path));
            made.map_err(|error| Failure::File(path.clone(), error))?;
        }
        let file = File::options().write(true).open(&path);
        let file = file.map_err(|error| Failure::File(path.clone(), error))?;
        let mut witness = Witness { path, file, told };
        witness.write(told)?;
        Ok(witness)
    }

    /// Writes the state acknowledged by now.
    pub fn record(&mut self, told: Acknowledged) -> Result<(), Failure> {
        if told == self.told {
            return Ok(());
        }
        self.write(told)
    }

    fn write(&mut self, told: Acknowledged) -> Result<(), Failure> {
        let written = self.file.write_all_at(&told.encode(), 0);
        written.map_err(|error| Failure::File(self.path.clone(), error))?;
        self.told = told;
        Ok(())
    }
}

/// Takes the witness of a store away.
pub fn remove(store: &Path) -> Result<(), Failure> {
    delete(&path_of(store))
}

fn path_of(store: &Path) -> PathBuf {
    beside(store, ".witness")
}

impl Acknowledged {
    fn encode(&self) -> Vec<u8> {
        let log = self.log.unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.number.to_be_bytes());
        let [first, second] = log.salts;
        let [left, right] = log.sums;
        for word in [first, second, log.frames, left, right] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(BlobRef::of(HashKind::Sha1, &bytes).digest());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Acknowledged> {
        let (body, sum) = bytes.split_at_checked(BODY_BYTES)?;
        if BlobRef::of(HashKind::Sha1, body).digest() != sum || !body.starts_with(MAGIC) {
            return None;
        }
        let (number, words) = body[MAGIC.len()..].split_first_chunk()?;
        let mut words = words.chunks_exact(4);
        let mut word = || Some(u32::from_be_bytes(words.next()?.try_into().ok()?));
        let log = LogEnd {
            salts: [word()?, word()?],
            frames: word()?,
            sums: [word()?, word()?],
        };
        Some(Acknowledged {
            number: u64::from_be_bytes(*number),
            log: (log.frames > 0).then_some(log),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_says_what_it_was_told_and_every_flipped_bit_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        assert_eq!(Witness::read(&store).unwrap(), None);
        let log = LogEnd {
            salts: [1, 2],
            frames: 3,
            sums: [4, 5],
        };
        let mut told = Acknowledged {
            number: 7,
            log: Some(log),
        };
        let mut witness = Witness::open(&store, told).unwrap();
        assert_eq!(Witness::read(&store).unwrap(), Some(told));
        told = Acknowledged {
            number: 8,
            log: None,
        };
        witness.record(told).unwrap();
        assert_eq!(Witness::read(&store).unwrap(), Some(told));
        let whole = told.encode();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Acknowledged::decode(&bytes), None, "bit {bit}");
        }
        for len in 0..whole.len() {
            assert_eq!(Acknowledged::decode(&whole[..len]), None, "{len} bytes");
        }
        remove(&store).unwrap();
        assert_eq!(Witness::read(&store).unwrap(), None);
    }
}
