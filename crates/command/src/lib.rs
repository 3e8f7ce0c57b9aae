//! Interface of the sub-commands of `flux`: their context and their failures.
//!
//! The interface of a sub-command is in `entry.rs`, its context in `flux.rs`, its failures in
//! `error.rs` and `complaint.rs`, its environment in `env.rs` and `streams.rs`, text that is
//! safe on a terminal in `plain.rs`, and time in readable form in `clock.rs` and `when.rs`.
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
