//! kvs: keeps namespaces of versioned trees of values.
//!
//! Read on in `engine/` (the tree: lookups and transactions, pure), then `core.rs` (the state
//! of the module), `batch.rs` and `publish.rs` (how transactions become versions), `loads.rs`
//! (how missing blobs come in), `start.rs` and `saved.rs` (the data that survives a restart)
//! and `handlers/` (one file a group of methods). Other ranks than 0 have `follower.rs`
//! (roots), `asked.rs` (requests that wait for them) and `relay.rs` (the way to rank 0, which
//! has `relayed.rs` for these requests). It acknowledges nothing that the content store has
//! not.

mod asked;
mod batch;
mod config;
mod core;
pub mod engine;
mod follower;
mod handlers;
pub mod limits;
mod loads;
mod namespace;
mod owed;
mod publish;
mod relay;
mod relayed;
mod saved;
mod size;
mod start;
mod stats;

pub use config::Settings;
pub use core::Kvs;
pub use handlers::routes;

#[cfg(test)]
mod tests;
