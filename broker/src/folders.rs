//! The broker's directories: rundir for sockets, statedir for persistent data.

#![allow(
    clippy::disallowed_methods,
    reason = "the edge: reads TMPDIR on behalf of the core"
)]

use std::fs::{DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use broker::attrs::Attrs;
use broker::limits::RUNDIR_BYTES_MAX;
use proto::attr::{names, uri_file};

use crate::alone::{self, Alone};

/// A folder and whether it goes with the broker.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
    pub cleanup: bool,
    /// Keeps other brokers out of it.
    pub alone: Option<Alone>,
}

/// The rundir: made when not given, when given and missing, or inside a sticky folder
/// such as /tmp.
pub fn rundir(given: Option<&str>, rank: u32) -> anyhow::Result<Folder> {
    let mut folder = match given {
        None => temporary(&tmpdir(), RUNDIR_MODE)?,
        // Its contents are of no use without us.
        Some(path) => existing_or_new("rundir", Path::new(path), RUNDIR_MODE, true)?,
    };
    let length = folder.path.as_os_str().len();
    if length > RUNDIR_BYTES_MAX {
        remove(&folder);
        bail!(
            "rundir {}: the path is {length} bytes long, more than {RUNDIR_BYTES_MAX}: \
             sockets in it could not be reached; use -S rundir= or a shorter TMPDIR",
            folder.path.display()
        );
    }
    let bin = folder.path.join("bin");
    if !bin.exists() {
        // Another rank of this host may have made it in between.
        let made = make(&bin, PRIVATE).or_else(|error| match bin.is_dir() {
            true => Ok(()),
            false => Err(error),
        });
        made.with_context(|| format!("rundir {}: cannot be written", folder.path.display()))?;
        if let Ok(exe) = std::env::current_exe() {
            // Remote commands look for flux here; without it they have other ways.
            let places = [
                exe.with_file_name("flux"),
                exe.with_file_name("../../bin/flux"),
            ];
            let flux = places.into_iter().find(|path| path.is_file());
            let _ = flux.map(|flux| symlink(flux, bin.join("flux")));
        }
    }
    // Brokers of one instance may share it.
    let lock = match rank {
        0 => "rundir".to_owned(),
        _ => format!("rundir-{rank}"),
    };
    folder.alone = alone::in_folder(&lock, &folder.path)?;
    Ok(folder)
}

/// Where temporary folders go: TMPDIR, which is made if its parent is there, or else /tmp.
fn tmpdir() -> PathBuf {
    let Some(path) = std::env::var_os("TMPDIR").filter(|path| !path.is_empty()) else {
        return FALLBACK.into();
    };
    let path = PathBuf::from(path);
    if path.is_dir() || make(&path, PRIVATE).is_ok() {
        return path;
    }
    let shown = path.display();
    eprintln!("flux-broker: Unable to create TMPDIR={shown}, resetting TMPDIR={FALLBACK}");
    FALLBACK.into()
}

/// Directory of temporary directories when the environment names none that is usable.
const FALLBACK: &str = "/tmp";

/// The statedir: made below /var/tmp when not given. One that is given stays.
pub fn statedir(given: Option<&str>) -> anyhow::Result<Folder> {
    let mut folder = match given {
        None => temporary(Path::new("/var/tmp"), PRIVATE)?,
        Some(path) => {
            let path = Path::new(path);
            ensure!(
                path.is_dir() || !path.exists(),
                "statedir {}: not a directory",
                path.display()
            );
            // A user who names it expects to find there all acknowledged state of the
            // instance.
            existing_or_new("statedir", path, PRIVATE, false)?
        }
    };
    // Found out now, with a clear word, and not by the first job.
    tempfile::tempfile_in(&folder.path).with_context(|| {
        format!(
            "statedir {}: cannot be written; use -S statedir=",
            folder.path.display()
        )
    })?;
    folder.alone = alone::in_folder("statedir", &folder.path)?;
    Ok(folder)
}

/// Writes into a folder that stays where we can be reached: job shells of a broker before us
/// look there. Where there is no room for that, they do not find us, and all else goes on.
pub fn note_uri(folder: &Folder, rank: u32, attrs: &Attrs) {
    let uri = attrs.value(&names::LOCAL_URI).unwrap_or_default();
    if folder.cleanup {
        return;
    }
    let path = folder.path.join(uri_file(rank));
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(&fresh)
        .and_then(|mut file| file.write_all(format!("{uri}\n").as_bytes()))
        .and_then(|()| std::fs::rename(&fresh, &path));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&fresh);
        tracing::warn!(
            "{}: cannot be written: {error}: job shells of an earlier broker will not find this \
                one",
            path.display()
        );
    }
}

/// The folders that go with the broker, as one text.
pub fn to_clean_up(rundir: &Folder, statedir: Option<&Folder>) -> String {
    let folders = std::iter::once(rundir).chain(statedir);
    let folders: Vec<_> = folders
        .filter(|folder| folder.cleanup)
        .map(|folder| folder.path.to_string_lossy())
        .collect();
    folders.join(":")
}

/// Leaves the folders. When the broker ends as it was asked to, it has ended its jobs, and shells
/// need not look for another one.
pub fn leave(rundir: &Folder, statedir: Option<&Folder>, rank: u32, is_asked: bool) {
    let folder = statedir.unwrap_or(rundir);
    if is_asked && !folder.cleanup {
        let _ = std::fs::remove_file(folder.path.join(uri_file(rank)));
    }
    remove(rundir);
    statedir.into_iter().for_each(remove);
}

/// Removes a folder that goes with the broker.
pub fn remove(folder: &Folder) {
    if folder.cleanup
        && let Err(error) = std::fs::remove_dir_all(&folder.path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        eprintln!(
            "flux-broker: {}: cannot be removed: {error}",
            folder.path.display()
        );
    }
}

/// The folder at `path`; one that is made goes with the broker if `goes` says so.
fn existing_or_new(what: &str, path: &Path, mode: u32, goes: bool) -> anyhow::Result<Folder> {
    let shown = path.display();
    let Ok(metadata) = std::fs::metadata(path) else {
        make(path, mode).with_context(|| format!("{what} {shown}: cannot be created"))?;
        return Ok(Folder {
            path: absolute(path)?,
            cleanup: goes,
            alone: None,
        });
    };
    if metadata.permissions().mode() & STICKY != 0 {
        return temporary(path, mode);
    }
    check_ours(&metadata).with_context(|| format!("{what} {shown}"))?;
    check_link(path).with_context(|| format!("{what} {shown}"))?;
    Ok(Folder {
        path: absolute(path)?,
        cleanup: false,
        alone: None,
    })
}

/// Mode bit of folders like /tmp, where everybody makes folders of their own.
const STICKY: u32 = 0o1000;

fn check_ours(metadata: &Metadata) -> anyhow::Result<()> {
    ensure!(metadata.is_dir(), "not a directory");
    let uid = nix::unistd::Uid::effective().as_raw();
    ensure!(
        metadata.uid() == uid,
        "owned by user {}, not by user {uid}",
        metadata.uid()
    );
    ensure!(
        metadata.mode() & 0o700 == 0o700,
        "its owner may not read, write and enter it"
    );
    let mode = metadata.mode() & 0o7777;
    ensure!(
        mode & 0o022 == 0,
        "writable by users other than its owner (mode {mode:04o}); use chmod go-w"
    );
    Ok(())
}

/// A link put there by another user may point elsewhere tomorrow.
fn check_link(path: &Path) -> anyhow::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    let uid = nix::unistd::Uid::effective().as_raw();
    ensure!(
        !metadata.is_symlink() || [0, uid].contains(&metadata.uid()),
        "a symbolic link of user {}",
        metadata.uid()
    );
    Ok(())
}

fn temporary(parent: &Path, mode: u32) -> anyhow::Result<Folder> {
    let folder = tempfile::Builder::new()
        .prefix("flux-")
        .rand_bytes(6)
        .permissions(Permissions::from_mode(mode))
        .tempdir_in(parent)
        .with_context(|| format!("{}: no directory can be created in it", parent.display()))?;
    Ok(Folder {
        path: folder.keep(),
        cleanup: true,
        alone: None,
    })
}

/// Mode of the folders that we make, independent of the umask.
const PRIVATE: u32 = 0o700;

/// Mode of a rundir: guests that are let in have to reach the local socket in it.
const RUNDIR_MODE: u32 = 0o711;

fn make(path: &Path, mode: u32) -> std::io::Result<()> {
    DirBuilder::new().mode(mode).create(path)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}
