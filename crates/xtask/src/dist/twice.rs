//! Whether the same sources give the same bytes: two builds in two folders, with names that
//! differ in length, so that a path that is in a program moves all that follows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Package, Release, build};
use crate::parts::Build;

/// Makes the packages of the last commit in two folders; true when they are the same.
pub fn check(release: Release, packages: &[Package]) -> Result<bool> {
    let place = release.out.join("check");
    release.unstage(&place)?;
    let folders = ["one", "the-other"].map(|name| place.join(name));
    let outs = [
        make(&release, &folders[0], packages)?,
        make(&release, &folders[1], packages)?,
    ];
    let mut are_same = true;
    for entry in outs[0].read_dir()? {
        let name = entry?.file_name();
        let paths = [0, 1].map(|n| outs[n].join(&name));
        let is_same = fs::read(&paths[0])? == fs::read(&paths[1])?;
        are_same &= is_same;
        let word = if is_same { "the same twice" } else { "DIFFERS" };
        println!("{}: {word}", name.display());
    }
    match are_same {
        true => release.unstage(&place)?,
        false => println!("look at both: {} {}", outs[0].display(), outs[1].display()),
    }
    Ok(are_same)
}

/// Unpacks the last commit into `folder`, builds it there and packages it; says where.
fn make(release: &Release, folder: &Path, packages: &[Package]) -> Result<PathBuf> {
    let root = folder.join("ferroflux");
    fs::create_dir_all(&root).with_context(|| root.display().to_string())?;
    let mut git = Command::new("git");
    git.current_dir(&release.build.root)
        .args(["archive", "HEAD"]);
    let mut git = git
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run git")?;
    let archive = git.stdout.take().context("git has no output")?;
    let tar = Command::new("tar")
        .arg("-x")
        .current_dir(&root)
        .stdin(archive)
        .status();
    ensure!(
        tar.context("cannot run tar")?.success() && git.wait()?.success(),
        "the last commit cannot be unpacked"
    );
    let target = root.join("target");
    let programs = build(&root, &target, &release.profile)?;
    let again = Release {
        build: Build { root, programs },
        version: release.version.clone(),
        profile: release.profile.clone(),
        out: folder.join("packages"),
        ..*release
    };
    again.make(packages)?;
    Ok(again.out)
}
