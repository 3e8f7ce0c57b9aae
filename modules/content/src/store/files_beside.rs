//! Files beside the store, whose names begin with its name.
#![allow(clippy::disallowed_types, reason = "this is where files are kept")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// The path with `suffix` after it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Deletes a file that may not be there.
pub fn delete(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::File(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}
