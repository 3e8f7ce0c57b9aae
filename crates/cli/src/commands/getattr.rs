//! `flux getattr`

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Print the value of a broker attribute
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux getattr rank
  flux getattr local-uri")]
pub struct Getattr {
    /// Name of the attribute; 'flux lsattr' lists them
    name: String,
}

impl Run for Getattr {
    const NAME: &'static str = "getattr";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let value = handle.attr(&self.name);
        let value = value.map_err(|refusal| CliError::from(refusal).about(&self.name))?;
        writeln!(flux.out, "{value}")?;
        Ok(())
    }
}
