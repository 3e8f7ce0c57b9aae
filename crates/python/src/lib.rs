//! `flux._core`: the native half of the Python package, over the crate `client`.
//!
//! It has the connection and the messages; futures, the reactor, watchers and all else are
//! in Python (`python/flux/`), whose names are those of the Flux Python API. Read
//! `handle.rs` (connection), `message.rs`, `error.rs` (refusals as `OSError`).
//! `python/flux/_core.pyi` states the interface.
//!
//! A wait releases the interpreter's lock and ends when a signal has a handler that raises.

mod error;
mod handle;
mod message;

/// The module as Python sees it.
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::handle::Handle;
    #[pymodule_export]
    use crate::message::Message;
}
