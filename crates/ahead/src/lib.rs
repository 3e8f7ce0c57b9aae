//! Lines in a file beside the content store that are ahead of the key-value store: each says
//! something that must not be forgotten and that is not stored there yet. A line costs one
//! write, where a commit costs several messages and a transaction.
//!
//! [`Log`] is where the lines are: [`LogFile`] in a process, [`TextLog`] in tests and
//! in the simulator. [`Lines`] knows which of them are still needed, so that the file stays short.

#![forbid(unsafe_code)]

mod file;
pub mod limits;
mod lines;
mod text;

use std::io;
use std::path::Path;

pub use file::LogFile;
pub use lines::Lines;
pub use text::TextLog;

/// Storage of the lines.
pub trait Log: Send {
    /// Uses the file in this folder from now on, and gives what it holds.
    ///
    /// # Errors
    ///
    /// Error of the system when the file cannot be read or made.
    fn open(&mut self, folder: &Path) -> io::Result<Vec<u8>>;

    /// Adds lines, each with its newline.
    ///
    /// # Errors
    ///
    /// Error of the system; some of the lines may be stored then.
    fn append(&mut self, lines: &str) -> io::Result<()>;

    /// Puts these lines in the place of all others.
    ///
    /// # Errors
    ///
    /// Error of the system; all other lines are still stored then.
    fn replace(&mut self, lines: &str) -> io::Result<()>;
}

/// No file at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl Log for NoLog {
    fn open(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn append(&mut self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn replace(&mut self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
