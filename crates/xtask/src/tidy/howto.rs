//! The pages of `doc/howto/` are true: the files that they name are there, and each names a
//! commit of this repository to imitate, by its number and its subject.

use std::fs;
use std::process::Command;

use super::{assert_none, short};
use crate::workspace::{files_below, root};

/// Beginning of the sentence in which a page names its commit.
const MARK: &str = "Model commit: `";

fn pages() -> Vec<(String, String)> {
    let paths = files_below(&root().join("doc/howto"), "md").expect("doc/howto is there");
    let pages = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("pages are text");
        (short(&path), text)
    });
    pages.collect()
}

#[test]
fn every_howto_names_a_commit_to_imitate() {
    let has_history = is_complete_clone();
    let mut breaches = Vec::new();
    for (page, text) in pages() {
        let Some((id, subject)) = model(&text) else {
            breaches.push(format!("{page} has no line: {MARK}ID`, \"SUBJECT\""));
            continue;
        };
        // An archive of the tree, or a shallow clone, has no history to look at.
        if has_history && subject_of(id).as_deref() != Some(subject) {
            breaches.push(format!("{page}: no commit {id} is \"{subject}\""));
        }
    }
    assert_none(&breaches);
}

#[test]
fn every_file_that_a_howto_names_is_there() {
    let mut breaches = Vec::new();
    for (page, text) in pages() {
        for file in files_in(&text) {
            if !root().join(file).exists() {
                breaches.push(format!("{page} names {file}, which is not there"));
            }
        }
    }
    assert_none(&breaches);
}

/// The model commit of a page: its id and its subject.
fn model(text: &str) -> Option<(&str, &str)> {
    let (id, rest) = text.split_once(MARK)?.1.split_once("`, \"")?;
    Some((id, rest.split_once('"')?.0))
}

/// Code in running text that is a path from the root, without placeholders.
fn files_in(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    code.filter(|word| {
        let from_root = ["crates/", "modules/", "broker/", "doc/", "t/"];
        let is_path = from_root.iter().any(|folder| word.starts_with(folder));
        is_path && !word.contains([' ', '<', '*', ':', '…']) && !word.contains("NNNN")
    })
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).current_dir(root()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn is_complete_clone() -> bool {
    git(&["rev-parse", "--is-shallow-repository"]).as_deref() == Some("false")
}

fn subject_of(id: &str) -> Option<String> {
    // Only what leads to where we are: other branches may go.
    git(&["merge-base", "--is-ancestor", id, "HEAD"])?;
    git(&["log", "-1", "--format=%s", id])
}

#[test]
fn models_and_files_are_found() {
    let text =
        "Model commit: `abc123`, \"a: b\". See `crates/x/y.rs`, `t/tNNNN-x.t`, `doc/<a>.md`.";
    assert_eq!(model(text), Some(("abc123", "a: b")));
    assert_eq!(files_in(text).collect::<Vec<_>>(), ["crates/x/y.rs"]);
}
