//! Terminal sessions: processes on terminals of their own, and the clients that are attached to
//! them (protocol/23 section 8). A job shell has one for each task with option `pty`, and for each
//! that is asked of it; a server of a user's own has those alone.
//!
//! Output goes to all clients that read, their input goes to the terminal. A client that does not
//! read holds the terminal up for a time, and is detached then: nothing is queued for it but the
//! message under way.
//!
//! Read on in `session.rs` (one session), `client.rs` (who is attached), `sessions.rs` (all of
//! a server, and its methods) and `server.rs` (the one of a user's own).

mod client;
pub mod limits;
mod server;
mod session;
mod sessions;

pub use server::{READY, Server};
pub use sessions::{Here, Sessions, Terminals, child, routes};
