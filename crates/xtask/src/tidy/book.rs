//! The site has every page: `doc/SUMMARY.md` lists each page of `doc/` once.

use std::collections::BTreeMap;
use std::fs;

use super::assert_none;
use super::links::links;
use crate::workspace::{files_below, root};

const SUMMARY: &str = "SUMMARY.md";

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
