//! The process management interface (RFC 13): how the processes that one launcher has
//! started learn their number, and exchange a few words before they can talk.
//!
//! [`Server`] is the launcher's side, pure: a job shell and `flux start --test-size` have
//! one. [`begin`] is the other side, in all its ways: the wire protocol, a library of the
//! site's launcher, or nobody at all. It waits for its launcher and belongs at the edge of
//! a program, before its loop begins.
//!
//! Must never know what the keys mean. Read on in `server.rs`, `client.rs`, `simple.rs`
//! and `library.rs`.

mod client;
mod library;
pub mod limits;
mod line;
mod result;
mod server;
mod simple;

pub use client::{Begun, Client, Error, Info, METHODS, Options, Trace, begin, methods};
pub use server::{BROKEN, Effect, Server};
