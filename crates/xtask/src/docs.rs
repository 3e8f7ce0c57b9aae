//! `cargo xtask docs`: (re)writes the pages that are generated from declarations,
//! so that they cannot say anything else than the code does.
//!
//! `doc/cli.md`, `doc/man/` and `doc/states/` are written by tests of the crates that
//! know what is in them, under `UPDATE=1`; without it the same tests compare.
//!
//! To add a kind of page: a file in `docs/` with a function from nothing to pages,
//! and its line in `SOURCES`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::{cargo, run};
use crate::workspace;

mod errors;
mod events;
mod rpc;
mod schema;

/// Write the generated pages of doc/
#[derive(clap::Args)]
pub struct DocsArgs {
    /// Write nothing; fail when a page differs
    #[arg(long)]
    check: bool,
}

/// One generated file.
pub struct Page {
    /// Below `doc/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Everything that makes pages.
const SOURCES: &[fn() -> Vec<Page>] = &[rpc::pages, events::pages, errors::pages];

/// Folders in which every page is generated: one that no source makes is stale.
const GENERATED_FOLDERS: &[&str] = &["rpc"];

/// Writes or checks every page; true when all of them are (now) current.
pub fn docs(args: &DocsArgs) -> Result<bool> {
    if args.check {
        return check();
    }
    for page in pages() {
        let path = doc().join(&page.path);
        if fs::read_to_string(&path).is_ok_and(|text| text == page.text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, page.text).with_context(|| path.display().to_string())?;
        println!("wrote doc/{}", page.path);
    }
    for path in stale_pages()? {
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
        println!("removed {}", path.display());
    }
    // The manual is written by a test of its crate: xtask is to build without it.
    run(cargo(["test", "--quiet", "-p", "cli", "--test", "docs"]).env("UPDATE", "1"))
}

/// Names every page that differs from what would be written now.
pub fn check() -> Result<bool> {
    let differing = differing_pages()?;
    for path in &differing {
        eprintln!("{path} is not what `cargo xtask docs` writes");
    }
    Ok(differing.is_empty())
}

/// Pages that are missing, changed or stale.
pub fn differing_pages() -> Result<Vec<String>> {
    let mut differing = Vec::new();
    for page in pages() {
        let found = fs::read_to_string(doc().join(&page.path)).unwrap_or_default();
        if found != page.text {
            differing.push(format!("doc/{}", page.path));
        }
    }
    differing.extend(stale_pages()?.iter().map(|path| path.display().to_string()));
    Ok(differing)
}

fn pages() -> Vec<Page> {
    SOURCES.iter().flat_map(|source| source()).collect()
}

fn stale_pages() -> Result<Vec<PathBuf>> {
    let current: Vec<PathBuf> = pages().iter().map(|page| doc().join(&page.path)).collect();
    let mut stale = Vec::new();
    for folder in GENERATED_FOLDERS.iter().map(|folder| doc().join(folder)) {
        if folder.is_dir() {
            stale.extend(workspace::files_below(&folder, "md")?);
        }
    }
    stale.retain(|path| !current.contains(path));
    Ok(stale)
}

fn doc() -> PathBuf {
    workspace::root().join("doc")
}

/// The first line of every page.
fn banner(source: &str) -> String {
    format!("<!-- Written by `cargo xtask docs` from {source}: change it there. -->\n\n")
}

/// Text for a table cell: one line, no column breaks.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
