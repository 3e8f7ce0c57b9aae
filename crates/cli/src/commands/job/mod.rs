//! `flux job`: what can be asked and done about single jobs, one file a verb.

mod attach;

use proto::data::JobId;

use crate::command::{Group, Run, Style};
use crate::error::CliError;
use crate::flux::Flux;

/// Look into jobs and change them
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux job attach $(flux job last)
  flux job eventlog -H $(flux job last)
  flux job wait-event ƒABC start")]
pub struct Job {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Attach(attach::Attach),
}

impl Run for Job {
    const NAME: &'static str = "job";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Attach(attach) => attach.run(flux),
        }
    }
}

/// A job id in any of its spellings.
fn parse_id(text: &str) -> Result<JobId, CliError> {
    let refuse = |_| CliError::new(format!("error parsing jobid: \"{text}\""));
    text.parse().map_err(refuse)
}
