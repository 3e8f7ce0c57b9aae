//! Comments and pages are plain English: a few phrases that readers stop at.

use std::fs;

use super::{assert_none, short};
use crate::workspace::{files_below, root};

/// What not to write, and what to write in its place.
const PHRASES: &[(&str, &str)] = &[
    ("can not", "cannot"),
    ("anew", "again"),
    ("so many", "N"),
    ("so manyeth", "the Nth"),
    ("whoever", "a noun: the client, the caller"),
    ("whatever", "a noun, or `regardless of`"),
];

/// This list, and pages that quote others.
const EXEMPT: &[&str] = &["crates/xtask/src/tidy/prose.rs", "doc/protocol/"];

#[test]
fn comments_and_pages_are_plain_english() {
    let mut breaches = Vec::new();
    for extension in ["rs", "md", "t", "sh", "toml", "1"] {
        for path in files_below(&root(), extension).expect("the tree can be read") {
            let name = short(&path);
            if EXEMPT.iter().any(|exempt| name.starts_with(exempt)) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            for (number, line) in text.lines().enumerate() {
                for (phrase, better) in phrases_in(line) {
                    let line = number + 1;
                    breaches.push(format!("{name}:{line}: `{phrase}`; write {better}"));
                }
            }
        }
    }
    assert_none(&breaches);
}

/// The phrases that stand in a line as whole words.
fn phrases_in(line: &str) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let line = line.to_lowercase();
    PHRASES.iter().filter(move |(phrase, _)| {
        line.match_indices(phrase).any(|(at, found)| {
            let before = line[..at].chars().next_back();
            let behind = line[at + found.len()..].chars().next();
            let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !is_word(before) && !is_word(behind)
        })
    })
}

#[test]
fn phrases_are_found_as_whole_words() {
    let found = |line| phrases_in(line).map(|(phrase, _)| *phrase).next();
    assert_eq!(found("It can not be."), Some("can not"));
    assert_eq!(found("Whoever asks"), Some("whoever"));
    assert_eq!(found("anewish, can note"), None);
}
