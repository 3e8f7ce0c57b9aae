//! `ferroflux_VERSION_ARCH.deb`: what cargo-deb makes of `packaging/deb/`, with our files.
//!
//! The packages that ours depends on are those with the libraries that the programs load.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Release;
use crate::parts::{Bindings, COMMAND};
use crate::run::run;
use crate::tools::CARGO_DEB;

/// What Debian is told of the package, and the scripts that dpkg runs.
const SOURCE: &str = "packaging/deb";

/// Makes the package; says where it is.
pub fn make(release: &Release) -> Result<PathBuf> {
    let cargo_deb = CARGO_DEB.program()?;
    let command = Path::new("/usr/bin").join(COMMAND);
    let folder = release.stage("deb/usr", &command.to_string_lossy(), Bindings::IfBuilt)?;
    let folder = folder.parent().context("a folder in the root")?;
    let source = release.build.root.join(SOURCE);
    for file in ["Cargo.toml", "postinst", "prerm", "postrm"] {
        let copied = fs::copy(source.join(file), folder.join(file));
        copied.with_context(|| format!("{SOURCE}/{file}"))?;
    }
    let mut deb = Command::new(cargo_deb);
    deb.current_dir(folder)
        .args(["deb", "--quiet", "--no-build", "--no-strip", "--offline"])
        .args(["--deb-version", &release.version, "--output"])
        .arg(&release.out)
        .args(release.is_fast.then_some("--fast"))
        .env("SOURCE_DATE_EPOCH", release.time.to_string())
        .env("CARGO_TARGET_DIR", folder.join("target"))
        // It prints the path of the package, as our caller does.
        .stdout(Stdio::null());
    ensure!(run(&mut deb)?, "cargo-deb failed");
    release.unstage(folder)?;
    let version = format!("ferroflux_{}_", release.version);
    let entries = release.out.read_dir()?.flatten().map(|entry| entry.path());
    let mut files = entries.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&version) && name.ends_with(".deb")
    });
    files.next().context("cargo-deb made no package")
}
