//! Interface of the sub-commands of `flux`: their context and their failures.
//!
//! Read on in `entry.rs` (what a sub-command is), `flux.rs` (what it is given), `error.rs` and
//! `complaint.rs` (how it fails), `env.rs` and `streams.rs` (its surroundings as values),
//! `plain.rs` (text that is safe on a terminal), `clock.rs` and `when.rs` (time as people write
//! it).
//!
//! Nothing here starts a thread, and nothing but [`Io::standard`] and [`Env::from_process`]
//! touches the process's own environment or standard streams: tests pass theirs.

pub mod clock;
pub mod complaint;
pub mod entry;
pub mod env;
pub mod error;
pub mod flux;
pub mod plain;
pub mod streams;
pub mod when;

pub use entry::{Entry, Group, Run, Style};
pub use env::Env;
pub use error::CliError;
pub use flux::{Flux, Input, Io};
