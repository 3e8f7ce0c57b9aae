//! `flux kvs eventlog`: event logs (RFC 18) at any key.

mod append;
mod get;
mod wait_event;

use proto::data::Entry;
use proto::data::eventlog::{EntryFormatter, TimeForm, split_log};

use crate::clock;
use crate::error::CliError;
use crate::flux::Flux;

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

/// How entries are printed.
#[derive(clap::Args)]
struct Form {
    /// Print entries as the JSON that they are
    #[arg(short, long)]
    unformatted: bool,
    /// Print times for people
    #[arg(short = 'H', long, conflicts_with = "unformatted")]
    human: bool,
}

/// Prints entries of one log in order.
struct Printer {
    formatter: EntryFormatter,
    unformatted: bool,
}

impl Printer {
    fn new(form: &Form, flux: &Flux) -> Printer {
        let offset = clock::utc_offset(&clock::zone(&flux.env), clock::now());
        let time = if form.human {
            TimeForm::Human
        } else {
            TimeForm::Raw
        };
        Printer {
            formatter: EntryFormatter::new(time, offset),
            unformatted: form.unformatted,
        }
    }

    fn print(&mut self, flux: &mut Flux, entry: &Entry) -> Result<(), CliError> {
        match self.unformatted {
            true => writeln!(flux.out, "{}", entry.to_json())?,
            false => writeln!(flux.out, "{}", self.formatter.line(entry))?,
        }
        Ok(())
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
