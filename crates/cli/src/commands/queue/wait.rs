//! `flux queue drain` and `flux queue idle`

use std::time::Duration;

use client::{Call, Delivery, Refusal};
use proto::data::Fsd;
use proto::{Errno, job_manager};

use command::error::CliError;
use command::flux::Flux;

/// Wait until no job is pending or running
#[derive(clap::Args)]
pub struct Drain {
    /// Give up after this time, such as 10m
    #[arg(short, long, value_name = "DURATION")]
    timeout: Option<Fsd>,
}

/// Wait until no job is running, and print the number of pending jobs
#[derive(clap::Args)]
pub struct Idle {
    /// Give up after this time, such as 10m
    #[arg(short, long, value_name = "DURATION")]
    timeout: Option<Fsd>,
    /// Print nothing if no job is pending
    #[arg(long)]
    quiet: bool,
}

impl Drain {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let call = Call::new(&job_manager::Drain).delivery(until(self.timeout));
        handle
            .call(call)
            .map_err(|refusal| failed("drain", refusal))?;
        Ok(())
    }
}

impl Idle {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let call = Call::new(&job_manager::Idle).delivery(until(self.timeout));
        let idle = handle
            .call(call)
            .map_err(|refusal| failed("idle", refusal))?;
        if !self.quiet || idle.pending > 0 {
            flux.line(format_args!("{} jobs", idle.pending))?;
        }
        Ok(())
    }
}

fn until(timeout: Option<Fsd>) -> Delivery {
    let seconds = timeout.map(Fsd::secs);
    let deadline = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Delivery::Wait { deadline }
}

fn failed(verb: &str, refusal: Refusal) -> CliError {
    match refusal.errno {
        Errno::ETIMEDOUT => CliError::new(format!("{verb}: timeout")),
        _ => CliError::from(refusal).about(verb),
    }
}
