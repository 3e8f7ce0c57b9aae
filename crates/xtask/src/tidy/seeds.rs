//! `doc/seeds.md` names tests that are there: each row of its tables has one at least.

use std::fs;
use std::path::PathBuf;

use super::assert_none;
use super::members::members;
use crate::workspace::{files_below, root};

#[test]
fn each_row_of_the_seeds_has_tests_that_are_there() {
    let text = fs::read_to_string(root().join("doc/seeds.md")).expect("doc/seeds.md");
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| S"))
        .collect();
    let mut breaches = Vec::new();
    for row in &rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, _, tests, _] = cells[..] else {
            breaches.push(format!("{row} has not three cells"));
            continue;
        };
        let named = in_backticks(tests);
        if named.is_empty() {
            breaches.push(format!("{name} names no test"));
        }
        for test in named.iter().filter(|test| !is_there(test)) {
            breaches.push(format!("{name}: there is no test {test}"));
        }
    }
    let numbers = rows.iter().filter_map(|row| {
        let name = row.trim_start_matches("| S").split_whitespace().next()?;
        name.parse::<usize>().ok()
    });
    if !numbers.is_sorted_by(|one, next| one < next) {
        breaches.push("rows are not in the order of their numbers".to_owned());
    }
    assert_none(&breaches);
}

fn in_backticks(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// True if there is a test `CRATE::PATH::NAME`, or a test `TITLE` in a script: `tNNNN: TITLE`.
fn is_there(test: &str) -> bool {
    if let Some((number, title)) = test.split_once(": ") {
        return has(root().join("t"), "t", |path, text| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let titles = ["", "OURS "].map(|needs| format!("test_expect_success {needs}'{title}'"));
            name.starts_with(number) && titles.iter().any(|title| text.contains(title))
        });
    }
    let Some((member, path)) = test.split_once("::") else {
        return false;
    };
    let name = path.rsplit("::").next().unwrap_or(path);
    let (function, transcript) = (format!("fn {name}("), format!("    {name} = \""));
    let members = members();
    let folder = members.iter().find(|(known, _)| known == member);
    folder.is_some_and(|(_, folder)| {
        has(folder.clone(), "rs", |_, text| {
            text.contains("#[test]") && text.contains(&function) || text.contains(&transcript)
        })
    })
}

fn has(folder: PathBuf, extension: &str, wanted: impl Fn(&PathBuf, &str) -> bool) -> bool {
    let files = files_below(&folder, extension).expect("the tree can be read");
    files.iter().any(|path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        wanted(path, &text)
    })
}

#[test]
fn a_test_that_is_not_there_is_found_out() {
    assert!(is_there(
        "xtask::tidy::seeds::a_test_that_is_not_there_is_found_out"
    ));
    for none in [
        "xtask::tidy::seeds::nosuch",
        "nosuch::each_row_of_the_seeds_has_tests_that_are_there",
        "t2300: no such title",
        "nosuch",
    ] {
        assert!(!is_there(none), "{none}");
    }
}

#[test]
fn the_crates_of_the_journal_forbid_unsafe_code() {
    for folder in [
        "crates/job-fold",
        "crates/proto",
        "modules/job-list",
        "modules/job-manager",
    ] {
        let path = root().join(folder).join("src/lib.rs");
        let text = fs::read_to_string(path).expect("lib.rs");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{folder}");
    }
}
