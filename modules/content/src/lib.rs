//! content: keeps blobs under the hash of what they hold, in one SQLite file.
//!
//! Read on in `core.rs` (what waits and what is in memory), `handlers/` (one file a
//! group of methods), then `store/` (the file, on the worker thread). It acknowledges
//! nothing that is not in a committed transaction, and it never looks into a blob.

mod cache;
mod core;
mod handlers;
pub mod limits;
mod settings;
mod store;
mod task;

pub use core::Content;
pub use handlers::routes;
pub use settings::{FileSettings, Settings};
pub use store::Store;
