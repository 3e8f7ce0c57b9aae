//! `flux help`: the overview of all commands, or the help of one.

use std::fmt::Write as _;

use command::entry::{Group, Run, Style};
use crate::commands::ENTRIES;
use crate::dispatch;
use command::error::CliError;
use crate::external;
use command::flux::Flux;

/// List the commands, or explain one
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
            flux.out.write_all(overview().as_bytes())?;
            return Ok(());
        };
        if let Some(entry) = dispatch::find(&name) {
            let help = entry.help();
            writeln!(flux.out, "{}", help.trim_end())?;
            return Ok(());
        }
        match external::find(flux, &name) {
            Some(program) => {
                let args = ["--help".into()];
                Err(external::become_program(flux, program.as_os_str(), &args))
            }
            None => Err(CliError::new(format!(
                "no help for '{name}': it is no flux command"
            ))),
        }
    }
}

const USAGE: &str = "\
Usage: flux [OPTIONS] COMMAND [ARGS...]

  -p, --parent   run COMMAND in the parent of this instance
  -r, --root     run COMMAND in the root instance
  -v, --verbose  say which program is run
  -V, --version  print the version
  -h, --help     print this text
";

/// The usage and every command with its one line.
pub fn overview() -> String {
    let mut text = USAGE.to_owned();
    let width = ENTRIES
        .iter()
        .map(|entry| entry.name.len())
        .max()
        .unwrap_or(0);
    for group in Group::ALL {
        let entries = ENTRIES.iter().filter(|entry| entry.group == *group);
        let mut rows = entries.peekable();
        if rows.peek().is_none() {
            continue;
        }
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n{}:", group.title());
        for entry in rows {
            let about = entry.parser().get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            let _ = writeln!(text, "  {:width$}  {about}", entry.name);
        }
    }
    text.push_str("\n'flux help COMMAND' and 'flux COMMAND --help' explain one of them.\n");
    text
}
