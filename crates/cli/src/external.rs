//! Programs that `flux` becomes: `flux-NAME` on the search paths, the broker, a shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use command::env::Env;
use command::error::{CliError, io_text};
use command::flux::Flux;
use rustix::fs::Access;

use crate::layout::{Layout, is_executable};

/// Exit codes of programs that are not there, or cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// The interpreter of commands in Python.
pub const PYTHON: &str = "python3";

/// Runs a command in Python that finds our bindings, and gives it the PYTHONPATH back that
/// its user has, for the programs that it starts.
const PYTHON_RUNNER: &str = "\
import os, runpy, sys
sys.argv = sys.argv[1:]
original = os.environ.pop('FLUX_PYTHONPATH_ORIG', None)
os.environ.pop('PYTHONPATH', None)
if original is not None:
    os.environ['PYTHONPATH'] = original
sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
";

/// An external command.
#[derive(Debug, PartialEq, Eq)]
pub struct External {
    /// The program, or the script.
    pub path: PathBuf,
    /// True if the command is a script in Python, whose first line is not asked.
    is_python: bool,
}

impl External {
    /// Becomes the command. Comes back only when that fails.
    pub fn become_it(&self, flux: &mut Flux, args: &[OsString]) -> CliError {
        if !self.is_python {
            return become_program(flux, self.path.as_os_str(), args);
        }
        let mut words = Vec::new();
        if let Ok(layout) = Layout::find() {
            let original = flux.env.get_os("PYTHONPATH").map(OsStr::to_owned);
            layout.apply_python(&mut flux.env);
            if flux.env.get_os("PYTHONPATH") != original.as_deref() {
                words.extend(["-c".into(), PYTHON_RUNNER.into()]);
                if let Some(original) = original {
                    flux.env.set("FLUX_PYTHONPATH_ORIG", original);
                }
            }
        }
        words.push(self.path.clone().into_os_string());
        words.extend_from_slice(args);
        become_program(flux, OsStr::new(PYTHON), &words)
    }
}

/// The environment of programs that `flux` becomes.
pub fn environment(env: &Env) -> Env {
    let mut env = env.clone();
    if let Ok(layout) = Layout::find() {
        layout.apply(&mut env);
    }
    env
}

/// The folders that external commands are searched in.
pub fn search_path(env: &Env) -> Vec<PathBuf> {
    let paths = ["FLUX_EXEC_PATH", "PATH"].into_iter();
    let paths = paths.filter_map(|path| env.get_os(path));
    paths.flat_map(std::env::split_paths).collect()
}

/// The program that does `flux NAME` where it is none of ours: in each folder, `flux-NAME.py`
/// before `flux-NAME`.
pub fn find(flux: &Flux, name: &str) -> Option<External> {
    find_in(search_path(&environment(&flux.env)), name)
}

/// The same in these folders.
pub fn find_in(folders: impl IntoIterator<Item = PathBuf>, name: &str) -> Option<External> {
    // A path would leave the folders that are searched.
    if name.contains('/') {
        return None;
    }
    folders.into_iter().find_map(|folder| {
        let script = folder.join(format!("flux-{name}.py"));
        if is_executable(&script) && rustix::fs::access(&script, Access::READ_OK).is_ok() {
            return Some(External {
                path: script,
                is_python: true,
            });
        }
        let path = folder.join(format!("flux-{name}"));
        is_executable(&path).then_some(External {
            path,
            is_python: false,
        })
    })
}

/// The names of external commands in `folders`.
pub fn names_in(folders: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
    let mut names = Vec::new();
    for folder in folders {
        let Ok(entries) = folder.read_dir() else {
            continue;
        };
        for entry in entries.flatten() {
            let file = entry.file_name();
            let name = file.to_str().and_then(|name| name.strip_prefix("flux-"));
            if let Some(name) = name.filter(|_| is_executable(&entry.path())) {
                names.push(name.strip_suffix(".py").unwrap_or(name).to_owned());
            }
        }
    }
    names
}

/// Becomes `program`. Comes back only when that fails.
pub fn become_program(flux: &mut Flux, program: &OsStr, args: &[OsString]) -> CliError {
    let env = environment(&flux.env);
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_script_in_python_comes_first_in_its_folder() {
        let base = tempfile::tempdir().unwrap();
        let folders = ["a", "b"].map(|name| base.path().join(name));
        let make = |path: &str, mode: u32| {
            let path = base.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        };
        let found = |name: &str| {
            let found = find_in(folders.clone(), name)?;
            let path = found.path.strip_prefix(base.path()).unwrap();
            Some(format!("{} {}", path.display(), found.is_python))
        };
        make("b/flux-x.py", 0o755);
        make("b/flux-x", 0o755);
        make("a/flux-x.py", 0o644);
        assert_eq!(found("x").as_deref(), Some("b/flux-x.py true"));
        make("a/flux-x", 0o755);
        assert_eq!(found("x").as_deref(), Some("a/flux-x false"));
        make("a/flux-y", 0o644);
        assert_eq!(found("y"), None);
        assert_eq!(found("/x"), None);
        let mut names = names_in(folders.clone());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names, ["x"]);
    }
}
