//! The process management interface (RFC 13): how the processes that one launcher has
//! started learn their number, and exchange a few words before they can talk.
//!
//! [`Server`] is the launcher's side, pure: a job shell and `flux start --test-size` have
//! one. [`begin`] is the other side, in all its ways: the wire protocol, a library of the
//! site's launcher, or nobody at all. It waits for its launcher and belongs at the edge of
//! a program, before its loop begins. [`Process`] is that side too, as the C interfaces
//! have it: the libraries `libpmi` and `libpmi2` are made of it and of [`c`].
//!
//! Must never know the meaning of the keys. Read on in `server.rs`, `client.rs`,
//! `simple.rs`, `library.rs` and `process.rs`.

pub mod c;
mod client;
mod clique;
mod library;
pub mod limits;
mod line;
mod process;
pub mod result;
mod server;
mod simple;

pub use client::{Begun, Client, Error, Info, METHODS, Options, Trace, begin, methods};
pub use process::{Limits, Process};
pub use server::{BROKEN, Effect, Server, VERSION_2};
