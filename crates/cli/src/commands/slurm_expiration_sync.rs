//! `flux slurm-expiration-sync`: sends the instance the end of the Slurm job that it runs
//! in, which may change. Started with the instance, and runs as long.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use client::{Arrival, Call};
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::{CliError, io_text};
use command::flux::Flux;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proto::data::Fsd;
use proto::resource::ExpirationUpdate;

/// Report the end of the enclosing Slurm job to the instance
#[derive(clap::Parser)]
#[command(after_help = "Examples:\n  flux slurm-expiration-sync --jobid=$SLURM_JOB_ID")]
pub struct SlurmExpirationSync {
    /// Slurm job id
    #[arg(long, value_name = "N")]
    jobid: u64,
    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "1m", hide = true)]
    interval: Fsd,
    /// Look once
    #[arg(long, hide = true)]
    once: bool,
}

impl Run for SlurmExpirationSync {
    const NAME: &'static str = "slurm-expiration-sync";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let zone = clock::zone(&flux.env);
        let interval = Duration::try_from_secs_f64(self.interval.secs());
        let interval = interval.map_err(|_| CliError::usage("--interval: not a duration"))?;
        let mut handle = flux.connect()?;
        let mut told = None;
        loop {
            match self.look(flux, &zone) {
                Ok(end) if told != Some(end) => {
                    handle.call(Call::new(&ExpirationUpdate { expiration: end }).to(0))?;
                    told = Some(end);
                }
                Ok(_) => {}
                Err(error) if self.once => return Err(error),
                // Slurm may be away for a while.
                Err(error) => flux.warn(error.text())?,
            }
            if self.once {
                return Ok(());
            }
            let deadline = Instant::now() + interval;
            // Until the instance has ended.
            while !matches!(handle.next(&[], Some(deadline))?, Arrival::Deadline) {}
        }
    }
}

impl SlurmExpirationSync {
    /// When the job ends, in seconds since the epoch; 0 for never.
    fn look(&self, flux: &Flux, zone: &TimeZone) -> Result<f64, CliError> {
        let output = Command::new("squeue")
            .args(["--noheader", "--format=%e"])
            .arg(format!("--jobs={}", self.jobid))
            .env_clear()
            .envs(flux.env.iter())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| CliError::new(format!("squeue: {}", io_text(&error))))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let text = text.trim();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(CliError::new(format!("squeue: {}", why.trim())));
        }
        end_time(text, zone).ok_or_else(|| CliError::new(format!("squeue: not a time: '{text}'")))
    }
}

/// The time that Slurm prints as `2026-11-29T15:00:00`, or that there is none.
fn end_time(text: &str, zone: &TimeZone) -> Option<f64> {
    if matches!(text, "NONE" | "N/A" | "Unknown" | "INVALID") {
        return Some(0.0);
    }
    let time: DateTime = text.parse().ok()?;
    let time = zone.to_ambiguous_timestamp(time).compatible().ok()?;
    Some(time.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slurm_tells_local_times() {
        let zone = TimeZone::posix("CET-1").unwrap();
        assert_eq!(end_time("1970-01-02T01:00:00", &zone), Some(86_400.0));
        assert_eq!(end_time("NONE", &zone), Some(0.0));
        assert_eq!(end_time("soon", &zone), None);
        assert_eq!(end_time("", &zone), None);
    }
}
