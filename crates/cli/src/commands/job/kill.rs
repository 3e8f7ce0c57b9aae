//! `flux job kill` and `flux job killall`

use client::Call;
use proto::data::job::signal_description;
use proto::job_manager;

use super::{Selected, on_each};
use command::error::CliError;
use command::flux::Flux;
use submission::values::signal_number;

/// Send a signal to the tasks of running jobs
#[derive(clap::Args)]
pub struct Kill {
    /// Send this signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGTERM")]
    signal: String,
    /// Job ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl Kill {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let signum = signal(&self.signal).map_err(|error| error.about("kill"))?;
        let ids = self.ids.iter().map(|text| {
            let bad = |_| CliError::new(format!("invalid jobid: {text}"));
            text.parse().map_err(bad)
        });
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        on_each(flux, &ids, "kill ", |id| {
            Call::new(&job_manager::Kill { id, signum })
        })
    }
}

/// Send a signal to the tasks of all running jobs
#[derive(clap::Args)]
pub struct KillAll {
    /// Send this signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGTERM")]
    signal: String,
    #[command(flatten)]
    selected: Selected,
}

impl KillAll {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let signum = signal(&self.signal).map_err(|error| error.about("killall"))?;
        let mut handle = flux.connect()?;
        let request = job_manager::KillAll {
            dry_run: !self.selected.force,
            userid: self.selected.userid()?,
            signum,
        };
        let counted = handle
            .rpc(&request)
            .map_err(|refusal| CliError::from(refusal).about("killall"))?;
        let done = signal_description(i32::try_from(signum).unwrap_or(0));
        self.selected.print(flux, counted, &done)
    }
}

fn signal(text: &str) -> Result<i64, CliError> {
    let signal = signal_number(text);
    let unknown = || CliError::new(format!("Invalid signal {text}"));
    signal.map(i64::from).ok_or_else(unknown)
}
