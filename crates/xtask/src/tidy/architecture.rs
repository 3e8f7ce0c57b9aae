//! The map is complete: every workspace member has its paragraph in
//! `doc/architecture.md`, and the page stays short enough to be read.

use super::assert_none;
use super::members::members;
use crate::workspace::root;

const LINES_MAX: usize = 280;

#[test]
fn every_member_has_a_paragraph_in_the_architecture_page() {
    let page = std::fs::read_to_string(root().join("doc/architecture.md")).expect("the page");
    let members = members();
    let breaches: Vec<String> = members
        .into_iter()
        .filter_map(|(_, folder)| {
            let path = super::short(&folder);
            // A paragraph begins with the folder in bold code.
            (!page.contains(&format!("\n**`{path}/`**")))
                .then(|| format!("doc/architecture.md has no paragraph that begins **`{path}/`**"))
        })
        .collect();
    assert_none(&breaches);
}

#[test]
fn every_paragraph_is_about_a_folder_that_exists() {
    let page = std::fs::read_to_string(root().join("doc/architecture.md")).expect("the page");
    let folders = page
        .lines()
        .filter_map(|line| line.strip_prefix("**`")?.split_once("/`**"));
    let breaches: Vec<String> = folders
        .filter(|(folder, _)| !root().join(folder).is_dir())
        .map(|(folder, _)| format!("doc/architecture.md describes {folder}/, which is not there"))
        .collect();
    assert_none(&breaches);
}

#[test]
fn the_architecture_page_can_be_read_at_one_sitting() {
    let page = std::fs::read_to_string(root().join("doc/architecture.md")).expect("the page");
    let lines = page.lines().count();
    assert!(
        lines <= LINES_MAX,
        "doc/architecture.md has {lines} lines, more than {LINES_MAX}"
    );
}
