//! `doc/errors.md`: the registry of errors, by method, from the declarations in `proto`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Page, banner, cell, rpc};

/// The one page of the registry.
pub fn pages() -> Vec<Page> {
    let mut text = banner("crates/proto/src");
    text.push_str(
        "# Errors\n\nAn error travels as its number and, where it has one, a sentence. \
         Numbers are those of Linux; a name keeps its number for good. Where the text is \
         empty, clients print that of the number. `{0}` stands for a value.\n\n",
    );
    text.push_str("| method | error | number | text |\n|---|---|---|---|\n");
    let mut by_number: BTreeMap<u32, usize> = BTreeMap::new();
    for service in proto::services() {
        let file = rpc::slug(service.name);
        for method in service.methods {
            let anchor = rpc::anchor(method.topic);
            for error in method.errors {
                *by_number.entry(error.errno.0).or_default() += 1;
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "| [{}](rpc/{file}.md#{anchor}) | {} | {} | {} |",
                    method.topic,
                    error.name,
                    error.errno.name().unwrap_or("?"),
                    cell(error.text)
                );
            }
        }
    }
    text.push_str(
        "\n## By number\n\n| number | name | text | used by errors |\n|---|---|---|---|\n",
    );
    for (number, uses) in by_number {
        let errno = proto::Errno(number);
        let _ = writeln!(
            text,
            "| {number} | {} | {errno} | {uses} |",
            errno.name().unwrap_or("?")
        );
    }
    vec![Page {
        path: "errors.md".to_owned(),
        text,
    }]
}
