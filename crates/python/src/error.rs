//! Failures of calls and connections as `OSError`, which picks its own subclass by number:
//! `FileNotFoundError` for ENOENT and so on.

use client::OpenError;
use proto::{Errno, Refusal};
use pyo3::PyErr;
use pyo3::exceptions::PyOSError;

/// A refusal as an exception with its number and text.
pub fn of_refusal(refusal: &Refusal) -> PyErr {
    PyOSError::new_err((refusal.errno.0, refusal.to_string()))
}

/// A connection that was not made.
pub fn of_open(error: &OpenError) -> PyErr {
    let text = format!("{error} ({})", error.hint());
    PyOSError::new_err((error.errno.0, text))
}

/// An exception of our own making.
pub fn of_errno(errno: Errno, text: &str) -> PyErr {
    PyOSError::new_err((errno.0, text.to_owned()))
}
