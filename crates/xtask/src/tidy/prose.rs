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

/// Words that begin a clause: as the first word of a doc comment they stand where the name
/// of a thing belongs.
const OPENERS: &[&str] = &["What", "How", "Whether", "Who", "Which", "Whose", "Why"];

/// Doc comments that still begin so, by the folder that has them: a number may only fall. The
/// first folder that fits counts.
const OPENERS_MAX: &[(&str, usize)] =
    &[("crates/python/", 6), ("crates/xtask/src/dist", 8), ("", 4)];

/// Phrases that are no longer written, each with the number of lines of Rust that still
/// have it: it may only fall.
const FADING: &[Fading] = &[
    Fading("is over", "ended, expired, finished", 7),
    Fading("are over", "ended, expired, finished", 1),
    Fading("is gone", "disconnected, exited, lost, removed", 10),
    Fading("are gone", "disconnected, exited, lost, removed", 1),
    Fading("somebody", "a noun: the client, a user", 14),
    Fading("be had", "available, readable", 1),
];

/// A phrase, words in its place, and the most lines that may have it.
struct Fading(&'static str, &'static str, usize);

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

#[test]
fn doc_comments_begin_with_a_noun_or_a_verb() {
    let mut breaches = vec![Vec::new(); OPENERS_MAX.len()];
    for path in files_below(&root(), "rs").expect("the tree can be read") {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let name = short(&path);
        let folder = OPENERS_MAX.iter().position(|(f, _)| name.starts_with(f));
        for (line, opener) in openers(&text) {
            breaches[folder.expect("the last folder has all")].push(format!(
                "{name}:{line}: begins with `{opener}`; write a noun"
            ));
        }
    }
    for ((_, most), breaches) in OPENERS_MAX.iter().zip(&breaches) {
        if breaches.len() > *most {
            assert_none(breaches);
        }
    }
}

/// Doc comments that begin with an opener and are no question, by line.
fn openers(text: &str) -> Vec<(usize, &str)> {
    let doc = |line: &str| {
        ["///", "//!"]
            .iter()
            .any(|mark| line.trim_start().starts_with(mark))
    };
    let mut found = Vec::new();
    let mut was_doc = false;
    for (number, line) in text.lines().enumerate() {
        let is_first = doc(line) && !was_doc;
        was_doc = doc(line);
        let words = line
            .trim_start()
            .trim_start_matches(['/', '!'])
            .trim_start();
        let first = words.split(' ').next().unwrap_or_default();
        if is_first && OPENERS.contains(&first) && !words.ends_with('?') {
            found.push((number + 1, first));
        }
    }
    found
}

#[test]
fn fading_phrases_become_fewer() {
    let mut counts = vec![0; FADING.len()];
    for path in files_below(&root(), "rs").expect("the tree can be read") {
        let name = short(&path);
        if EXEMPT.iter().any(|exempt| name.starts_with(exempt)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines() {
            for (count, Fading(phrase, ..)) in counts.iter_mut().zip(FADING) {
                *count += usize::from(has_phrase(&line.to_lowercase(), phrase));
            }
        }
    }
    let rows = FADING.iter().zip(counts);
    let breaches = rows.filter(|(Fading(.., most), count)| count > most);
    let breaches: Vec<String> = breaches
        .map(|(Fading(phrase, better, most), count)| {
            format!("`{phrase}` is in {count} lines, more than {most}; write {better}")
        })
        .collect();
    assert_none(&breaches);
}

/// The phrases that stand in a line as whole words.
fn phrases_in(line: &str) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let line = line.to_lowercase();
    PHRASES
        .iter()
        .filter(move |(phrase, _)| has_phrase(&line, phrase))
}

/// True if a line in lower case has the phrase as whole words.
fn has_phrase(line: &str, phrase: &str) -> bool {
    line.match_indices(phrase).any(|(at, found)| {
        let before = line[..at].chars().next_back();
        let behind = line[at + found.len()..].chars().next();
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_word(before) && !is_word(behind)
    })
}

#[test]
fn phrases_are_found_as_whole_words() {
    let found = |line| phrases_in(line).map(|(phrase, _)| *phrase).next();
    assert_eq!(found("It can not be."), Some("can not"));
    assert_eq!(found("Whoever asks"), Some("whoever"));
    assert_eq!(found("anewish, can note"), None);
}

#[test]
fn openers_are_found_at_the_head_of_a_doc_comment() {
    assert_eq!(openers("/// What it is.\nfn f() {}"), [(1, "What")]);
    assert!(openers("/// A thing.\n/// What it is.").is_empty());
    assert!(openers("//! What is it?").is_empty());
    assert!(openers("/// Whatsoever.").is_empty());
}
