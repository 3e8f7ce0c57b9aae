//! `flux housekeeping kill`

use proto::data::JobId;
use proto::job_manager::HousekeepingKill;

use super::{hosts, ranks_of};
use command::error::CliError;
use command::flux::Flux;
use submission::values::signal_number;

/// Send a signal to housekeeping commands on nodes
#[derive(clap::Args)]
pub struct Kill {
    /// Send this signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGTERM")]
    signal: String,
    /// Signal only on these ranks or hosts
    #[arg(short, long, value_name = "RANKS|HOSTS")]
    targets: Option<String>,
    /// Signal only on the nodes of this job
    #[arg(short, long, value_name = "ID")]
    jobid: Option<JobId>,
    /// Signal on all nodes
    #[arg(long)]
    all: bool,
}

impl Kill {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let refuse = |text: &str| Err(CliError::new(text.to_owned()));
        if self.all && self.jobid.is_some() {
            return refuse("do not specify --jobid with --all");
        }
        if !self.all && self.targets.is_none() && self.jobid.is_none() {
            return refuse("specify at least one of --targets, --jobid, or --all");
        }
        let unknown = || CliError::new(format!("Invalid signal {}", self.signal));
        let signum = signal_number(&self.signal).ok_or_else(unknown)?;
        let mut handle = flux.connect()?;
        let ranks = match &self.targets {
            Some(targets) => {
                let hosts = hosts(&mut handle)?;
                Some(ranks_of(targets, &hosts)?.to_string())
            }
            None => None,
        };
        handle.rpc(&HousekeepingKill {
            signum,
            jobid: self.jobid,
            ranks,
        })?;
        Ok(())
    }
}
