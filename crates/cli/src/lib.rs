//! The command `flux`: a thin client of the instance, one file a sub-command.
//!
//! Read on in `dispatch.rs` (from the command line to a sub-command), `command.rs` (what
//! a sub-command is), `flux.rs` (what it is given), `error.rs` (how it fails), and then
//! any file of `commands/`.
//!
//! Nothing here may start a thread, and nothing but `main.rs` and [`Io::standard`] touches
//! the process's own arguments, environment or standard streams: tests pass theirs.
//! Only the parser of the sub-command at hand is built, because `flux getattr rank` is
//! to take no longer than the round trip.

mod attach;
mod clock;
mod command;
mod commands;
mod complaint;
mod dispatch;
pub mod docs;
mod env;
mod error;
mod external;
mod flux;
mod format;
mod layout;
mod limits;
mod lint;
mod plain;
mod snapshot;
mod streams;
mod submission;
mod trace;
mod waiting;
mod when;

pub use command::{Entry, Group, Run, Style};
pub use dispatch::run;
pub use env::Env;
pub use error::CliError;
pub use flux::{Flux, Input, Io};
