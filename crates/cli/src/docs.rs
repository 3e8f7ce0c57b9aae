//! The manual as text: the whole command as one clap tree, the page `doc/cli.md`, the tables of
//! `doc/compatibility.md`, and the pages of man(1). `cargo xtask docs` writes them.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use crate::commands::ENTRIES;
use command::entry::Group;

mod compatibility;
mod settings;

pub use compatibility::tables as compatibility;

/// Width of the text on generated pages, on any terminal.
const PAGE_COLUMNS: usize = 90;

/// `flux` with every sub-command.
pub fn tree() -> Command {
    let flag = |name: &'static str, letter, help: &'static str| {
        Arg::new(name)
            .short(letter)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
    };
    let mut tree = Command::new("flux")
        .about("Run and talk to Flux instances")
        .version(env!("CARGO_PKG_VERSION"))
        .arg(flag(
            "parent",
            'p',
            "Run the command in the parent of this instance",
        ))
        .arg(flag("root", 'r', "Run the command in the root instance"))
        .arg(flag("verbose", 'v', "Print the program before running it"))
        .disable_help_subcommand(true);
    for entry in ENTRIES {
        tree = tree.subcommand(entry.parser());
    }
    tree
}

/// The page `doc/cli.md`: every command's long help.
pub fn cli_md() -> String {
    let mut page = "# The command line\n".to_owned();
    for group in Group::ALL {
        let entries: Vec<_> = ENTRIES
            .iter()
            .filter(|entry| entry.group == *group)
            .collect();
        if entries.is_empty() {
            continue;
        }
        let _ = writeln!(page, "\n## {}", group.title());
        for entry in entries {
            help_of(entry.parser(), &mut page);
        }
    }
    page
}

fn help_of(parser: Command, page: &mut String) {
    let mut parser = parser.term_width(PAGE_COLUMNS);
    parser.build();
    let name = parser.get_bin_name().unwrap_or_default().to_owned();
    let help = parser.clone().render_long_help().to_string();
    let _ = writeln!(page, "\n### {name}\n\n```text\n{}\n```", help.trim_end());
    for sub in parser.get_subcommands() {
        if !sub.is_hide_set() {
            help_of(sub.clone(), page);
        }
    }
}

/// The pages of man(1): file name and text of each.
pub fn man_pages() -> Vec<(String, String)> {
    let mut pages = vec![man_page("flux", tree())];
    for entry in ENTRIES {
        man_pages_below(entry.program(), entry.parser(), &mut pages);
    }
    pages.extend(settings::pages());
    pages
}

fn man_pages_below(name: String, parser: Command, pages: &mut Vec<(String, String)>) {
    for sub in parser.get_subcommands() {
        man_pages_below(format!("{name}-{}", sub.get_name()), sub.clone(), pages);
    }
    pages.push(man_page(&name, parser));
}

fn man_page(name: &str, parser: Command) -> (String, String) {
    let parser = parser.name(name.to_owned());
    let page = clap_mangen::Man::new(parser)
        .title(name.to_owned())
        .date("");
    let mut text = Vec::new();
    // Writing to a Vec does not fail.
    let _ = page.render(&mut text);
    (
        format!("{name}.1"),
        String::from_utf8_lossy(&text).into_owned(),
    )
}
