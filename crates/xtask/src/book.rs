//! `cargo xtask book`: the pages of `doc/` as a site with search. `doc/SUMMARY.md` has its order.

use std::process::Command;

use anyhow::Result;

use crate::run::run;
use crate::tools::MDBOOK;
use crate::workspace::root;

/// Build the pages of doc/ as a site, in target/site
#[derive(clap::Args)]
pub struct BookArgs {}

/// Builds the site; true when it is built.
pub fn book(_: &BookArgs) -> Result<bool> {
    let mut mdbook = Command::new(MDBOOK.program()?);
    run(mdbook.args(["build", "doc"]).current_dir(root()))
}

/// The same as a step of `cargo xtask check`: without the tool there is nothing to check.
pub fn check() -> Result<bool> {
    match MDBOOK.program() {
        Ok(_) => book(&BookArgs {}),
        Err(error) => {
            eprintln!("site: not built: {error:#}");
            Ok(true)
        }
    }
}
