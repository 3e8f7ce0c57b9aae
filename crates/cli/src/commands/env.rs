//! `flux env`: the environment that flux gives to programs.

use std::ffi::OsString;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use crate::external;
use command::flux::Flux;
use crate::layout::Layout;

/// Variables that the command sets for what it starts.
const NAMES: &[&str] = &[
    "FLUX_CONNECTOR_PATH",
    "FLUX_EXEC_PATH",
    "FLUX_KVS_NAMESPACE",
    "FLUX_MODULE_PATH",
    "FLUX_URI",
    "MANPATH",
    "PATH",
];

/// Print the environment that flux gives to programs, or run one in it
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
        if let Some((program, args)) = self.command.split_first() {
            return Err(external::become_program(flux, program, args));
        }
        let mut env = flux.env.clone();
        Layout::find()?.apply(&mut env);
        for name in NAMES {
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
