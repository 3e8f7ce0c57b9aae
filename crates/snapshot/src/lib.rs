//! Whole trees of the key-value store, read and written blob by blob: the common part of
//! `dump`, `restore`, `fsck` and `gc`.
//!
//! Works on the content service alone, so that it also does when the kvs is not there.
//! Read on in `blobs.rs` (requests under way), `walk.rs` (reading a tree in order),
//! `grow.rs` (writing and changing one), `archive/` and `names.rs` (trees as tar archives),
//! `source.rs` (where trees begin) and `progress.rs` (how far a command is).

pub mod archive;
pub mod blobs;
pub mod grow;
pub mod limits;
pub mod names;
pub mod progress;
pub mod source;
pub mod walk;

#[cfg(test)]
mod tests;
