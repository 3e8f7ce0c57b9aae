//! The site has every page: `doc/SUMMARY.md` lists each page of `doc/` once. And the README,
//! which is the way in, stays short.

use std::collections::BTreeMap;
use std::fs;

use super::assert_none;
use super::links::links;
use crate::workspace::{files_below, root};

const SUMMARY: &str = "SUMMARY.md";

/// Lines of the README: a screen.
const README_LINES_MAX: usize = 70;

#[test]
fn the_readme_is_a_screen_that_begins_with_two_commands() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let lines = readme.lines().count();
    assert!(
        lines <= README_LINES_MAX,
        "README.md has {lines} lines, more than {README_LINES_MAX}: move some to doc/"
    );
    let block = readme.split("```").nth(1).unwrap_or_default();
    let commands: Vec<&str> = block.lines().skip(1).collect();
    assert!(
        commands.len() == 2
            && commands[0].starts_with("cargo build --release && target/release/flux start ")
            && commands[1].starts_with("cargo xtask test"),
        "the first block of README.md is not the two commands"
    );
}

#[test]
fn every_page_is_in_the_summary_once() {
    let doc = root().join("doc");
    let summary = fs::read_to_string(doc.join(SUMMARY)).expect("doc/SUMMARY.md");
    let mut times = BTreeMap::new();
    for (page, _) in links(&summary) {
        *times.entry(page.to_owned()).or_insert(0) += 1;
    }
    let mut breaches = Vec::new();
    for path in files_below(&doc, "md").expect("doc/ can be read") {
        let page = path.strip_prefix(&doc).unwrap_or(&path);
        let page = page.display().to_string();
        match times.get(&page) {
            _ if page == SUMMARY => {}
            Some(1) => {}
            Some(n) => breaches.push(format!("doc/{SUMMARY} lists {page} {n} times")),
            None => breaches.push(format!("doc/{SUMMARY} lacks a line `- [TITLE]({page})`")),
        }
    }
    assert_none(&breaches);
}
