//! `cargo xtask docs`: (re)writes the pages that are generated from declarations,
//! so that they cannot say anything else than the code does.
//!
//! Each page is written by a test of the crate that knows its contents, under `UPDATE=1`;
//! without it the same test compares. Those of `doc/states/` are written by `UPDATE=1
//! cargo test` as well.

use anyhow::Result;

use crate::run::{cargo, run};

/// The tests that write `doc/rpc/` and `doc/errors.md`, and `doc/cli.md` and `doc/man/`.
const WRITERS: &[&[&str]] = &[PROTO, &["-p", "cli", "--test", "docs"]];

/// The one writer that a plain `cargo test` leaves out, because of its feature.
const PROTO: &[&str] = &["-p", "proto", "--features", "schema", "--test", "docs"];

/// Write the generated pages of doc/
#[derive(clap::Args)]
pub struct DocsArgs {
    /// Write nothing; fail when a page differs
    #[arg(long)]
    check: bool,
}

/// Writes or checks every page; true when all of them are (now) current.
pub fn docs(args: &DocsArgs) -> Result<bool> {
    let mut current = true;
    for writer in WRITERS {
        current &= run_writer(writer, !args.check)?;
    }
    Ok(current)
}

/// True if the pages that `proto` writes are current.
#[cfg(test)]
pub fn proto_is_current() -> Result<bool> {
    run_writer(PROTO, false)
}

fn run_writer(test: &[&str], update: bool) -> Result<bool> {
    let mut command = cargo(["test", "--quiet"].iter().chain(test));
    if update {
        command.env("UPDATE", "1");
    }
    run(&mut command)
}
