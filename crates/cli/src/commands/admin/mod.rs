//! `flux admin`: commands for administrators of an instance.

mod scripts;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use proto::runat;

/// Manage an instance
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux admin system-scripts -v
  flux admin cleanup-push 'rm -rf /tmp/scratch'")]
pub struct Admin {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    SystemScripts(scripts::SystemScripts),
    CleanupPush(CleanupPush),
}

/// Run a command after the initial program, before those already pushed
///
/// Without a command, each line of standard input is a command; they run in the order of the
/// lines.
#[derive(clap::Args)]
struct CleanupPush {
    /// Command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Run for Admin {
    const NAME: &'static str = "admin";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::SystemScripts(scripts) => scripts.run(flux),
            Verb::CleanupPush(push) => push.run(flux),
        }
    }
}

impl CleanupPush {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let commands = match self.command.is_empty() {
            false => vec![self.command.join(" ")],
            true => {
                let input = flux.read_input()?;
                let input = String::from_utf8_lossy(&input);
                let lines = input.lines().filter(|line| !line.trim().is_empty());
                // The last one pushed runs first.
                lines.rev().map(str::to_owned).collect()
            }
        };
        let name = "cleanup".to_owned();
        flux.connect()?.rpc(&runat::Push { name, commands })?;
        Ok(())
    }
}
