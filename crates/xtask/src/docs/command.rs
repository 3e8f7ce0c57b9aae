//! `doc/cli.md` and `doc/man/`: the command line, from the parsers in `cli`.

use super::{Page, banner};

/// The one page of all commands, and a manual page for each.
pub fn pages() -> Vec<Page> {
    let manual = cli::docs::man_pages().into_iter();
    let mut pages: Vec<Page> = manual
        .map(|(name, text)| Page {
            path: format!("man/{name}"),
            text,
        })
        .collect();
    let text = banner("crates/cli/src/commands") + &cli::docs::cli_md();
    pages.push(Page {
        path: "cli.md".to_owned(),
        text,
    });
    pages
}
