//! The file `records`: one line for each batch that changed records or checkpoints, with
//! its hash before it, so that a line that was cut off is known. From time to time one
//! line with everything takes the place of all, by a rename.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use proto::data::{BlobRef, HashKind};

use super::state::{Line, State};
use crate::limits::{DAMAGED_FILES_MAX, RECORDS_BYTES_MIN, RECORDS_GROWTH_MAX};
use crate::store::damage::Damage;
use crate::store::failure::Failure;

const NAME: &str = "records";
const TEMPORARY: &str = "records.new";

/// The open file.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    file: File,
    /// Bytes of whole lines.
    len: u64,
    /// Bytes when it was written again last.
    compact_len: u64,
    /// True if there may be data after the whole lines.
    is_torn: bool,
}

impl Journal {
    /// Opens or makes the file, and returns its entries. The witness knows the number of
    /// the newest line.
    pub fn open(
        folder: &Path,
        checkpoints_max: usize,
        witnessed: Option<u64>,
        damage: &mut Damage,
    ) -> Result<(Journal, State), Failure> {
        let path = folder.join(NAME);
        let told = |error| Failure::File(path.clone(), error);
        let mut file = open_file(&path).map_err(told)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(told)?;
        let mut journal = Journal {
            folder: folder.to_owned(),
            file,
            len: 0,
            compact_len: 0,
            is_torn: false,
        };
        let mut state = State::default();
        let (mut rest, mut n_lost, mut n_unsaid) = (bytes.as_slice(), 0, 0);
        while !rest.is_empty() {
            let next = rest.iter().position(|byte| *byte == b'\n');
            let len = next.map_or(rest.len(), |at| at + 1);
            match whole_line(&rest[..len]) {
                Some(line) => {
                    state.apply(line, checkpoints_max);
                    journal.len += len as u64;
                    n_lost += std::mem::take(&mut n_unsaid);
                }
                None => n_unsaid += 1,
            }
            rest = &rest[len..];
        }
        journal.is_torn = n_unsaid > 0;
        let (shown, number) = (path.display(), state.number);
        let newest = witnessed.unwrap_or(number);
        if newest > number {
            n_lost += n_unsaid;
            damage.note(&format!(
                "{shown}: lines {} to {newest} are missing, with their changes",
                number + 1
            ));
        }
        if n_lost > 0 {
            journal.put_aside(&bytes, n_lost, damage)?;
        }
        if n_lost > 0 || newest > number {
            state.number = newest.max(number);
            journal.compact(&state, true)?;
        } else if n_unsaid > 0 {
            tracing::warn!("{shown}: the last batch was incomplete");
        }
        if witnessed.is_none() && number > 0 {
            damage.note(&format!(
                "{shown}: its witness is missing: lines after {number} may be lost"
            ));
        }
        Ok((journal, state))
    }

    /// Keeps a file in the middle of which lines are damaged.
    fn put_aside(&self, bytes: &[u8], n_lost: usize, damage: &mut Damage) -> Result<(), Failure> {
        let aside = |number| self.folder.join(format!("{NAME}.damaged-{number}"));
        let free = (1..=DAMAGED_FILES_MAX)
            .map(aside)
            .find(|path| !path.exists());
        let Some(path) = free else {
            let many = format!(
                "there are {DAMAGED_FILES_MAX} damaged files of records already: \
                move them away"
            );
            return Err(Failure::Lost(many));
        };
        let (folder, shown) = (self.folder.display(), path.display());
        damage.note(&format!(
            "{folder}/{NAME}: dropped {n_lost} damaged lines; kept as {shown}"
        ));
        std::fs::write(&path, bytes).map_err(|error| Failure::File(path.clone(), error))
    }

    /// Deletes the file.
    pub fn delete(folder: &Path) -> Result<(), Failure> {
        let path = folder.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::File(path, error)),
            _ => Ok(()),
        }
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds a line.
    pub fn append(&mut self, line: &str, is_power_safe: bool) -> Result<(), Failure> {
        let written = self.try_append(line, is_power_safe);
        written.map_err(|error| Failure::File(self.folder.join(NAME), error))
    }

    fn try_append(&mut self, line: &str, is_power_safe: bool) -> std::io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.len)?;
        }
        self.is_torn = true;
        self.file.seek(SeekFrom::Start(self.len))?;
        let line = framed(line);
        self.file.write_all(line.as_bytes())?;
        if is_power_safe {
            self.file.sync_data()?;
        }
        self.is_torn = false;
        self.len += line.len() as u64;
        Ok(())
    }

    /// Undoes an `append` that has begun.
    pub fn undo(&mut self) {
        if self.is_torn && self.file.set_len(self.len).is_ok() {
            self.is_torn = false;
        }
    }

    /// Writes everything again once the file is much longer than that. It may as well be
    /// done the next time.
    pub fn compact_if_long(&mut self, state: &State, is_power_safe: bool) {
        let max = self.compact_len.saturating_mul(RECORDS_GROWTH_MAX);
        if self.len <= max.max(RECORDS_BYTES_MIN) {
            return;
        }
        if let Err(failure) = self.compact(state, is_power_safe) {
            tracing::warn!("{}", failure.refusal(&self.folder.join(NAME)));
        }
    }

    fn compact(&mut self, state: &State, is_power_safe: bool) -> Result<(), Failure> {
        let line = framed(&state.whole().text()?);
        let temporary = self.folder.join(TEMPORARY);
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            if is_power_safe {
                file.sync_data()?;
            }
            std::fs::rename(&temporary, self.folder.join(NAME))?;
            self.file = file;
            self.len = line.len() as u64;
            self.compact_len = self.len;
            match is_power_safe {
                true => File::open(&self.folder)?.sync_all(),
                false => Ok(()),
            }
        });
        written.map_err(|error| Failure::File(temporary, error))
    }
}

fn open_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn framed(line: &str) -> String {
    format!("{} {line}\n", BlobRef::of(HashKind::Sha1, line.as_bytes()))
}

/// Decodes a line, if it is whole.
fn whole_line(bytes: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(bytes.strip_suffix(b"\n")?).ok()?;
    let (hash, text) = text.split_once(' ')?;
    let hash: BlobRef = hash.parse().ok()?;
    match BlobRef::of(hash.kind(), text.as_bytes()) == hash {
        true => Line::parse(text),
        false => None,
    }
}
