//! kvs: keeps namespaces of versioned trees of values.
//!
//! Read on in `engine/` (the tree: lookups and transactions, pure), then `core.rs` (what
//! the module knows), `batch.rs` and `publish.rs` (how transactions become versions),
//! `loads.rs` (how missing blobs come in), `start.rs` and `saved.rs` (what survives a
//! restart) and `handlers/` (one file a group of methods). Other ranks than 0 have
//! `follower.rs` (roots), `asked.rs` (requests that wait for them) and `relay.rs` (the way to
//! rank 0, which has `relayed.rs` for what comes). It acknowledges nothing that the content
//! store has not.

mod asked;
mod batch;
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
mod settings;
mod size;
mod start;
mod stats;

pub use core::Kvs;
pub use handlers::routes;
pub use settings::Settings;

#[cfg(test)]
mod tests;
