//! Programs that are run at the start and at the end of an instance.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use command::error::{CliError, io_text};
use command::flux::Flux;

use super::sources::Folders;

/// Folders with scripts besides that of the installation.
pub(super) const EXTRA: &str = "FLUX_RC_EXTRA";
/// Variable that marks the start for scripts.
const USED: &str = "FLUX_RC_USE_MODPROBE";

/// Runs a command of ours.
pub(super) fn run_flux(flux: &mut Flux, words: &[&str]) -> Result<(), CliError> {
    flux.out.flush()?;
    let program = std::env::current_exe()?;
    let status = Command::new(program).args(words).env(USED, "t").status();
    let status = status.map_err(|error| CliError::new(io_text(&error)).about("flux"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(CliError::new(format!(
            "flux {}: exited with exit status {code}",
            words.join(" ")
        ))),
        None => Err(CliError::new(format!(
            "flux {}: was killed",
            words.join(" ")
        ))),
    }
}

/// Runs the executables in this folder of the installation, and of each that the user names.
pub(super) fn run_scripts(
    flux: &mut Flux,
    extra: Option<&str>,
    which: &str,
) -> Result<(), CliError> {
    let ours = Folders::find()?.conf;
    let extra = extra.unwrap_or_default().split(':');
    let extra = extra.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let mut has_failed = false;
    for folder in std::iter::once(ours).chain(extra) {
        for file in files_in(&folder.join(which)).unwrap_or_default() {
            let mode = file
                .metadata()
                .map_or(0, |found| found.permissions().mode());
            if mode & 0o111 == 0 {
                continue;
            }
            flux.line(format_args!("running {}", file.display()))?;
            flux.out.flush()?;
            let ended = Command::new(&file).env(USED, "t").status();
            let code = ended.map_or(Some(126), |status| status.code());
            if code != Some(0) {
                let code = code.map_or("128 or more".to_owned(), |code| code.to_string());
                flux.note(format_args!(
                    "{} failed with exit code {code}",
                    file.display()
                ))?;
                has_failed = true;
            }
        }
    }
    match has_failed {
        true => Err(CliError::new(format!("one or more {which} scripts failed"))),
        false => Ok(()),
    }
}

/// The regular files of a folder, in the order of their names.
pub(super) fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}
