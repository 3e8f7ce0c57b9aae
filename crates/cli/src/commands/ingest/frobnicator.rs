//! `flux job-frobnicator`: changes of jobspecs, as in job-ingest.

use ingest::Frobnicator;
use proto::config;

use super::{Common, answer_lines, ended, list};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Apply to jobspecs the defaults that the instance applies at submission
///
/// Reads one JSON object per line, with the keys jobspec, userid, rolemask, urgency and flags,
/// and prints one per line: an object with an error number (0 for none) and the changed
/// jobspec or the text of an error.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux submit --dry-run true | flux job-frobnicator --jobspec-only
  flux job-frobnicator --list-plugins")]
pub struct JobFrobnicator {
    #[command(flatten)]
    common: Common,
}

impl Run for JobFrobnicator {
    const NAME: &'static str = "job-frobnicator";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let common = self.common;
        if common.list_plugins {
            return list(flux, &Frobnicator::ALL);
        }
        let conf = flux.connect()?.rpc(&config::Get)?;
        let queues = config::Queues::parse(&conf)?;
        let chain = match Frobnicator::new(common.plugins.as_deref(), &[], queues) {
            Ok(chain) => chain,
            Err(broken) => return Err(ended(flux, &broken)?),
        };
        answer_lines(flux, common.jobspec_only, |mut jobspec| {
            chain.apply(&mut jobspec)?;
            Ok(Some(jobspec))
        })
    }
}
