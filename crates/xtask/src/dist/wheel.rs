//! `ferroflux-VERSION-cp39-abi3-manylinux_GLIBC_ARCH.whl`: the programs and the Python package, so
//! that `pip install` gives `flux` and `import flux`.
//!
//! A wheel is an archive of files that are there already, and `packaging/wheel.py` writes it. maturin
//! would compile the extension again, with flags of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{Release, glibc};
use crate::install;
use crate::parts::{Bindings, COMMAND};
use crate::run::run;
use crate::rustc;

/// The versions of Python that the extension serves: the stable interface of 3.9.
const PYTHON: &str = "cp39-abi3";

/// Makes the wheel; says where it is.
pub fn make(release: &Release) -> Result<PathBuf> {
    let name = format!("ferroflux-{}", release.version);
    let folder = release.out.join("wheel");
    release.unstage(&folder)?;
    for part in release.build.bindings()? {
        ensure_folder(&folder, &part.path)?;
        install::write(&part, &folder)?;
    }
    // pip puts programs that people call into the folder for them, and all else below its prefix.
    let data = format!("{name}.data");
    for mut part in release.build.parts(COMMAND, Bindings::LeftOut)? {
        part.path = match part.path.strip_prefix("bin") {
            Ok(program) => Path::new(&data).join("scripts").join(program),
            Err(_) => Path::new(&data).join("data").join(&part.path),
        };
        ensure_folder(&folder, &part.path)?;
        install::write(&part, &folder)?;
    }
    let tag = format!("{PYTHON}-{}", platform(release)?);
    let info = folder.join(format!("{name}.dist-info"));
    fs::create_dir_all(&info)?;
    fs::write(info.join("METADATA"), metadata(release)?)?;
    let wheel =
        format!("Wheel-Version: 1.0\nGenerator: ferroflux\nRoot-Is-Purelib: false\nTag: {tag}\n");
    fs::write(info.join("WHEEL"), wheel)?;
    let file = release.out.join(format!("{name}-{tag}.whl"));
    let mut python = Command::new("python3");
    python
        .arg(release.build.root.join("packaging/wheel.py"))
        .args([&folder, &file])
        .arg(release.time.to_string())
        .env("LEVEL", if release.is_fast { "1" } else { "9" });
    ensure!(run(&mut python)?, "packaging/wheel.py failed");
    release.unstage(&folder)?;
    Ok(file)
}

fn ensure_folder(folder: &Path, path: &Path) -> Result<()> {
    let above = folder.join(path.parent().unwrap_or(Path::new("")));
    fs::create_dir_all(&above).with_context(|| above.display().to_string())
}

/// What pip compares with the machine: the C library that the programs need, and the processor.
fn platform(release: &Release) -> Result<String> {
    let host = rustc::host()?;
    let Some((arch, _)) = host.split_once("-unknown-linux-gnu") else {
        bail!("{host}: wheels are for programs that are linked with glibc");
    };
    let glibc = glibc::needed(&release.build.programs)?.replace('.', "_");
    Ok(format!("manylinux_{glibc}_{arch}"))
}

/// What `crates/python/pyproject.toml` says, as a wheel has it.
fn metadata(release: &Release) -> Result<String> {
    let path = release.build.root.join("crates/python/pyproject.toml");
    let project = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut text = format!("Metadata-Version: 2.4\nVersion: {}\n", release.version);
    for (key, field) in [
        ("name", "Name"),
        ("description", "Summary"),
        ("requires-python", "Requires-Python"),
        ("license", "License-Expression"),
    ] {
        let start = format!("{key} = \"");
        let value = project.lines().find_map(|line| line.strip_prefix(&start));
        let value = value.and_then(|value| value.strip_suffix('"'));
        let value = value.with_context(|| format!("{}: has no {key}", path.display()))?;
        text += &format!("{field}: {value}\n");
    }
    Ok(text)
}
