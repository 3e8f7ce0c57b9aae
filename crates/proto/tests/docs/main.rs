//! The pages of methods, events, errors and jobspecs in `doc/` are printed from the
//! declarations. `cargo xtask docs` runs this with UPDATE=1, which writes them; without it
//! they are compared. Needs the feature `schema`.
//!
//! To add a kind of page: a file here with a function from nothing to pages, and its line
//! in `SOURCES`.

#![allow(clippy::disallowed_methods, reason = "the test compares files")]

use std::fs;
use std::path::{Path, PathBuf};

mod errors;
mod events;
mod job;
mod rpc;
mod schema;
mod settings;
mod used;
mod uses;

/// One generated file.
struct Page {
    /// Below `doc/`.
    path: String,
    /// All of it.
    text: String,
}

/// Everything that makes pages.
const SOURCES: &[fn() -> Vec<Page>] = &[
    rpc::pages,
    events::pages,
    errors::pages,
    job::pages,
    settings::pages,
];

#[test]
fn every_page_is_what_the_declarations_say_and_none_is_left_over() {
    let pages: Vec<Page> = SOURCES.iter().flat_map(|source| source()).collect();
    let update = std::env::var_os("UPDATE").is_some();
    let mut stale = Vec::new();
    for page in &pages {
        let path = doc().join(&page.path);
        if fs::read_to_string(&path).is_ok_and(|text| text == page.text) {
            continue;
        }
        if update {
            fs::write(&path, &page.text).expect("doc/ is writable");
        } else {
            stale.push(page.path.clone());
        }
    }
    for entry in doc().join("rpc").read_dir().expect("doc/rpc is readable") {
        let path = entry.expect("doc/rpc is readable").path();
        if pages.iter().any(|page| doc().join(&page.path) == path) {
            continue;
        }
        if update {
            fs::remove_file(&path).expect("doc/ is writable");
        } else {
            stale.push(path.display().to_string());
        }
    }
    assert!(
        stale.is_empty(),
        "doc: run `cargo xtask docs` for {}",
        stale.join(", ")
    );
}

fn doc() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../doc")
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
