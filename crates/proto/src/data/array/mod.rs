//! Arrays: many tasks as one job (`doc/arrays.md`). Job arrays: the request in the jobspec,
//! and the log in which the shell records the end of each element. They are our extension:
//! no RFC has them.

mod log;
mod spec;

pub use log::{Ended, History, How, KEY, before_line, ended_line};
pub use spec::{ArrayError, ArraySpec};
