//! Trees as tar archives (protocol/04 section 12): a regular file for each value, a link
//! for each link, and nothing for directories, so that empty ones are left out.
//!
//! `compression.rs` has how an archive may be compressed.

mod compression;
mod read;
mod write;

pub use compression::Compression;
pub use read::{Member, Reader, What};
pub use write::Writer;
