//! References lead somewhere: a cited page of `doc/protocol/` has the cited section.

use std::fs;

use super::{assert_none, short};
use crate::workspace::{files_below, root};

/// Beginning of a reference to a page of the protocol in code and pages.
const MARK: &str = "protocol/";

#[test]
fn every_cited_section_of_the_protocol_is_there() {
    let pages = pages();
    let mut breaches = Vec::new();
    for extension in ["rs", "md", "t", "sh", "toml"] {
        for path in files_below(&root(), extension).expect("the tree can be read") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            for citation in citations(&text) {
                if let Some(wrong) = wrong(&pages, &citation) {
                    breaches.push(format!("{}: {wrong}", short(&path)));
                }
            }
        }
    }
    assert_none(&breaches);
}

/// A page number and the sections of it that are named.
#[derive(Debug, PartialEq)]
struct Citation<'a> {
    page: &'a str,
    sections: Vec<&'a str>,
}

/// Every page by its number, with its text.
fn pages() -> Vec<(String, String)> {
    let files = files_below(&root().join("doc/protocol"), "md").expect("doc/protocol is there");
    let pages = files.into_iter().filter_map(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let number = name.split_once('-')?.0.to_owned();
        Some((number, fs::read_to_string(path).ok()?))
    });
    pages.collect()
}

fn wrong(pages: &[(String, String)], citation: &Citation) -> Option<String> {
    let Some((_, text)) = pages.iter().find(|(number, _)| number == citation.page) else {
        return Some(format!("protocol/{} is not there", citation.page));
    };
    let has = |section: &str| {
        let headings = text.lines().filter(|line| line.starts_with("##"));
        let mut numbers =
            headings.filter_map(|line| line.trim_start_matches('#').split_whitespace().next());
        numbers.any(|number| number.trim_end_matches('.') == section)
    };
    let missing = citation.sections.iter().find(|section| !has(section))?;
    Some(format!(
        "protocol/{} has no section {missing}",
        citation.page
    ))
}

/// Finds `protocol/NN`, `protocol/NN section N` and `protocol/NN sections N, N and N`.
/// A comment may break the line anywhere in between.
fn citations(text: &str) -> Vec<Citation<'_>> {
    let pieces = text.split(MARK).skip(1);
    pieces
        .filter_map(|piece| {
            let page = piece.get(..2)?;
            if !page.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let mut words = piece[2..]
                .split_whitespace()
                .filter(|word| !["//", "///", "//!", "#", ">"].contains(word));
            let sections = match words.next() {
                Some("section") => words.next().into_iter().filter_map(number).collect(),
                Some("sections") => sections_of(words),
                _ => Vec::new(),
            };
            Some(Citation { page, sections })
        })
        .collect()
}

/// The numbers of a list such as `3, 4.1 and 12`.
fn sections_of<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut sections = Vec::new();
    for word in words {
        match number(word) {
            Some(section) => sections.push(section),
            None if ["and", "to", "or"].contains(&word) => {}
            None => break,
        }
        if word.ends_with(['.', ')', ';', ':']) {
            break;
        }
    }
    sections
}

/// The section number that a word begins with: `4.2` of `4.2),`.
fn number(word: &str) -> Option<&str> {
    let end = word
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(word.len());
    let number = word[..end].trim_end_matches('.');
    (!number.is_empty()).then_some(number)
}

#[test]
fn lists_of_sections_are_understood() {
    let check = |text: &str, page: &str, sections: &[&str]| {
        let want = Citation {
            page,
            sections: sections.to_vec(),
        };
        assert_eq!(citations(text), [want], "{text}");
    };
    let cite = |rest: &str| format!("as {MARK}{rest}");
    check(&cite("03 says"), "03", &[]);
    check(&cite("03 section 4.2)."), "03", &["4.2"]);
    check(
        &cite("11\n/// sections 3, 4.1 and 12). More 7"),
        "11",
        &["3", "4.1", "12"],
    );
}
