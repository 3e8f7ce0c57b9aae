//! The Lua files by which sites and users extend the job shell (protocol/23 section 6): which of them
//! a job has, the objects that they see, and the handlers that they leave behind.
//!
//! Nothing of a shell is known here. A script sees [`Facts`], the job's options and its
//! environment; it reads files through a [`Disk`]; its actions come back as [`Effect`]s. A job
//! without such files makes no [`Engine`], and so no Lua.
//!
//! The script is found in `find.rs` and run in `engine.rs`; `host.rs` has our functions for Lua,
//! `prelude.lua` the objects, and `json.rs` the conversion of values.

mod engine;
mod find;
mod host;
mod json;
pub mod limits;
mod state;

use std::collections::BTreeMap;

use serde_json::Value;

pub use engine::{Called, Engine, Start};
pub use find::{BUILT_IN_NAME, Script, ScriptRequest, find};
pub use state::{BUILT_IN_PLUGINS, REPLACEABLE};

/// Files, as scripts name them. Relative paths are meant from where the shell is.
pub trait Disk: Send {
    /// The files that match a pattern in which `*`, `?`, `[...]` and a leading `~` count, in order.
    fn glob(&self, pattern: &str) -> Vec<String>;

    /// Contents of a file, or the text of the error.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Facts that scripts can read about their shell and its job.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// `shell.info`, without `options`.
    pub info: Value,
    /// The shells of the job, as `shell.get_rankinfo` returns them.
    pub ranks: Vec<Value>,
    /// Our place among them.
    pub rank: usize,
}

/// Something that a script did to its shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The script logs a line.
    Say(LogLine),
    /// The shell is to say more or less of itself from now on.
    Verbose(i64),
}

/// A line of the shell's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Severity, by its RFC 5424 number.
    pub level: i32,
    /// Text.
    pub message: String,
    /// The file and the line of the script that says it.
    pub at: Option<(String, i64)>,
}

impl LogLine {
    /// A line that is not a script's own.
    pub fn plain(level: i32, message: String) -> LogLine {
        LogLine {
            level,
            message,
            at: None,
        }
    }
}

/// The task that a handler is called for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// `task.info`.
    pub info: Value,
    /// Environment.
    pub env: BTreeMap<String, String>,
}
