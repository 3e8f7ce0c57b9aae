//! kvs-watch: lookups that wait and lookups that go on.
//!
//! Read on in `core.rs` (the watchers of each key, and the events for each), `watcher.rs`
//! (the life of one watch), `append.rs` (the new part of a value that grows) and
//! `handlers/`. It learns of commits from the events of the kvs and of nothing else, and
//! it looks up with the credential of the watcher.

mod append;
mod core;
mod handlers;
pub mod limits;
#[cfg(test)]
mod tests;
mod watcher;

pub use core::KvsWatch;
pub use handlers::routes;
