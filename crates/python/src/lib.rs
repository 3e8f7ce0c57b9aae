//! `flux._core`: the native half of the Python package, over the crate `client`.
//!
//! It has the connection and the messages; futures, the reactor, watchers and all else are
//! in Python (`python/flux/`), whose names are those of the Flux Python API. Read
//! `handle.rs` (connection), `message.rs`, `error.rs` (refusals as `OSError`), `data/` (formats).
//! `python/flux/_core.pyi` states the interface.
//!
//! A wait releases the interpreter's lock and ends when a signal has a handler that raises.

mod data;
mod error;
mod handle;
mod message;

/// The module as Python sees it.
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::data::idset::PyIdSet;
    #[pymodule_export]
    use crate::data::rset::PyRset;
    #[pymodule_export]
    use crate::data::text::{
        constraint_parse, directives, format_fsd, hostlist_decode, hostlist_encode,
        hostlist_sorted, id_encode, id_parse, jobspec_check, parse_fsd, shape_parse, sign,
    };
    #[pymodule_export]
    use crate::handle::Handle;
    #[pymodule_export]
    use crate::message::Message;
}
