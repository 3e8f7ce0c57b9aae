//! `ferroflux-VERSION-TARGET.tar.zst`: one folder, which can be unpacked anywhere.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use super::Release;
use crate::parts::{Bindings, COMMAND};
use crate::run::run;
use crate::rustc;

/// Makes the archive with the tar and zstd of the system; says where it is.
pub fn make(release: &Release) -> Result<PathBuf> {
    let name = format!("ferroflux-{}-{}", release.version, rustc::host()?);
    // systemd finds a command that is named without its folder in /usr/local/bin and /usr/bin.
    let folder = release.stage(&name, COMMAND, Bindings::IfBuilt)?;
    let file = release.out.join(format!("{name}.tar.zst"));
    let zstd = if release.is_fast {
        "zstd -1"
    } else {
        "zstd -19"
    };
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=gnu", "--sort=name"])
        .args(["--owner=root:0", "--group=root:0", "--mode=u+rwX,go+rX,go-w"])
        .arg(format!("--mtime=@{}", release.time))
        .arg(format!("--use-compress-program={zstd}"))
        .arg("--file")
        .arg(&file)
        .arg("--directory")
        .arg(&release.out)
        .arg(&name)
        // The time of compression is not in it either way; the locale sorts names.
        .env("LC_ALL", "C");
    ensure!(
        run(&mut tar)?,
        "tar failed: it takes GNU tar and zstd (Debian: zstd)"
    );
    release.unstage(&folder)?;
    Ok(file)
}
