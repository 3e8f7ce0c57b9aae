//! `flux env`: the environment that flux gives to programs.

use std::ffi::OsString;

use crate::external;
use crate::layout::{Layout, VARIABLES};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Print the environment that flux sets for programs, or run a program in it
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  eval $(flux env)
  flux env printenv FLUX_EXEC_PATH")]
pub struct Env {
    /// Program to run
    #[arg(trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Run for Env {
    const NAME: &'static str = "env";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let layout = Layout::find()?;
        layout.apply_python(&mut flux.env);
        if let Some((program, args)) = self.command.split_first() {
            return Err(external::become_program(flux, program, args));
        }
        let mut env = flux.env.clone();
        layout.apply(&mut env);
        for name in VARIABLES {
            if let Some(value) = env.get(name) {
                writeln!(flux.out, "export {name}={}", quoted(value))?;
            }
        }
        Ok(())
    }
}

/// As a word of a shell's command line.
fn quoted(value: &str) -> String {
    let mut word = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            word.push('\\');
        }
        word.push(c);
    }
    word.push('"');
    word
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_value_survives_the_shell() {
        assert_eq!(super::quoted(r#"a b"$`\"#), r#""a b\"\$\`\\""#);
    }
}
