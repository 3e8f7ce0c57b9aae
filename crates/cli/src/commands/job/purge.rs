//! `flux job purge`

use client::{Call, Handle};
use proto::data::Fsd;
use proto::job_manager::{self, PurgeId, StatsGet};

use super::parse_id;
use command::error::CliError;
use command::flux::Flux;

/// Delete records of finished jobs: those named, or those beyond a limit
#[derive(clap::Args)]
pub struct Purge {
    /// Keep jobs that finished less than this time ago
    #[arg(long, value_name = "DURATION")]
    age_limit: Option<Fsd>,
    /// Keep the N most recent jobs
    #[arg(long, value_name = "N")]
    num_limit: Option<i64>,
    /// Delete N jobs per request
    #[arg(long, value_name = "N", default_value_t = 50)]
    batch: i64,
    /// Carry it out; without --force only the number of jobs is printed
    #[arg(short, long)]
    force: bool,
    /// Job ids to delete
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

impl Purge {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let is_limited = self.age_limit.is_some() || self.num_limit.is_some();
        if self.ids.is_empty() && !is_limited {
            flux.warn("neither ids nor a limit given: nothing is purged")?;
        }
        let mut handle = flux.connect()?;
        let before = inactive(&mut handle)?;
        let count = match (self.ids.is_empty(), is_limited) {
            (false, _) => self.by_ids(&mut handle)?,
            (true, true) => self.by_limits(&mut handle)?,
            // To the service no limit means every job: too much for a slip.
            (true, false) => 0,
        };
        match self.force {
            true => {
                let left = inactive(&mut handle)?;
                flux.line(format_args!(
                    "purged {count} inactive jobs, {left} remaining"
                ))?;
            }
            false => flux.line(format_args!(
                "use --force to purge {count} of {before} inactive jobs"
            ))?,
        }
        Ok(())
    }

    /// Forgets one batch after another until none is left that may go.
    fn by_limits(&self, handle: &mut Handle) -> Result<u64, CliError> {
        let request = job_manager::Purge {
            age_limit: self.age_limit.map_or(-1.0, Fsd::secs),
            num_limit: self.num_limit.unwrap_or(-1),
            batch: self.batch,
            force: self.force,
        };
        let mut count = 0;
        loop {
            let purged = handle
                .rpc(&request)
                .map_err(|refusal| CliError::from(refusal).about("purge"))?;
            count += purged.count;
            if !self.force || purged.count == 0 {
                return Ok(count);
            }
        }
    }

    fn by_ids(&self, handle: &mut Handle) -> Result<u64, CliError> {
        let ids = self.ids.iter().map(|text| parse_id(text));
        let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
        let force = i64::from(self.force);
        let mut count = 0;
        for id in ids {
            let purged = handle
                .call(Call::new(&PurgeId { id, force }))
                .map_err(|refusal| CliError::from(refusal).about(id).about("purge"))?;
            count += purged.count;
        }
        Ok(count)
    }
}

fn inactive(handle: &mut Handle) -> Result<u64, CliError> {
    Ok(handle.rpc(&StatsGet)?.inactive_jobs)
}
