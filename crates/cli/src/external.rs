//! Programs that `flux` becomes: `flux-NAME` on the search paths, the broker, a shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use command::error::{CliError, io_text};
use command::flux::Flux;
use crate::layout::Layout;

/// Exit codes of programs that are not there, or cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// The program that does `flux NAME` where it is none of ours: `flux-NAME` in
/// FLUX_EXEC_PATH, then in PATH.
pub fn find(flux: &Flux, name: &str) -> Option<PathBuf> {
    // A path would leave the folders that are searched.
    if name.contains('/') {
        return None;
    }
    let mut env = flux.env.clone();
    if let Ok(layout) = Layout::find() {
        layout.apply(&mut env);
    }
    let names = [format!("flux-{name}"), format!("flux-{name}.py")];
    let paths = ["FLUX_EXEC_PATH", "PATH"];
    let paths = paths.iter().filter_map(|path| env.get_os(path));
    paths
        .flat_map(std::env::split_paths)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| is_executable(path))
}

/// Becomes `program`. Comes back only when that fails.
pub fn become_program(flux: &mut Flux, program: &OsStr, args: &[OsString]) -> CliError {
    let mut env = flux.env.clone();
    if let Ok(layout) = Layout::find() {
        layout.apply(&mut env);
    }
    if let Err(error) = flux.out.flush() {
        return error.into();
    }
    // Looks a bare name up in the PATH of the new environment.
    let error = Command::new(program)
        .args(args)
        .env_clear()
        .envs(env.iter())
        .exec();
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    };
    let subject = Path::new(program).display();
    CliError::new(io_text(&error))
        .about(subject)
        .with_code(code)
}

fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else {
        return false;
    };
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}
