//! Runs other programs and says so, the way a person would type them.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, Result};

/// A `cargo` command at the root of the workspace, with the cargo that runs us.
pub fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(crate::workspace::root());
    // Set by the cargo that runs us for this crate; no business of the next one.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

/// Prints the command line, runs it with our own output, returns true if it succeeded.
pub fn run(command: &mut Command) -> Result<bool> {
    eprintln!("$ {}", line_of(command));
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", line_of(command)))?;
    Ok(status.success())
}

/// The command as one line, its program without the folder.
pub fn line_of(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// True if `cargo nextest` is installed.
pub fn has_nextest() -> bool {
    let mut probe = cargo(["nextest", "--version"]);
    probe
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}
