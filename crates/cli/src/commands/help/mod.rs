//! `flux help`: the overview of all commands, or the help of one.

use std::ffi::OsStr;
use std::fmt::Write as _;

use command::entry::{Group, Run, Style};
use command::env::Env;
use command::error::CliError;
use command::flux::Flux;

use crate::commands::ENTRIES;
use crate::dispatch;
use crate::external;

mod files;

/// List the commands, or explain one
///
/// For commands installed by others, the manual page is shown.
#[derive(clap::Parser)]
#[command(after_help = "Examples:\n  flux help\n  flux help kvs")]
pub struct Help {
    /// Command to explain
    command: Option<String>,
}

impl Run for Help {
    const NAME: &'static str = "help";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(name) = self.command else {
            let overview = overview(&flux.env);
            flux.out.write_all(overview.as_bytes())?;
            return Ok(());
        };
        if let Some(entry) = dispatch::find(&name) {
            let help = entry.help();
            writeln!(flux.out, "{}", help.trim_end())?;
            return Ok(());
        }
        let page = format!("flux-{name}").into();
        Err(external::become_program(flux, OsStr::new("man"), &[page]))
    }
}

const USAGE: &str = "\
Usage: flux [OPTIONS] COMMAND [ARGS...]

  -p, --parent   run COMMAND in the parent of this instance
  -r, --root     run COMMAND in the root instance
  -v, --verbose  say what programs are given and which one is run
  -V, --version  print the version
  -h, --help     print this text
";

/// Commands under a heading.
struct Section {
    title: String,
    /// Names and their purposes.
    commands: Vec<(String, String)>,
}

/// The usage and every command with its one line: ours, and those of files with help.
pub fn overview(env: &Env) -> String {
    let mut sections: Vec<Section> = Group::ALL.iter().map(|group| own(*group)).collect();
    sections.extend(files::sections(env));
    let commands = sections.iter().flat_map(|section| &section.commands);
    let width = commands.map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = USAGE.to_owned();
    for section in sections
        .iter()
        .filter(|section| !section.commands.is_empty())
    {
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n{}:", section.title);
        for (name, about) in &section.commands {
            let _ = writeln!(text, "  {name:width$}  {about}");
        }
    }
    text.push_str("\n'flux help COMMAND' and 'flux COMMAND --help' explain one of them.\n");
    text
}

fn own(group: Group) -> Section {
    let entries = ENTRIES.iter().filter(|entry| entry.group == group);
    let parsers = entries.map(|entry| (entry.name, entry.parser()));
    let shown = parsers.filter(|(_, parser)| !parser.is_hide_set());
    let commands = shown.map(|(name, parser)| {
        let about = parser.get_about().map(ToString::to_string);
        (name.to_owned(), about.unwrap_or_default())
    });
    Section {
        title: group.title().to_owned(),
        commands: commands.collect(),
    }
}
