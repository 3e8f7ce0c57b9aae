//! The broker's folders: rundir for sockets, statedir for what must last.

#![allow(
    clippy::disallowed_methods,
    reason = "the edge: reads TMPDIR on behalf of the core"
)]

use std::fs::{DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use broker::limits::RUNDIR_BYTES_MAX;

/// A folder and whether it goes with the broker.
#[derive(Debug, Clone)]
pub struct Folder {
    pub path: PathBuf,
    pub cleanup: bool,
}

/// The rundir: made when not given, when given and missing, or inside a sticky folder
/// such as /tmp.
pub fn rundir(given: Option<&str>) -> anyhow::Result<Folder> {
    let folder = match given {
        None => {
            let parent = std::env::var("TMPDIR").unwrap_or_else(|_| "/tmp".to_owned());
            temporary(Path::new(&parent))?
        }
        Some(path) => existing_or_new("rundir", Path::new(path))?,
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
        let made = make(&bin);
        made.with_context(|| format!("rundir {}: cannot be written", folder.path.display()))?;
        if let Ok(exe) = std::env::current_exe() {
            // Remote commands look for flux here; without it they have other ways.
            let _ = symlink(exe.with_file_name("flux"), bin.join("flux"));
        }
    }
    Ok(folder)
}

/// The statedir: made below /var/tmp when not given.
pub fn statedir(given: Option<&str>) -> anyhow::Result<Folder> {
    let folder = match given {
        None => temporary(Path::new("/var/tmp"))?,
        Some(path) => {
            let path = Path::new(path);
            ensure!(
                path.is_dir() || !path.exists(),
                "statedir {}: not a folder",
                path.display()
            );
            existing_or_new("statedir", path)?
        }
    };
    // Found out now, with a clear word, and not by the first job.
    tempfile::tempfile_in(&folder.path).with_context(|| {
        format!(
            "statedir {}: cannot be written; use -S statedir=",
            folder.path.display()
        )
    })?;
    Ok(folder)
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

fn existing_or_new(what: &str, path: &Path) -> anyhow::Result<Folder> {
    let shown = path.display();
    let Ok(metadata) = std::fs::metadata(path) else {
        make(path).with_context(|| format!("{what} {shown}: cannot be made"))?;
        return Ok(Folder {
            path: absolute(path)?,
            cleanup: true,
        });
    };
    if metadata.permissions().mode() & STICKY != 0 {
        return temporary(path);
    }
    check_ours(&metadata).with_context(|| format!("{what} {shown}"))?;
    Ok(Folder {
        path: absolute(path)?,
        cleanup: false,
    })
}

/// Mode bit of folders like /tmp, where everybody makes folders of their own.
const STICKY: u32 = 0o1000;

fn check_ours(metadata: &Metadata) -> anyhow::Result<()> {
    ensure!(metadata.is_dir(), "not a folder");
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
    Ok(())
}

fn temporary(parent: &Path) -> anyhow::Result<Folder> {
    let folder = tempfile::Builder::new()
        .prefix("flux-")
        .rand_bytes(6)
        .tempdir_in(parent)
        .with_context(|| format!("{}: no folder can be made in it", parent.display()))?;
    Ok(Folder {
        path: folder.keep(),
        cleanup: true,
    })
}

fn make(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}
