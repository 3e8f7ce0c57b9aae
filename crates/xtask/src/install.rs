//! `cargo xtask install`: puts a build where it is to be used, and takes it away again.
//!
//! A list of all that was made stays with the installation, so that `--uninstall` removes that
//! and nothing else, and an installation over an older one leaves no file of the older behind.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::parts::{self, Bindings, Build, COMMAND, Content, Part};
use crate::run::run;
use crate::workspace::{self, Metadata};

/// The list, below the prefix. Folders end with a slash.
const LIST: &str = "lib/flux/installed";

/// Stands in the list for the prefix itself, and comes before all other lines.
const PREFIX: &str = "./";

/// Install what is built, or remove it
#[derive(clap::Args)]
pub struct InstallArgs {
    /// Install below this folder: bin, libexec, lib and share
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Put the files below this folder, from which they will be moved to the prefix
    ///
    /// The variable DESTDIR does the same.
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
    /// Remove what was installed there
    #[arg(long, conflicts_with_all = ["profile", "from"])]
    uninstall: bool,
    /// Build to install: dist, release or dev
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Build nothing; install the programs that are in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "profile")]
    from: Option<PathBuf>,
}

/// Installs or removes; true when that is done.
pub fn install(args: &InstallArgs) -> Result<bool> {
    ensure!(
        args.prefix.is_absolute(),
        "--prefix={}: must be an absolute path, because units of systemd name it",
        args.prefix.display()
    );
    let destdir = std::env::var_os("DESTDIR").map(PathBuf::from);
    let place = match args.destdir.clone().or(destdir) {
        None => args.prefix.clone(),
        Some(folder) => folder.join(args.prefix.strip_prefix("/")?),
    };
    if args.uninstall {
        uninstall(&place)?;
        return Ok(true);
    }
    let build = Build {
        root: workspace::root(),
        programs: programs(args)?,
    };
    let command = args.prefix.join("bin").join(COMMAND);
    let command = command.to_str().context("--prefix: not UTF-8")?;
    let parts = build.parts(command, Bindings::IfBuilt)?;
    put(&parts, &place)?;
    eprintln!("{} files are in {}", parts.len(), place.display());
    Ok(true)
}

/// The folder of the build that was asked for.
fn programs(args: &InstallArgs) -> Result<PathBuf> {
    if let Some(folder) = &args.from {
        return Ok(folder.clone());
    }
    for mut build in parts::builds(&args.profile) {
        ensure!(run(&mut build)?, "the {} build failed", args.profile);
    }
    let target = Metadata::read()?.target_directory();
    Ok(target.join(workspace::folder_of_profile(&args.profile)))
}

/// Makes files, the folders that they need, and the list of both.
fn put(parts: &[Part], prefix: &Path) -> Result<()> {
    let before = read_list(prefix)?;
    let mut list: BTreeSet<String> = BTreeSet::new();
    // Folders that an earlier installation has made are still its own to remove.
    list.extend(before.iter().filter(|path| path.ends_with('/')).cloned());
    if !prefix.is_dir() {
        make_folder(prefix)?;
        list.insert(PREFIX.to_owned());
    }
    let paths = parts.iter().map(|part| part.path.as_path());
    let paths: BTreeSet<&Path> = paths.chain([Path::new(LIST)]).collect();
    for path in &paths {
        for folder in folders_above(path) {
            if !prefix.join(folder).is_dir() {
                make_folder(&prefix.join(folder))?;
                list.insert(format!("{}/", folder.display()));
            }
        }
        list.insert(path.display().to_string());
    }
    // Written first: what an interruption leaves behind can be removed.
    let both: BTreeSet<&String> = list.union(&before).collect();
    write_list(prefix, both.into_iter())?;
    for part in parts {
        write(part, prefix)?;
    }
    let stale: Vec<&String> = before.difference(&list).collect();
    remove_all(prefix, stale.into_iter())?;
    write_list(prefix, list.iter())
}

/// Removes what the list names, and folders of it that are then empty.
fn uninstall(prefix: &Path) -> Result<()> {
    let list = read_list(prefix)?;
    ensure!(
        !list.is_empty(),
        "nothing is installed in {}: there is no {LIST}",
        prefix.display()
    );
    remove_all(prefix, list.iter())
}

/// The deepest path goes first, so a folder is empty when its turn comes.
fn remove_all<'a>(prefix: &Path, list: impl DoubleEndedIterator<Item = &'a String>) -> Result<()> {
    for line in list.rev() {
        let path = match line.as_str() {
            PREFIX => prefix.to_path_buf(),
            line => prefix.join(line.trim_end_matches('/')),
        };
        let removed = match line.ends_with('/') {
            // One in which others have put something stays.
            true => match fs::remove_dir(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
                other => other,
            },
            false => fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.with_context(|| format!("cannot remove {}", path.display()))?,
        }
    }
    Ok(())
}

fn read_list(prefix: &Path) -> Result<BTreeSet<String>> {
    let path = prefix.join(LIST);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        other => other.with_context(|| path.display().to_string())?,
    };
    for line in text.lines().filter(|line| *line != PREFIX) {
        let mut steps = Path::new(line).components();
        ensure!(
            steps.all(|step| matches!(step, Component::Normal(_))),
            "{}: {line}: is not below the prefix",
            path.display()
        );
    }
    Ok(text.lines().map(str::to_owned).collect())
}

fn write_list<'a>(prefix: &Path, list: impl Iterator<Item = &'a String>) -> Result<()> {
    let text: String = list.map(|line| format!("{line}\n")).collect();
    let path = prefix.join(LIST);
    fs::write(&path, text).with_context(|| path.display().to_string())
}

/// Makes a folder that others may enter, regardless of the umask.
fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::set_permissions(path, PermissionsExt::from_mode(0o755))?;
    Ok(())
}

/// The folders above a path, outermost first.
pub fn folders_above(path: &Path) -> Vec<&Path> {
    let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
    folders.retain(|folder| !folder.as_os_str().is_empty());
    folders.reverse();
    folders
}

/// Writes a part beside its place and moves it there: a program that runs cannot be written to.
pub fn write(part: &Part, prefix: &Path) -> Result<()> {
    let path = prefix.join(&part.path);
    let mut new = path.clone().into_os_string();
    new.push(".new");
    let new = PathBuf::from(new);
    // What an interrupted installation has left.
    let _ = fs::remove_file(&new);
    let written = match &part.content {
        Content::Copy(from) => fs::copy(from, &new).map(|_| ()),
        Content::Text(text) => fs::write(&new, text),
        Content::Link(target) => symlink(target, &new),
    };
    written.with_context(|| format!("cannot write {}", path.display()))?;
    if !matches!(part.content, Content::Link(_)) {
        let mode = if part.is_program { 0o755 } else { 0o644 };
        fs::set_permissions(&new, PermissionsExt::from_mode(mode))?;
    }
    fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
