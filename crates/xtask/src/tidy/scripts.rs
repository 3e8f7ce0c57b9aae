//! The scripts of `t/` are named, numbered and written alike, and never sleep.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{assert_none, short};
use crate::workspace::{files_below, root};

const LINES_MAX: usize = 200;

/// Areas by thousands, as `doc/architecture.md` lists them; the others are free.
const AREAS: &[(char, &str)] = &[
    ('0', "broker and storage"),
    ('1', "trees of brokers"),
    ('2', "jobs"),
    ('4', "command line"),
    ('5', "Python and the web page"),
    ('6', "installation"),
    ('9', "whole system"),
];

fn scripts() -> Vec<(PathBuf, String)> {
    let paths = files_below(&root().join("t"), "t").expect("t/ can be read");
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).expect("text")))
        .collect()
}

fn name_of(path: &std::path::Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[test]
fn script_names_are_a_number_and_words() {
    let mut breaches = Vec::new();
    let mut by_number: BTreeMap<String, String> = BTreeMap::new();
    for (path, _) in scripts() {
        let name = name_of(&path);
        let number: String = name.chars().skip(1).take(4).collect();
        let words = name.get(5..).unwrap_or_default().trim_end_matches(".t");
        let well_formed = name.starts_with('t')
            && number.chars().all(|c| c.is_ascii_digit())
            && words.starts_with('-')
            && words
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !well_formed {
            breaches.push(format!("{} is not named tNNNN-area-topic.t", short(&path)));
        } else if !AREAS.iter().any(|(digit, _)| number.starts_with(*digit)) {
            breaches.push(format!("{}: no area has this number", short(&path)));
        }
        if let Some(other) = by_number.insert(number, name.clone()) {
            breaches.push(format!("{other} and {name} have the same number"));
        }
    }
    assert_none(&breaches);
}

#[test]
fn scripts_are_whole_and_short() {
    let mut breaches = Vec::new();
    for (path, text) in scripts() {
        let mut needs = |holds: bool, what: &str| {
            if !holds {
                breaches.push(format!("{} {what}", short(&path)));
            }
        };
        let mode = fs::metadata(&path)
            .map(|meta| meta.permissions().mode())
            .unwrap_or_default();
        needs(mode & 0o111 != 0, "is not executable");
        needs(
            text.starts_with("#!/bin/sh\n"),
            "does not begin with #!/bin/sh",
        );
        needs(
            text.contains("\ntest_description='"),
            "has no test_description",
        );
        needs(
            text.contains("/sharness.sh\"\n"),
            "does not source sharness.sh",
        );
        needs(
            text.trim_end().ends_with("\ntest_done"),
            "does not end with test_done",
        );
        needs(text.lines().count() < LINES_MAX, "has 200 lines or more");
    }
    assert_none(&breaches);
}

#[test]
fn no_script_sleeps() {
    let mut breaches = Vec::new();
    for (path, text) in scripts() {
        for (number, line) in text.lines().enumerate() {
            if is_sleep(line) {
                breaches.push(format!(
                    "{}:{}: wait for an event instead",
                    short(&path),
                    number + 1
                ));
            }
        }
    }
    assert_none(&breaches);
}

/// True if the shell line runs sleep itself, rather than hand it to something.
fn is_sleep(line: &str) -> bool {
    let commands = line.split(['&', '|', ';', '(', '{', '`']);
    commands.into_iter().any(|command| {
        let mut words = command.split_whitespace();
        let first = words.find(|word| !["!", "do", "then", "else"].contains(word));
        first == Some("sleep")
    })
}

#[test]
fn sleeping_is_told_from_submitting_sleep() {
    for line in [
        "sleep 1",
        "	foo && sleep 1 &&",
        "do sleep 0.5; done",
        "(sleep 3)",
        "! sleep 1",
    ] {
        assert!(is_sleep(line), "{line}");
    }
    for line in [
        "flux submit sleep inf &&",
        "# never sleep",
        "echo sleep",
        "grep sleep out",
    ] {
        assert!(!is_sleep(line), "{line}");
    }
}
