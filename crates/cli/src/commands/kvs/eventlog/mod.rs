//! `flux kvs eventlog`: event logs (RFC 18) at any key.

mod append;
mod get;
mod wait_event;

use proto::data::Entry;
use proto::data::eventlog::{TimeForm, split_log};

use crate::commands::job::events::Printer;
use command::error::CliError;
use command::flux::Flux;

/// Read and write event logs
#[derive(clap::Args)]
pub struct Eventlog {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Get(get::Get),
    Append(append::Append),
    WaitEvent(wait_event::WaitEvent),
}

impl Eventlog {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Get(get) => get.run(flux),
            Verb::Append(append) => append.run(flux),
            Verb::WaitEvent(wait_event) => wait_event.run(flux),
        }
    }
}

/// Form of entries.
#[derive(clap::Args)]
struct Form {
    /// Print entries as unchanged JSON
    #[arg(short, long)]
    unformatted: bool,
    /// Print times in a readable form
    #[arg(short = 'H', long, conflicts_with = "unformatted")]
    human: bool,
    /// Colour times, names and keys
    #[arg(short = 'L', long, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_value = "auto", default_missing_value = "always")]
    color: clap::ColorChoice,
}

impl Form {
    fn printer(&self, flux: &Flux) -> Printer {
        let time = match self.human {
            true => TimeForm::Human,
            false => TimeForm::Raw,
        };
        Printer::new(flux, time, self.unformatted, self.color)
    }
}

/// The entries of a log, or of a part of one.
fn entries(log: &[u8]) -> Result<Vec<Entry>, CliError> {
    let bad = |_| CliError::new("cannot decode improperly formatted eventlog");
    split_log(log)
        .map_err(bad)?
        .map(|line| Entry::decode(line).map_err(bad))
        .collect()
}
