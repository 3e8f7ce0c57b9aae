//! kvs: keeps namespaces of versioned trees of values.
//!
//! Read on in `engine/` (the tree: lookups and transactions, pure), then `core.rs` (what
//! the module knows), `batch.rs` (how transactions become versions), `loads.rs` (how
//! missing blobs come in), `saved.rs` (what survives a restart) and `handlers/` (one file
//! a group of methods). It acknowledges nothing that the content store has not.

pub mod engine;
pub mod limits;
mod lru;
