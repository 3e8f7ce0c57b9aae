//! `cargo xtask dist`: packages, each with the same files (`parts.rs`).
//!
//! The same sources are to give the same bytes: times are those of the last commit, owners are root,
//! and no path of this machine is within. `--check` holds that, by building twice.
//!
//! Read on in `dist/archive.rs` (`tar`), `dist/deb.rs`, `dist/wheel.rs` and `dist/twice.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::install;
use crate::parts::{self, Bindings, Build};
use crate::run::run;
use crate::workspace::{self, Metadata};

mod archive;
mod deb;
mod glibc;
mod paths;
mod twice;
mod wheel;

/// Make packages: an archive, a package for Debian, a wheel for Python
#[derive(clap::Args)]
pub struct DistArgs {
    /// Packages to make; all of them when none is named
    #[arg(value_enum, value_name = "PACKAGE")]
    packages: Vec<Package>,
    /// Build to package: dist or release
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Where the packages go
    #[arg(long, value_name = "DIR", default_value = "target/package")]
    out: PathBuf,
    /// Build nothing; package the programs that are in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    from: Option<PathBuf>,
    /// Compress in less time, and less
    #[arg(long)]
    fast: bool,
    /// Make the packages of the last commit twice, in two folders, and compare them
    #[arg(long)]
    check: bool,
}

/// A kind of package.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Package {
    /// ferroflux-VERSION-TARGET.tar.zst
    Tar,
    /// ferroflux_VERSION_ARCH.deb
    Deb,
    /// ferroflux-VERSION-...-TARGET.whl
    Wheel,
}

/// What all packages of a run have in common.
struct Release {
    build: Build,
    version: String,
    profile: String,
    /// When the last commit was made, in seconds since 1970: the time of all files.
    time: u64,
    /// Where packages go.
    out: PathBuf,
    is_fast: bool,
}

/// Makes what is asked for; true when it is made, and the same again if that is checked.
pub fn dist(args: &DistArgs) -> Result<bool> {
    let root = workspace::root();
    let packages = match args.packages.as_slice() {
        [] => &[Package::Tar, Package::Deb, Package::Wheel],
        some => some,
    };
    let version = Metadata::read()?.version().to_owned();
    let mut release = Release {
        build: Build {
            programs: PathBuf::new(),
            root: root.clone(),
        },
        version,
        profile: args.profile.clone(),
        time: time_of_last_commit(&root)?,
        out: root.join(&args.out),
        is_fast: args.fast,
    };
    if args.check {
        return twice::check(release, packages);
    }
    release.build.programs = match &args.from {
        Some(folder) => std::path::absolute(folder)?,
        None => {
            let target = Metadata::read()?.target_directory().join("package/build");
            build(&root, &target, &args.profile)?
        }
    };
    release.make(packages)?;
    let needed = glibc::needed(&release.build.programs)?;
    println!("the programs need glibc {needed} or newer");
    Ok(true)
}

/// Builds the tree at `root` so that no path of this machine is in the programs; says where
/// they are.
fn build(root: &Path, target: &Path, profile: &str) -> Result<PathBuf> {
    for mut command in parts::builds(profile) {
        command.arg("--locked").current_dir(root);
        command.env("CARGO_TARGET_DIR", target);
        paths::forget(&mut command, root, target)?;
        ensure!(run(&mut command)?, "the {profile} build failed");
    }
    let programs = target.join(workspace::folder_of_profile(profile));
    paths::ensure_forgotten(&programs, root)?;
    Ok(programs)
}

fn time_of_last_commit(root: &Path) -> Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(given) => given,
        Err(_) => {
            let mut git = Command::new("git");
            git.current_dir(root).args(["log", "-1", "--format=%ct"]);
            let output = git.output().context("cannot run git")?;
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
    };
    let time = text.trim().parse();
    time.context("no time of the last commit: set SOURCE_DATE_EPOCH to seconds since 1970")
}

impl Release {
    /// Makes the packages and says where they are.
    fn make(&self, packages: &[Package]) -> Result<()> {
        fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        for package in packages {
            let made = match package {
                Package::Tar => archive::make(self),
                Package::Deb => deb::make(self),
                Package::Wheel => wheel::make(self),
            };
            println!("{}", made?.display());
        }
        Ok(())
    }

    /// All parts as files, in a folder of this name beside the packages, which is made for them.
    fn stage(&self, name: &str, command: &str, bindings: Bindings) -> Result<PathBuf> {
        let folder = self.out.join(name);
        self.unstage(&folder)?;
        for part in self.build.parts(command, bindings)? {
            let above = part.path.parent().unwrap_or(Path::new(""));
            fs::create_dir_all(folder.join(above))?;
            install::write(&part, &folder)?;
        }
        Ok(folder)
    }

    /// Removes what was staged.
    fn unstage(&self, folder: &Path) -> Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!("{}: {error}", folder.display())
            }
            _ => Ok(()),
        }
    }
}
