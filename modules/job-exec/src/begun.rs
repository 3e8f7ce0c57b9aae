//! Jobs that have begun and whose start is not in the KVS yet: a line each in a file beside
//! the content store, written before a shell receives its job. So most jobs need no commit to
//! begin, and all the same no shell is started a second time by a job-exec after us.
//!
//! A line is needed until the job's guest log is in the KVS. The worker reads and writes the
//! file; tests put a text of their own in its place.

use std::collections::BTreeMap;
use std::io;

use ahead::Lines;
use proto::data::JobId;
use serde::{Deserialize, Serialize};

use crate::Surroundings;
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

/// Process, if known.
#[derive(Debug, Default)]
pub struct Begun {
    /// True if it is kept: not before the start, and not where every commit is to survive a
    /// power failure.
    pub is_kept: bool,
    /// Jobs that had begun before this start.
    before: BTreeMap<JobId, Option<Process>>,
    /// Lines of the file.
    lines: Lines<JobId>,
}

impl Begun {
    /// Reads the record of jobs from before our start. Unreadable lines are left out:
    /// only the last line can have been cut off, and its shell received nothing.
    pub fn read(&mut self, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines() {
            match serde_json::from_str(line) {
                Ok(Line { id, shell }) => drop(self.before.insert(id, shell)),
                Err(_) => tracing::warn!("{BEGUN_FILE}: unreadable line: {line}"),
            }
        }
        let needed = self.before.iter();
        let needed = needed.filter_map(|(id, shell)| Some((*id, line(*id, shell.clone()).ok()?)));
        self.lines.found(text, needed);
    }

    /// Takes the record of a job begun by an earlier job-exec, with its shell if known.
    pub fn take(&mut self, id: JobId) -> Option<Option<Process>> {
        self.before.remove(&id)
    }

    /// True if there are jobs of an earlier job-exec that nobody has asked for.
    pub fn has_old(&self) -> bool {
        !self.before.is_empty()
    }

    /// A line was added.
    pub fn note(&mut self, id: JobId, line: &str) {
        self.lines.note(id, line);
    }

    /// The KVS has all data of a job, or nobody will ask.
    pub fn forget(&mut self, id: JobId) {
        self.lines.forget(&id);
        self.before.remove(&id);
    }

    /// Forgets all jobs from before our start, except these.
    pub fn forget_all_but(&mut self, is_known: impl Fn(JobId) -> bool) {
        let old: Vec<JobId> = self.before.keys().copied().collect();
        for id in old.into_iter().filter(|id| !is_known(*id)) {
            self.forget(id);
        }
    }

    /// New contents of the file, if it has grown for nothing.
    pub fn rewrite(&mut self) -> Option<String> {
        self.lines.rewrite()
    }
}

impl Surroundings {
    /// Notes that a job has begun. Gives the line.
    pub fn note_begun(&mut self, id: JobId, shell: Option<&Process>) -> io::Result<String> {
        let line = line(id, shell.cloned())?;
        self.begun.append(&line)?;
        Ok(line)
    }
}

fn line(id: JobId, shell: Option<Process>) -> io::Result<String> {
    let mut line = serde_json::to_string(&Line { id, shell })?;
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use ahead::LogFile;

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
            begun: Box::new(LogFile::new(BEGUN_FILE)),
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
    fn without_a_file_nothing_is_noted() {
        assert!(around().note_begun(JobId(1), None).is_err());
    }
}
