//! State of a job from its events: one fold for job-list, which follows events as they
//! happen, and for job-manager, which makes the row of an inactive job
//! ([`proto::data::job::Row`]). So both say the same. No I/O, no clock.
//!
//! A record of the journal is in `record.rs`, the meaning of events in `fold.rs`, a job in
//! `job.rs`, and a job as a row and back in `row.rs`. `asked.rs` and `given.rs` derive the
//! listed parts of jobspec and R; `parts.rs` stores parts common to several jobs once.

#![forbid(unsafe_code)]

mod asked;
mod fold;
mod given;
mod job;
mod parts;
mod record;
mod row;

pub use fold::Folder;
pub use job::{Extra, Job, List, Times};
pub use parts::{Part, Parts};
pub use record::{Event, Record, RecordId};
pub use row::{job_of, row_of};

/// Parts that jobs share are looked over for unused ones when there are twice as many as after
/// the last look, but not below this many.
const PARTS_SWEEP_MIN: usize = 4_096;

/// Different resources, asked for or given, whose numbers are remembered; beyond it all are
/// forgotten and derived again.
const SHAPES_MAX: usize = 4_096;
