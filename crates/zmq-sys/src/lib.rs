//! Parts of libzmq that the zmq crate needs: declarations, and the library itself.
//!
//! The zmq-sys of crates.io compiles libzmq 4.3.4 without CURVE, without CLOEXEC on its
//! descriptors (every child inherits the broker's sockets) and without eventfd, accept4,
//! SO_PEERCRED or TCP keep-alive. This crate takes its place. It owns the build
//! (`build.rs`) and the foreign declarations, and must never grow behaviour of its own;
//! the one exception is [`zmq_errno`], which has the reason.
//!
//! Only what zmq 0.10.0 names is declared. Meanings are in the manual pages of
//! libzmq 4.3, zmq_socket(3) and its neighbours. Read on in `functions.rs`, then in
//! `crates/runtime/src/link.rs`, the only user of zmq.

// The names are those of zmq.h, and so are their meanings.
#![allow(missing_docs, non_camel_case_types)]

pub mod errno;

mod constants;
mod functions;

pub use constants::*;
pub use functions::*;
pub use std::os::fd::RawFd;
