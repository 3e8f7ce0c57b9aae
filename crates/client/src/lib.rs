//! Handle: how a program outside the broker talks to it, on one thread and without a
//! runtime (protocol/02).
//!
//! Calls and arrivals are in `handle.rs`, calls before they are sent in `call.rs`, the other
//! operations in `stream.rs`, `events.rs`, `services.rs` and `kvs.rs`; `worker.rs` is for programs
//! that take tasks from a server, `take.rs` (one turn at a time) for programs with a loop of their
//! own; `open.rs` and `ssh.rs` find and connect to the broker, `inbox.rs` has messages that were
//! not taken yet, and `link.rs` the bytes on the socket.
//!
//! Opening a handle costs one connect(2) and one byte; nothing is sent that was not asked
//! for. A handle starts no thread, and blocks only in `poll(2)` in functions whose
//! documentation names it.

mod attrs;
mod call;
mod cursor;
mod events;
#[cfg(feature = "fake")]
pub mod fake;
mod handle;
mod inbox;
mod kvs;
pub mod limits;
mod link;
mod open;
mod pump;
mod reconnect;
mod services;
mod ssh;
mod stream;
mod take;
mod worker;

pub use call::{Answered, Call, CallId, Pending, Untyped};
pub use cursor::Cursor;
pub use handle::{Arrival, Handle};
pub use link::Link;
pub use open::{OpenError, Options};
pub use proto::{Delivery, Outcome, Refusal};
pub use ssh::Ssh;
pub use stream::Stream;
pub use worker::Worker;
