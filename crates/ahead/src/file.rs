//! The file.

#![allow(clippy::disallowed_types, reason = "here is the file")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::Log;
use crate::limits::FILE_BYTES_MAX;

/// A file of lines.
#[derive(Debug)]
pub struct LogFile {
    name: &'static str,
    path: PathBuf,
    file: Option<File>,
    /// A line may have been written in part.
    is_torn: bool,
}

impl LogFile {
    /// The file of this name, which is not open yet.
    pub fn new(name: &'static str) -> LogFile {
        LogFile {
            name,
            path: PathBuf::new(),
            file: None,
            is_torn: false,
        }
    }
}

impl Log for LogFile {
    fn open(&mut self, folder: &Path) -> io::Result<Vec<u8>> {
        self.path = folder.join(self.name);
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => drop(file.take(FILE_BYTES_MAX).read_to_end(&mut text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // A line that was cut off by a kill must not swallow the next.
        self.is_torn = text.last().is_some_and(|last| *last != b'\n');
        self.file = Some(options().append(true).create(true).open(&self.path)?);
        Ok(text)
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        let file = self.file.as_mut();
        let file = file.ok_or_else(|| io::Error::other(format!("{} is not open", self.name)))?;
        let written = match self.is_torn {
            true => file.write_all(format!("\n{lines}").as_bytes()),
            false => file.write_all(lines.as_bytes()),
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

    #[test]
    fn what_was_added_is_read_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogFile::new("lines");
        assert_eq!(log.open(folder.path()).unwrap(), b"");
        log.append("1\n2\n").unwrap();
        log.append("cut off").unwrap();
        let mut next = LogFile::new("lines");
        assert_eq!(next.open(folder.path()).unwrap(), b"1\n2\ncut off");
        next.append("3\n").unwrap();
        let mut last = LogFile::new("lines");
        assert_eq!(last.open(folder.path()).unwrap(), b"1\n2\ncut off\n3\n");
        last.replace("4\n").unwrap();
        last.append("5\n").unwrap();
        assert_eq!(log.open(folder.path()).unwrap(), b"4\n5\n");
    }

    #[test]
    fn without_a_folder_nothing_is_added() {
        let mut log = LogFile::new("lines");
        assert!(log.append("1\n").is_err());
        assert!(log.open(Path::new("/nowhere")).is_err());
        assert!(log.append("1\n").is_err());
    }
}
