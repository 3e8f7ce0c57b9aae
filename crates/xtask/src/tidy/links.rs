//! Links between pages find their file and their heading, and pages of the site do not
//! leave it: `doc/` is all that it has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{assert_none, short};
use crate::workspace::{files_below, root};

#[test]
fn every_link_of_a_page_finds_its_file_and_its_heading() {
    let mut breaches = Vec::new();
    for path in files_below(&root(), "md").expect("the tree can be read") {
        let text = fs::read_to_string(&path).expect("pages are text");
        let folder = path.parent().unwrap_or(Path::new("."));
        for (target, heading) in links(&text) {
            let page = if target.is_empty() {
                path.clone()
            } else {
                folder.join(target)
            };
            if !page.exists() {
                breaches.push(format!("{} links to {target}", short(&path)));
            } else if !heading.is_empty() && !has_heading(&page, heading) {
                breaches.push(format!(
                    "{}: no heading in {} is #{heading}",
                    short(&path),
                    short(&page)
                ));
            }
        }
    }
    assert_none(&breaches);
}

#[test]
fn no_page_of_the_site_links_out_of_doc() {
    let doc = root().join("doc");
    let mut breaches = Vec::new();
    for path in files_below(&doc, "md").expect("doc/ can be read") {
        let text = fs::read_to_string(&path).expect("pages are text");
        let depth = path
            .strip_prefix(&doc)
            .map_or(0, |inner| inner.iter().count())
            - 1;
        for (target, _) in links(&text) {
            let ups = target.split('/').take_while(|part| *part == "..").count();
            if ups > depth {
                breaches.push(format!(
                    "{} links to {target}: name the file as code instead",
                    short(&path)
                ));
            }
        }
    }
    assert_none(&breaches);
}

/// The links to files and headings: target without its anchor, and anchor. Code is no link.
pub fn links(text: &str) -> Vec<(&str, &str)> {
    let targets = prose(text).flat_map(|line| {
        let outside_code = line.split('`').step_by(2);
        outside_code.flat_map(|text| text.split("](").skip(1))
    });
    targets
        .filter_map(|rest| {
            let target = rest.split([')', ' ']).next()?;
            let parts = target.split_once('#').unwrap_or((target, ""));
            (!target.is_empty() && !target.contains("://")).then_some(parts)
        })
        .collect()
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced
    })
}

fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(page).unwrap_or_default();
    let headings = prose(&text).filter(|line| line.starts_with('#'));
    let anchors: BTreeSet<String> = headings.map(anchor_of).collect();
    anchors.contains(anchor)
}

/// The anchor that sites make of a heading.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    words
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        })
        .collect()
}

#[test]
fn links_are_found_outside_of_code() {
    let text = "see [a](b.md#c), [d](https://e) and `[f](g)`\n```\n[h](i)\n```\n[j](k/), [l](#m)";
    assert_eq!(links(text), [("b.md", "c"), ("k/", ""), ("", "m")]);
}

#[test]
fn headings_become_anchors() {
    assert_eq!(
        anchor_of("## A module of the site's own"),
        "a-module-of-the-sites-own"
    );
    assert_eq!(anchor_of("# `flux run`, and 2.1_x"), "flux-run-and-21_x");
}
