//! `flux shutdown`: ends an instance in order, and shows what it says on the way.

use client::Call;
use proto::{Method, Payload, shutdown};

use crate::command::{Group, Run, Style};
use crate::error::CliError;
use crate::flux::Flux;

/// Severities of log lines that are shown: quiet, as a rule, and verbose.
const LEVEL_ERR: i64 = 3;
const LEVEL_INFO: i64 = 6;
const LEVEL_DEBUG: i64 = 7;

/// End an instance in order
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux shutdown
  flux shutdown --background local:///run/flux/local")]
pub struct Shutdown {
    /// Return at once
    #[arg(long)]
    background: bool,
    /// Show errors only
    #[arg(long)]
    quiet: bool,
    /// Show everything
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// URI of the instance, if not this one
    target: Option<String>,
}

impl Run for Shutdown {
    const NAME: &'static str = "shutdown";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if let Some(target) = self.target.as_deref()
            && !target.contains("://")
        {
            let text = format!("failed to resolve target {target} to a Flux URI");
            return Err(
                CliError::new(text).with_hint("give a URI, such as local:///run/flux/local")
            );
        }
        let mut handle = flux.connect_to(self.target.as_deref())?;
        if self.background {
            // Not as a stream it is answered at once, and with nothing.
            let start = shutdown::Start { loglevel: None };
            handle.call(Call::raw(shutdown::Start::TOPIC).payload(start.encode()))?;
            return Ok(());
        }
        let level = match (self.quiet, self.verbose) {
            (true, _) => LEVEL_ERR,
            (_, true) => LEVEL_DEBUG,
            _ => LEVEL_INFO,
        };
        let start = shutdown::Start {
            loglevel: Some(level),
        };
        for line in handle.stream(Call::new(&start)) {
            flux.err.write_all(line?.log.as_bytes())?;
        }
        Ok(())
    }
}
