//! Programs of others that the automation uses, each in the version that was tried. They are
//! compiled into `target/tools` when they are first asked for.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::run::{cargo, run};
use crate::workspace::Metadata;

/// A program from crates.io.
pub struct Tool {
    name: &'static str,
    version: &'static str,
    options: &'static [&'static str],
}

/// Makes packages for Debian; xz is that of the system.
pub const CARGO_DEB: Tool = Tool {
    name: "cargo-deb",
    version: "3.8.0",
    options: &["--no-default-features"],
};

/// Holds the crates of others to `deny.toml`.
pub const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    options: &[],
};

/// Makes a site of the pages of `doc/`.
pub const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    options: &["--no-default-features", "--features", "search"],
};

impl Tool {
    /// Where it is. Installs it when it is not there.
    pub fn program(&self) -> Result<PathBuf> {
        let folder = format!("tools/{}-{}", self.name, self.version);
        let folder = Metadata::read()?.target_directory().join(folder);
        let program = folder.join("bin").join(self.name);
        if !program.is_file() {
            let mut install = cargo(["install", "--quiet", "--locked", "--version"]);
            // It is compiled once and run a few times.
            install
                .args([self.version, "--debug", "--root"])
                .arg(&folder);
            install.args(self.options).arg(self.name);
            ensure!(
                run(&mut install)? && program.is_file(),
                "{} {} cannot be installed from crates.io",
                self.name,
                self.version
            );
        }
        Ok(program)
    }
}
