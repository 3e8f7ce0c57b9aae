//! `flux-broker`: reads its arguments, prepares its folders, and runs the broker.

use std::process::ExitCode;

use clap::Parser;

mod alone;
mod bootstrap;
mod folders;
mod setup;

/// Start a Flux message broker
///
/// The broker routes messages between modules and programs. With a COMMAND it runs
/// that as the initial program and ends with its exit code; without one it starts a
/// shell. `flux start` is the usual way to run it.
#[derive(Debug, Parser)]
#[command(name = "flux-broker", disable_version_flag = true)]
struct Args {
    /// Log more to standard error; twice for debug messages
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,

    /// Set a broker attribute
    #[arg(short = 'S', long = "setattr", value_name = "NAME=VALUE")]
    setattr: Vec<String>,

    /// Read configuration from a TOML or JSON file, or from all *.toml of a folder
    #[arg(short, long = "config-path", value_name = "PATH")]
    config_path: Option<String>,

    /// Add configuration: KEY=VALUE, a file, or TOML text
    #[arg(long, value_name = "CONFIG")]
    conf: Vec<String>,

    /// The initial program and its arguments
    // Not allow_hyphen_values: with it `-Sname=value` would begin the command.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn main() -> ExitCode {
    match Args::try_parse() {
        Ok(args) => runtime::report("broker", setup::run(args)),
        Err(error) if error.use_stderr() => runtime::report("broker", Err(complaint(&error))),
        Err(help) => {
            print!("{help}");
            ExitCode::SUCCESS
        }
    }
}

/// Formats an error of the command line like our other errors.
fn complaint(error: &clap::Error) -> anyhow::Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    anyhow::anyhow!("{}", first.strip_prefix("error: ").unwrap_or(first))
}
