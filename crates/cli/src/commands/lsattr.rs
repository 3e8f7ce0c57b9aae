//! `flux lsattr`

use proto::{Errno, attr};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// List the broker's attributes
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux lsattr -v")]
pub struct Lsattr {
    /// Print the values too
    #[arg(short, long)]
    values: bool,
}

impl Run for Lsattr {
    const NAME: &'static str = "lsattr";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let mut names = handle.rpc(&attr::List)?.names;
        names.sort_unstable();
        for name in names {
            if !self.values {
                flux.line(&name)?;
                continue;
            }
            let value = match handle.attr(&name) {
                Ok(value) => value,
                Err(refusal) if refusal.errno == Errno::ENOENT => "-".to_owned(),
                Err(refusal) => return Err(CliError::from(refusal).about(name)),
            };
            flux.line(format_args!("{name:<40}{value}"))?;
        }
        Ok(())
    }
}
