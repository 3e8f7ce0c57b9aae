//! `flux setattr`

use proto::attr;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Set a broker attribute
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux setattr log-stderr-level 6")]
pub struct Setattr {
    /// Set it even if it is read-only at run time
    #[arg(short, long)]
    force: bool,
    /// Name of the attribute
    name: String,
    /// New value
    #[arg(allow_hyphen_values = true)]
    value: String,
}

impl Run for Setattr {
    const NAME: &'static str = "setattr";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let set = handle.rpc(&attr::Set {
            name: self.name.clone(),
            value: self.value,
            force: self.force.then_some(true),
        });
        set.map_err(|refusal| CliError::from(refusal).about(&self.name))?;
        Ok(())
    }
}
