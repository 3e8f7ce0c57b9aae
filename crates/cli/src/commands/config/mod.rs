//! `flux config`: the instance's configuration.

mod builtin;
mod edit;
pub mod files;
mod get;
mod kind;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Read and change the configuration of the instance
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux config get
  flux config get --type=fsd policy.limits.duration
  flux config load <instance.toml
  flux config set policy.limits.duration '\"1h\"'")]
pub struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Get(get::Get),
    Load(edit::Load),
    Reload(edit::Reload),
    Set(edit::Set),
    Unset(edit::Unset),
    Builtin(builtin::Builtin),
}

impl Run for Config {
    const NAME: &'static str = "config";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Get(get) => get.run(flux),
            Verb::Load(load) => load.run(flux),
            Verb::Reload(reload) => reload.run(flux),
            Verb::Set(set) => set.run(flux),
            Verb::Unset(unset) => unset.run(flux),
            Verb::Builtin(builtin) => builtin.run(flux),
        }
    }
}
