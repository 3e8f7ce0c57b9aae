//! The data formats of jobs and of the KVS: their forms in JSON and in text.
//!
//! Pure values: a type is checked when it is made, so its users need not check again.
//! Nothing here reads a clock, the environment or a file. The rest builds on `jobid.rs`,
//! `idset.rs` and `eventlog.rs`.

pub mod array;
pub mod blobref;
pub mod constraint;
pub mod cpus;
pub mod dotted;
pub mod eventlog;
pub mod fsd;
pub mod glob;
pub mod hostlist;
pub mod idset;
pub mod job;
pub mod job_attribute;
pub mod jobid;
pub mod jobspec;
pub mod key;
pub mod kv;
pub mod limits;
pub mod lines;
pub mod logline;
pub mod nodelist;
pub mod query;
pub mod rangelist;
pub mod rset;
pub mod shape;
pub mod shell_option;
pub mod sign;
pub mod size;
pub mod stdio;
pub mod suggest;
pub mod taskmap;
pub mod times;
pub mod topology;
pub mod treeobj;

mod calendar;
mod numfmt;
mod textual;

pub use blobref::{BlobRef, HashKind};
pub use constraint::Constraint;
pub use eventlog::{Context, Entry, EventlogError, Stamps};
pub use fsd::Fsd;
pub use hostlist::Hostlist;
pub use idset::{IdSet, IdSetStyle};
pub use jobid::{JobId, JobIdEncoding};
pub use jobspec::Jobspec;
pub use key::Key;
pub use logline::{LogLevel, LogLine};
pub use nodelist::Nodelist;
pub use rangelist::Rangelist;
pub use rset::Rset;
pub use taskmap::TaskMap;
pub use topology::Topology;
pub use treeobj::Tree;
