//! Jobs that have begun and of which the KVS does not say so yet: a line each in a file beside
//! the content store, written before a shell is told its job. So most jobs need no commit to
//! begin, and all the same no shell is started a second time by a job-exec after us.
//!
//! A line is needed until the job's guest log is in the KVS. The file is written again without
//! those that are not when it has grown.
//!
//! The worker reads and writes the file; tests put a text of their own in its place.

#![allow(clippy::disallowed_types, reason = "the worker writes, and only here")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use proto::data::JobId;
use serde::{Deserialize, Serialize};

use crate::Surroundings;
use crate::limits::{BEGUN_BYTES_MAX, BEGUN_FILE_BYTES_MAX};
use crate::process::Process;

/// The file's name, in the state directory or the run directory.
pub const BEGUN_FILE: &str = "job-exec.begun";

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    id: JobId,
    /// The job's shell on rank 0, if it has one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shell: Option<Process>,
}

/// Where the lines are.
pub trait BegunLog: Send {
    /// Uses the file in this folder from now on, and gives what it holds.
    fn open(&mut self, folder: &Path) -> io::Result<Vec<u8>>;
    /// Adds a line.
    fn append(&mut self, line: &str) -> io::Result<()>;
    /// Puts these lines in the place of all others.
    fn replace(&mut self, lines: &str) -> io::Result<()>;
}

/// What is known of it.
#[derive(Debug, Default)]
pub struct Begun {
    /// Whether it is kept: not before the start, and not where every commit is to outlast a
    /// loss of power.
    pub is_kept: bool,
    /// What was there when we came.
    before: BTreeMap<JobId, Option<Process>>,
    /// The lines that are needed.
    needed: BTreeMap<JobId, String>,
    /// Bytes of these.
    needed_bytes: usize,
    /// Bytes of the file.
    bytes: usize,
}

impl Begun {
    /// Takes in what was there when we came. What cannot be read is left out: only the last
    /// line can have been cut off, and its shell was told nothing.
    pub fn read(&mut self, text: &[u8]) {
        self.bytes = text.len();
        for line in String::from_utf8_lossy(text).lines() {
            let Ok(Line { id, shell }) = serde_json::from_str(line) else {
                tracing::warn!("{BEGUN_FILE}: a line that cannot be read: {line}");
                continue;
            };
            self.need(id, format!("{line}\n"));
            self.before.insert(id, shell);
        }
    }

    /// Whether a job-exec before us has begun a job, and its shell if it is known.
    pub fn take(&mut self, id: JobId) -> Option<Option<Process>> {
        self.before.remove(&id)
    }

    /// Whether there is something of a time before us that nobody has asked for.
    pub fn has_old(&self) -> bool {
        !self.before.is_empty()
    }

    /// A line was added.
    pub fn note(&mut self, id: JobId, line: String) {
        self.bytes += line.len();
        self.need(id, line);
    }

    fn need(&mut self, id: JobId, line: String) {
        self.needed_bytes += line.len();
        let before = self.needed.insert(id, line);
        self.needed_bytes -= before.map_or(0, |line| line.len());
    }

    /// The KVS has what there is to know of a job, or nobody will ask.
    pub fn forget(&mut self, id: JobId) {
        let line = self.needed.remove(&id);
        self.needed_bytes -= line.map_or(0, |line| line.len());
        self.before.remove(&id);
    }

    /// Forgets what was there when we came, but for these jobs.
    pub fn forget_all_but(&mut self, is_known: impl Fn(JobId) -> bool) {
        let old: Vec<JobId> = self.before.keys().copied().collect();
        for id in old.into_iter().filter(|id| !is_known(*id)) {
            self.forget(id);
        }
    }

    /// What the file is to be, if it has grown for nothing.
    pub fn rewrite(&mut self) -> Option<String> {
        if self.bytes < BEGUN_BYTES_MAX.max(2 * self.needed_bytes) {
            return None;
        }
        self.bytes = self.needed_bytes;
        Some(self.needed.values().map(String::as_str).collect())
    }
}

impl Surroundings {
    /// Notes that a job has begun. Gives the line.
    pub fn note_begun(&mut self, id: JobId, shell: Option<&Process>) -> io::Result<String> {
        let shell = shell.cloned();
        let mut line = serde_json::to_string(&Line { id, shell })?;
        line.push('\n');
        self.begun.append(&line)?;
        Ok(line)
    }
}

/// The file.
#[derive(Debug, Default)]
pub struct BegunFile {
    path: PathBuf,
    file: Option<File>,
    /// A line may have been written in part.
    is_torn: bool,
}

impl BegunLog for BegunFile {
    fn open(&mut self, folder: &Path) -> io::Result<Vec<u8>> {
        self.path = folder.join(BEGUN_FILE);
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => drop(file.take(BEGUN_FILE_BYTES_MAX).read_to_end(&mut text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // A line that was cut off by a kill must not swallow the next.
        self.is_torn = text.last().is_some_and(|last| *last != b'\n');
        self.file = Some(options().append(true).create(true).open(&self.path)?);
        Ok(text)
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let file = self.file.as_mut();
        let file = file.ok_or_else(|| io::Error::other(format!("{BEGUN_FILE} is not open")))?;
        let written = match self.is_torn {
            true => file.write_all(format!("\n{line}").as_bytes()),
            false => file.write_all(line.as_bytes()),
        };
        self.is_torn = written.is_err();
        written
    }

    fn replace(&mut self, lines: &str) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut options = options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .open(&fresh)?;
        file.write_all(lines.as_bytes())?;
        std::fs::rename(&fresh, &self.path)?;
        self.file = Some(self::options().append(true).open(&self.path)?);
        self.is_torn = false;
        Ok(())
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> Process {
        Process {
            pid: 7,
            start: 100,
            boot: "a".to_owned(),
        }
    }

    fn around() -> Surroundings {
        Surroundings {
            job_shell: String::new(),
            processes: Box::<crate::ThisHost>::default(),
            begun: Box::<BegunFile>::default(),
        }
    }

    #[test]
    fn what_was_noted_is_known_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut around = around();
        assert_eq!(around.begun.open(folder.path()).unwrap(), b"");
        around.note_begun(JobId(1), Some(&process())).unwrap();
        around.note_begun(JobId(2), None).unwrap();
        around.begun.append("cut off").unwrap();
        let mut next = self::around();
        let text = next.begun.open(folder.path()).unwrap();
        next.note_begun(JobId(3), None).unwrap();
        let mut begun = Begun::default();
        begun.read(&text);
        assert_eq!(begun.take(JobId(1)), Some(Some(process())));
        assert_eq!(begun.take(JobId(2)), Some(None));
        assert_eq!(begun.take(JobId(3)), None);
        let text = self::around().begun.open(folder.path()).unwrap();
        let mut begun = Begun::default();
        begun.read(&text);
        assert_eq!(begun.take(JobId(3)), Some(None));
    }

    #[test]
    fn the_file_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let mut around = around();
        around.begun.open(folder.path()).unwrap();
        let mut begun = Begun::default();
        let path = folder.path().join(BEGUN_FILE);
        for id in 0..20_000 {
            let line = around.note_begun(JobId(id), Some(&process())).unwrap();
            begun.note(JobId(id), line);
            if id >= 3 {
                begun.forget(JobId(id - 3));
            }
            if let Some(lines) = begun.rewrite() {
                around.begun.replace(&lines).unwrap();
            }
            let bytes = std::fs::metadata(&path).unwrap().len();
            assert!(bytes <= BEGUN_BYTES_MAX as u64, "{bytes} bytes");
        }
        let text = self::around().begun.open(folder.path()).unwrap();
        let mut next = Begun::default();
        next.read(&text);
        for id in 19_997..20_000 {
            assert_eq!(next.take(JobId(id)), Some(Some(process())), "{id}");
        }
    }

    #[test]
    fn without_a_file_nothing_is_noted() {
        let mut around = around();
        assert!(around.note_begun(JobId(1), None).is_err());
        assert!(around.begun.open(Path::new("/nowhere")).is_err());
    }
}
