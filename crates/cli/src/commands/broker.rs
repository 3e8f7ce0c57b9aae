//! `flux broker`: becomes the broker itself.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::external;
use crate::layout::Layout;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Run a broker (users run 'flux start')
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
pub struct Broker {
    /// Options and initial program of flux-broker
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Run for Broker {
    const NAME: &'static str = "broker";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        Err(become_broker(flux, &self.args))
    }
}

/// Becomes the broker that belongs to this command. One that some search path leads to
/// could be another implementation's.
pub fn become_broker(flux: &mut Flux, args: &[OsString]) -> CliError {
    match program("flux-broker") {
        Ok(broker) => external::become_program(flux, broker.as_os_str(), args),
        Err(error) => error,
    }
}

/// A program that belongs to this command, and is no command itself.
pub fn program(name: &str) -> Result<PathBuf, CliError> {
    let layout = Layout::find()?;
    layout.program(name).ok_or_else(|| {
        let places = layout.exec.display();
        CliError::new(format!("{name} was not found")).with_hint(format!("it belongs in {places}"))
    })
}
