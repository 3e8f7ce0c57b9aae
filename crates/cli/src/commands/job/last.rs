//! `flux job last`

use proto::job_manager::HistoryGet;

use command::error::CliError;
use command::flux::Flux;

/// Print the ids of your newest jobs, newest first
#[derive(clap::Args)]
pub struct Last {
    /// Number of ids, or a slice '[FIRST:END:STEP]'
    #[arg(value_name = "N|SLICE", default_value = "1")]
    slice: String,
}

impl Last {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let slice = match self.slice.parse::<u64>() {
            Ok(count) => format!("[:{count}]"),
            Err(_) => self.slice,
        };
        let mut handle = flux.connect()?;
        let history = handle.rpc(&HistoryGet { slice })?;
        if history.jobs.is_empty() {
            return Err(CliError::new("job history is empty"));
        }
        for id in history.jobs {
            flux.line(id)?;
        }
        Ok(())
    }
}
