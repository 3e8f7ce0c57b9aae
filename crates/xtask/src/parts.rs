//! Installed files and their places: the one list behind `cargo xtask install` and every package
//! that `cargo xtask dist` makes.
//!
//! Paths are below the prefix, as `crates/cli/src/layout.rs` looks for them. A program that is
//! not listed here is in no package, which a test does not let pass (`tidy/parts.rs`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::licences;
use crate::run::cargo;

/// The one program that people call.
pub const COMMAND: &str = "flux";

/// Programs that `flux` and the broker start, in `libexec/flux`.
pub const HELPERS: &[&str] = &[
    "flux-broker",
    "flux-launcher",
    "flux-module-content",
    "flux-module-cron",
    "flux-module-heartbeat",
    "flux-module-job-exec",
    "flux-module-job-info",
    "flux-module-job-ingest",
    "flux-module-job-list",
    "flux-module-job-manager",
    "flux-module-kvs",
    "flux-module-kvs-watch",
    "flux-module-resource",
    "flux-module-sched-backfill",
    "flux-module-sched-fifo",
    "flux-module-sched-simple",
    "flux-module-web",
    "flux-shell",
    "flux-terminus-server",
];

/// Packages that have something that is installed, and that `cargo build` leaves out.
pub const MORE: &[&str] = &["web", "python"];

/// The commands that build all that is installed.
pub fn builds(profile: &str) -> [Command; 2] {
    let mut builds = [(); 2].map(|()| cargo(["build", "--profile", profile]));
    // Together, since a crate is compiled once for each set of features that others ask it for.
    builds[1].args(MORE.iter().flat_map(|name| ["-p", *name]));
    builds
}

/// Libraries that tasks load, in `lib/flux`: the file, and the name that programs are linked with.
const LIBRARIES: &[(&str, &str)] = &[("libpmi.so", "libpmi.so.0"), ("libpmi2.so", "libpmi2.so.0")];

/// Completion scripts, which the command prints: the shell, and where it looks for them.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "share/bash-completion/completions/flux"),
    ("zsh", "share/zsh/site-functions/_flux"),
    ("fish", "share/fish/vendor_completions.d/flux.fish"),
];

/// Units of systemd: the file in `packaging/`, and where systemd looks for it.
const UNITS: &[(&str, &str)] = &[
    ("flux.service", "lib/systemd/system"),
    ("ferroflux.service", "lib/systemd/user"),
];

/// Stands in a unit for the path of the command.
const COMMAND_IN_UNIT: &str = "@flux@";

/// Where pages that are no manual, licences and examples go.
pub const DOC: &str = "share/doc/ferroflux";

/// Files of the tree that go to `DOC` as they are.
const PAGES: &[&str] = &["README.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// The examples of the tree, which go to `DOC/examples`.
const EXAMPLES: &str = "doc/examples";

/// The extension of the Python package, as it is built and as Python looks for it.
const EXTENSION: (&str, &str) = ("lib_core.so", "_core.abi3.so");

/// The rest of that package.
const PYTHON: &str = "crates/python/python/flux";

/// Where it goes. The extension serves this version of Python and all later ones.
const BINDINGS: &str = "lib/flux/python3.9";

/// The folder of the sources, and of the programs built from them.
pub struct Build {
    /// The root of the tree.
    pub root: PathBuf,
    /// The folder with the programs.
    pub programs: PathBuf,
}

/// Something that is installed.
pub struct Part {
    /// Its path below the prefix.
    pub path: PathBuf,
    /// Content of the file.
    pub content: Content,
    /// It is a program.
    pub is_program: bool,
}

/// Content of a file.
pub enum Content {
    /// The same as in this file.
    Copy(PathBuf),
    /// This text.
    Text(String),
    /// Nothing: it is a link to its neighbour of this name.
    Link(&'static str),
}

/// Selection of bindings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bindings {
    /// The Python package too, if it was built.
    IfBuilt,
    /// Not here: a wheel has it in another place.
    LeftOut,
}

impl Build {
    /// All that is installed, in order of path. `command` is the path that units call.
    pub fn parts(&self, command: &str, bindings: Bindings) -> Result<Vec<Part>> {
        let mut parts = vec![self.program(COMMAND, "bin")?];
        for name in HELPERS {
            parts.push(self.program(name, "libexec/flux")?);
        }
        for (file, soname) in LIBRARIES {
            let built = self.built(file)?;
            parts.push(Part::copy(Path::new("lib/flux").join(file), built));
            let path = Path::new("lib/flux").join(soname);
            parts.push(Part::new(path, Content::Link(file)));
        }
        for (shell, path) in COMPLETIONS {
            parts.push(Part::text(*path, self.output(&["completion", shell])?));
        }
        for (file, folder) in UNITS {
            let template = self.root.join("packaging").join(file);
            let unit = read(&template)?.replace(COMMAND_IN_UNIT, command);
            parts.push(Part::text(Path::new(folder).join(file), unit));
        }
        let pages = PAGES.iter().map(|page| self.root.join(page));
        parts.extend(pages.map(|page| Part::copy(below(DOC, &page), page)));
        let third_parties = licences::third_parties(&self.root)?;
        let path = Path::new(DOC).join("THIRD-PARTY");
        parts.push(Part::text(path, third_parties));
        self.add_folder(&mut parts, EXAMPLES, &format!("{DOC}/examples"))?;
        self.add_manual(&mut parts)?;
        if bindings == Bindings::IfBuilt && self.built(EXTENSION.0).is_ok() {
            for mut part in self.bindings()? {
                part.path = Path::new(BINDINGS).join(part.path);
                parts.push(part);
            }
        }
        parts.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(parts)
    }

    fn add_manual(&self, parts: &mut Vec<Part>) -> Result<()> {
        for page in files(&self.root.join("doc/man"))? {
            let section = page.extension().unwrap_or_default().to_string_lossy();
            let folder = format!("share/man/man{section}");
            parts.push(Part::copy(below(&folder, &page), page));
        }
        Ok(())
    }

    /// The Python package, in the folder `flux`.
    pub fn bindings(&self) -> Result<Vec<Part>> {
        let (built, installed) = EXTENSION;
        let mut parts = vec![Part::copy(
            Path::new("flux").join(installed),
            self.built(built)?,
        )];
        self.add_folder(&mut parts, PYTHON, "flux")?;
        Ok(parts)
    }

    /// All files below a folder of the tree, at the same places below `to`.
    fn add_folder(&self, parts: &mut Vec<Part>, from: &str, to: &str) -> Result<()> {
        let from = self.root.join(from);
        let mut folders = vec![from.clone()];
        while let Some(folder) = folders.pop() {
            for entry in entries(&folder)? {
                if entry.is_dir() && !entry.ends_with("__pycache__") {
                    folders.push(entry);
                } else if entry.is_file() && entry.extension().is_none_or(|end| end != "so") {
                    let path = Path::new(to).join(entry.strip_prefix(&from)?);
                    let mode = entry.metadata()?.permissions().mode();
                    let mut part = Part::copy(path, entry);
                    part.is_program = mode & 0o111 != 0;
                    parts.push(part);
                }
            }
        }
        Ok(())
    }

    fn program(&self, name: &str, folder: &str) -> Result<Part> {
        let mut part = Part::copy(Path::new(folder).join(name), self.built(name)?);
        part.is_program = true;
        Ok(part)
    }

    fn built(&self, name: &str) -> Result<PathBuf> {
        let path = self.programs.join(name);
        ensure!(path.is_file(), "{}: was not built", path.display());
        Ok(path)
    }

    /// Output of the command.
    fn output(&self, args: &[&str]) -> Result<String> {
        let program = self.built(COMMAND)?;
        let output = Command::new(&program).args(args).output();
        let output = output.with_context(|| format!("cannot run {}", program.display()))?;
        if !output.status.success() {
            bail!("{} {}: {}", COMMAND, args.join(" "), output.status);
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Part {
    fn new(path: impl Into<PathBuf>, content: Content) -> Part {
        Part {
            path: path.into(),
            content,
            is_program: false,
        }
    }

    fn copy(path: impl Into<PathBuf>, from: PathBuf) -> Part {
        Part::new(path, Content::Copy(from))
    }

    fn text(path: impl Into<PathBuf>, text: String) -> Part {
        Part::new(path, Content::Text(text))
    }
}

/// The path of a file in another folder.
fn below(folder: &str, file: &Path) -> PathBuf {
    Path::new(folder).join(file.file_name().unwrap_or_default())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = entries(folder)?;
    entries.retain(|path| path.is_file());
    Ok(entries)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir();
    let entries = entries.with_context(|| folder.display().to_string())?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    Ok(paths?)
}
