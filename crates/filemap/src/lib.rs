//! Files as JSON objects (RFC 37): the elements of an archive, which `flux archive` makes and
//! extracts and the option `stage-in` of the job shell extracts.
//!
//! Read on in `object.rs` (the model and its JSON), `walk.rs` (the files below a path),
//! `pack.rs` (from a file to its object) and `unpack.rs` (from an object to its file).
//! Contents that are too large for an object are blobs. Nothing here loads or stores blobs,
//! connects to a broker or waits: callers do.

mod limits;
mod object;
mod pack;
mod unpack;
mod walk;

pub use limits::{CHUNK_BYTES, SMALL_FILE_BYTES};
pub use object::{Content, FileObject, Kind, ObjectError, Region};
pub use pack::{Chunk, PackError, Packing, pack};
pub use unpack::{Growing, Target, UnpackError};
pub use walk::{Found, WalkError, walk};
