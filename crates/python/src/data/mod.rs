//! The data formats of jobs: the readers and writers of the crates `proto` and `submission`, for
//! Python. `text.rs` has those that are functions; sets of ids and of resources are classes.

pub mod idset;
pub mod rset;
pub mod text;

use std::fmt::Display;

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;

/// A text or value that is malformed, in the words of its format.
fn malformed(why: impl Display) -> PyErr {
    PyValueError::new_err(why.to_string())
}
