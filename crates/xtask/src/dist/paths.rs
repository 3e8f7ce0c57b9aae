//! Leaves the paths of this machine out of what compilers make.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Where programs say that their sources were.
const SOURCES: &str = "/usr/src/ferroflux";

/// Where they say that those of the crates were.
const CRATES: &str = "/usr/src/cargo";

/// Where they say that those were which builds have written.
const BUILT: &str = "/usr/src/built";

/// Lets a build of the tree at `root` into `target` name no path of this machine.
pub fn forget(cargo: &mut Command, root: &Path, target: &Path) -> Result<()> {
    let home = std::env::var_os("CARGO_HOME").map(Into::into);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    // The last that fits counts: a target folder may be in the tree.
    let pairs = [(root, SOURCES), (home.as_path(), CRATES), (target, BUILT)];
    let mut rust = Vec::new();
    let mut c = String::new();
    for (path, name) in pairs {
        let path = path.to_str().context("a path that is not UTF-8")?;
        // Compilers of C take their flags apart at blanks.
        ensure!(
            !path.contains(' '),
            "{path}: cannot be left out: it has a blank"
        );
        rust.push(format!("--remap-path-prefix={path}={name}"));
        c += &format!(" -ffile-prefix-map={path}={name}");
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"));
    for flags in ["CFLAGS", "CXXFLAGS"] {
        let given = std::env::var(flags).unwrap_or_default();
        cargo.env(flags, format!("{given}{c}"));
    }
    Ok(())
}

/// Fails when a file of a folder names the path `root`.
pub fn ensure_forgotten(folder: &Path, root: &Path) -> Result<()> {
    let root = root.to_str().context("a path that is not UTF-8")?;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        // The others are notes of cargo.
        let is_made = path.is_file() && path.extension().is_none_or(|end| end == "so");
        if is_made && String::from_utf8_lossy(&std::fs::read(&path)?).contains(root) {
            bail!("{}: names {root}", path.display());
        }
    }
    Ok(())
}
