//! The tree itself: lookups and transactions as pure functions over objects in memory.
//! Missing blobs are returned as a request, never fetched.
//!
//! Read on in `dir.rs` (a directory), `entry.rs` (one entry of it), `view.rs` (blobs in
//! memory), `lookup.rs`, `draft.rs` (a tree being changed) and `txn.rs`.

pub mod dir;
pub mod draft;
pub mod entry;
pub mod lookup;
pub mod txn;
pub mod view;

#[cfg(test)]
mod tests;
