//! content: keeps blobs under the hash of their bytes, in one SQLite file or in a folder.
//!
//! Read on in `core.rs` (waiting requests and the cache), `handlers/` (one file a group of
//! methods), then `store/` (the disk, on the worker thread) on rank 0, and `above.rs` (the
//! parent) on the others. It acknowledges nothing that is not in a committed transaction, and
//! it never looks into a blob.

mod above;
mod cache;
mod config;
mod core;
mod handlers;
pub mod limits;
mod mapped;
mod store;
mod task;

pub use config::{Backend, Durability, FileSettings, Settings};
pub use core::Content;
pub use handlers::routes;
pub use store::Store;
