//! `flux completion`: scripts that let a shell complete flux's commands and options.
//!
//! Words and options come from the parsers; `kinds.rs` finds where ids of jobs, queues and the
//! like stand, which the shell asks the instance for: `bash.sh`, `zsh.sh` and `fish.rs`.

mod fish;
mod kinds;

use clap_complete::Shell;

use crate::docs;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Shared by bash and zsh: the kind of a word's values, and the query for them.
const SHARED: &str = include_str!("shared.sh");
const BASH: &str = include_str!("bash.sh");
const ZSH: &str = include_str!("zsh.sh");

/// Print a script that lets your shell complete flux commands
#[derive(clap::Parser)]
#[command(
    after_help = "Jobs, queues, modules, keys, attributes and ranks are completed from the running instance.

Examples:
  flux completion bash >~/.local/share/bash-completion/completions/flux
  flux completion fish >~/.config/fish/completions/flux.fish
  source <(flux completion zsh)"
)]
pub struct Completion {
    /// Print it for this shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Run for Completion {
    const NAME: &'static str = "completion";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut script = Vec::new();
        let mut tree = docs::tree();
        clap_complete::generate(self.shell, &mut tree, "flux", &mut script);
        let script = String::from_utf8_lossy(&script);
        let places = kinds::places(&tree);
        let script = match self.shell {
            Shell::Bash => {
                let ours = script.replace("complete -F _flux ", "complete -F _flux_complete ");
                format!("{}{BASH}\n{ours}", shared(&places, &tree))
            }
            Shell::Zsh => {
                // It is called by its name; ours calls it for all else.
                let (head, rest) = script.split_once('\n').unwrap_or_default();
                let rest = rest.replace("\n_flux() {", "\n_flux_static() {");
                let (rest, end) = rest.rsplit_once("\nif [").unwrap_or_default();
                format!("{head}\n{}{rest}\n{ZSH}\nif [{end}", shared(&places, &tree))
            }
            Shell::Fish => format!("{script}\n{}", fish::script(&places)),
            _ => script.into_owned(),
        };
        flux.out.write_all(script.as_bytes())?;
        Ok(())
    }
}

/// The functions that bash and zsh share.
fn shared(places: &[kinds::Place], tree: &clap::Command) -> String {
    SHARED
        .replace("    @KINDS@\n", &kinds::cases(places))
        .replace("@PARENTS@", &kinds::parents(tree).join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_both_shells_are_whole() {
        let shared = shared(&kinds::places(&built()), &built());
        assert!(!shared.contains("@KINDS@") && !shared.contains("@PARENTS@"));
        assert!(shared.contains("\"cancel:+\""), "{shared}");
    }

    fn built() -> clap::Command {
        let mut tree = docs::tree();
        tree.build();
        tree
    }
}
