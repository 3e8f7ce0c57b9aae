//! `flux heaptrace`: the memory use of a broker, which this one cannot report.

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Trace the memory of a broker (not in this version)
#[derive(clap::Parser)]
#[command(after_help = "Examples:\n  flux heaptrace start FILE")]
pub struct Heaptrace {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Start tracing
    Start {
        /// File name prefix for profiles
        filename: String,
    },
    /// Write a profile
    Dump {
        /// Reason
        reason: String,
    },
    /// Stop tracing
    Stop,
}

impl Run for Heaptrace {
    const NAME: &'static str = "heaptrace";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, _: &mut Flux) -> Result<(), CliError> {
        let verb = match self.verb {
            Verb::Start { .. } => "start",
            Verb::Dump { .. } => "dump",
            Verb::Stop => "stop",
        };
        let text = format!("{verb}: this version does not trace memory");
        Err(CliError::new(text).with_hint("brokers and modules are processes: use heaptrack(1)"))
    }
}
