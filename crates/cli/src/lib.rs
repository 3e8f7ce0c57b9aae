//! The command `flux`: a thin client of the instance, one file a sub-command.
//!
//! Read on in `dispatch.rs` (from the command line to a sub-command) and any file of `commands/`.
//! The interface of sub-commands (arguments, errors) is in the crate `command`; parts shared by
//! several commands are in crates of their own: `submission`, `attach`, `format` and `snapshot`.
//!
//! Nothing here may start a thread, and nothing but `main.rs` and [`Io::standard`] touches
//! the process's own arguments, environment or standard streams: tests pass theirs.
//! Only the parser of the sub-command at hand is built, because `flux getattr rank` is
//! to take no longer than the round trip.

mod bindings;
mod commands;
mod dispatch;
pub mod docs;
mod external;
mod forward;
mod layout;
mod limits;
mod lint;
mod trace;
mod uri;
mod waiting;

pub use command::{CliError, Entry, Env, Flux, Group, Input, Io, Run, Style};
pub use dispatch::run;

/// Lets children find this `flux` where it was called by a path.
pub fn lead_path(env: &mut Env, called_as: &std::ffi::OsStr) {
    if let Ok(layout) = layout::Layout::find() {
        layout.lead_path(env, called_as);
    }
}
