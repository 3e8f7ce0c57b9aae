//! Arrays: many tasks as one job (`doc/arrays.md`). What a job asks for, and the log that its
//! shell writes of how its elements ended. Ours alone: no RFC has them.

mod log;
mod spec;

pub use log::{Ended, History, How, KEY, before_line, ended_line};
pub use spec::{ArrayError, ArraySpec};
