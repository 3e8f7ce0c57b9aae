//! Damage to a file: one bit, its end, or one page of it.

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::site::Rng;

/// Bytes that are zeroed together.
const PAGE_BYTES: u64 = 4096;

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One bit is another.
    Flip,
    /// The end is missing.
    Cut,
    /// A page is zero.
    Zeros,
}

/// One damage to one file.
pub struct Harm {
    kind: Kind,
    /// Below the state directory.
    path: PathBuf,
    at: u64,
    bit: u8,
}

impl Harm {
    /// Damage that has not been done yet. Every file is as likely as any other; of the
    /// blobs in a folder of many, one.
    pub fn draw(statedir: &Path, kind: Kind, rng: &mut Rng) -> Result<Harm> {
        let mut files = files_below(statedir)?;
        let (blobs, others): (Vec<PathBuf>, Vec<PathBuf>) =
            files.drain(..).partition(|path| is_blob(path));
        let mut choices = others;
        if !blobs.is_empty() {
            choices.push(rng.choose(&blobs).clone());
        }
        ensure!(!choices.is_empty(), "the state directory is empty");
        let path = rng.choose(&choices).clone();
        let bytes = std::fs::metadata(&path)?.len();
        Ok(Harm {
            kind,
            at: rng.below(bytes),
            bit: rng.below(8) as u8,
            path: path.strip_prefix(statedir)?.to_owned(),
        })
    }

    /// Does it.
    pub fn inflict(&self, statedir: &Path) -> Result<()> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .open(statedir.join(&self.path))?;
        match self.kind {
            Kind::Flip => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, self.at)?;
                file.write_all_at(&[byte[0] ^ 1 << self.bit], self.at)?;
            }
            Kind::Cut => file.set_len(self.at)?,
            Kind::Zeros => {
                let first = self.at / PAGE_BYTES * PAGE_BYTES;
                let end = file.metadata()?.len().min(first + PAGE_BYTES);
                file.write_all_at(&vec![0; (end - first) as usize], first)?;
            }
        }
        Ok(())
    }

    /// The file, blobs together.
    pub fn file(&self) -> String {
        match is_blob(&self.path) {
            true => "a blob".to_owned(),
            false => self.path.display().to_string(),
        }
    }
}

fn is_blob(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("sha"))
}

/// All files that have something in them, in an order that is always the same.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else if entry.metadata()?.len() > 0 {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flip => "flipped bit",
            Self::Cut => "cut",
            Self::Zeros => "zeroed page",
        })
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, at, bit) = (self.path.display(), self.at, self.bit);
        write!(f, "{} of {path} at byte {at}, bit {bit}", self.kind)
    }
}
