//! Reports of failures of the file: the file's name, the message of SQLite, and an error
//! number that the caller can act on.

use std::path::{Path, PathBuf};

use proto::{Errno, Refusal};
use rusqlite::ErrorCode;

/// Something is wrong with the file or the disk.
#[derive(Debug)]
pub enum Failure {
    /// Error of SQLite.
    Sqlite(rusqlite::Error),
    /// Error of the kernel.
    Io(std::io::Error),
    /// Error of the kernel for a file in the folder.
    File(PathBuf, std::io::Error),
    /// The store holds data that was never written like this.
    Damaged(String),
    /// The store is so damaged that there is nothing to go on from.
    Lost(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

impl Failure {
    /// True if the data differ from those written.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => errno_of(error) == Errno::ENOTRECOVERABLE,
            Self::Damaged(_) => true,
            Self::Io(_) | Self::File(..) | Self::Lost(_) => false,
        }
    }

    /// True if the failure is temporary: nothing can be written for now, and stored data
    /// are intact.
    pub fn may_pass(&self) -> bool {
        !self.is_damage() && self.refusal(Path::new("")).may_pass()
    }

    /// Description, without the file's name.
    pub fn what(&self) -> String {
        match self {
            Self::Sqlite(error) => error.to_string(),
            Self::Io(error) | Self::File(_, error) => error.to_string(),
            Self::Damaged(what) | Self::Lost(what) => what.clone(),
        }
    }

    /// As the caller and the log get it.
    pub fn refusal(&self, path: &Path) -> Refusal {
        let path = path.display();
        match self {
            Self::Sqlite(error) => Refusal::new(errno_of(error), format!("{path}: {error}")),
            Self::Io(error) => io_refusal(&path, error),
            Self::File(path, error) => io_refusal(&path.display(), error),
            Self::Damaged(what) => Refusal::new(Errno::EIO, format!("{path}: {what}")),
            Self::Lost(what) => Refusal::new(Errno::ENOTRECOVERABLE, format!("{path}: {what}")),
        }
    }
}

fn errno_of_io(error: &std::io::Error) -> Errno {
    let code = error.raw_os_error();
    let errno = code.and_then(|code| u32::try_from(code).ok());
    errno.map_or(Errno::EIO, Errno)
}

fn io_refusal(path: &std::path::Display<'_>, error: &std::io::Error) -> Refusal {
    let errno = errno_of_io(error);
    Refusal::new(errno, format!("{path}: {errno}"))
}

fn errno_of(error: &rusqlite::Error) -> Errno {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
    };
    if let InvalidColumnType(..)
    | FromSqlConversionFailure(..)
    | IntegralValueOutOfRange(..)
    | Utf8Error(..) = error
    {
        // We never wrote such a value.
        return Errno::ENOTRECOVERABLE;
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Errno::ENOSPC,
        Some(ErrorCode::ReadOnly) => Errno::EROFS,
        Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Errno::EACCES,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Errno::EBUSY,
        Some(ErrorCode::OutOfMemory) => Errno::ENOMEM,
        Some(ErrorCode::TooBig) => Errno::EFBIG,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Errno::ENOTRECOVERABLE,
        // Our SQL is right: the tables are not those that we made.
        Some(ErrorCode::Unknown) => Errno::ENOTRECOVERABLE,
        _ => Errno::EIO,
    }
}
