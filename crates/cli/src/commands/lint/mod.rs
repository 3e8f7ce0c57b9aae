//! `flux lint`: looks for practices that services should avoid.

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

mod names;
mod report;
mod rfc9;
mod times;
mod watch;

/// Time that a module or broker has to answer, in seconds. One that does not is left out.
const PATIENCE_S: u64 = 10;

/// Check messages for practices to avoid
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux lint rfc9 --time 30s
  flux lint rfc9 flux run my-program
  flux lint rfc9 --json --limit 10ms sh workload.sh")]
pub struct Lint {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Rfc9(rfc9::Rfc9),
}

impl Run for Lint {
    const NAME: &'static str = "lint";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Rfc9(rfc9) => rfc9.run(flux),
        }
    }
}
