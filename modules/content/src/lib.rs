//! content: keeps blobs under the hash of what they hold, in one SQLite file or in a folder.
//!
//! Read on in `core.rs` (what waits and what is in memory), `handlers/` (one file a
//! group of methods), then `store/` (the disk, on the worker thread) on rank 0, and `above.rs`
//! (the parent) on the others. It acknowledges
//! nothing that is not in a committed transaction, and it never looks into a blob.

mod above;
mod cache;
mod core;
mod handlers;
pub mod limits;
mod mapped;
mod settings;
mod store;
mod task;

pub use core::Content;
pub use handlers::routes;
pub use settings::{Backend, Durability, FileSettings, Settings};
pub use store::Store;
