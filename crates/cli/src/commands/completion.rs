//! `flux completion`: scripts that let a shell complete flux's commands and options.

use clap_complete::Shell;

use command::entry::{Group, Run, Style};
use crate::docs;
use command::error::CliError;
use command::flux::Flux;

/// Print a script that lets your shell complete flux commands
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux completion bash >~/.local/share/bash-completion/completions/flux
  flux completion fish >~/.config/fish/completions/flux.fish
  source <(flux completion zsh)")]
pub struct Completion {
    /// Shell to print it for
    #[arg(value_enum)]
    shell: Shell,
}

impl Run for Completion {
    const NAME: &'static str = "completion";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut docs::tree(), "flux", &mut script);
        flux.out.write_all(&script)?;
        Ok(())
    }
}
