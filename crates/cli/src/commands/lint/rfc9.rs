//! `flux lint rfc9`: which practices of RFC 9 the modules and programs of an instance do not keep.

use std::os::fd::AsFd as _;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use client::Handle;
use proto::data::Fsd;

use super::report::Report;
use super::times;
use super::watch::Watch;
use crate::lint::{Limit, slow};
use command::error::CliError;
use command::flux::Flux;

/// Watch messages and handlers, and report breaches of RFC 9
///
/// All messages of modules and of programs on all ranks that are online are watched, for a time or
/// while a command runs. Each breach is reported with its module or program, topic and key: watches
/// started from watches, overwritten keys of streams, KVS lookups that do not wait for the version
/// announced to them, events sent to a single receiver, repeated polling, and handlers that block
/// their loop. The exit code is 1 if there are any breaches.
#[derive(clap::Args)]
pub(super) struct Rfc9 {
    /// Watch for this long, or until the command ends
    #[arg(
        short,
        long,
        value_name = "FSD",
        default_value = "10s",
        conflicts_with = "command"
    )]
    time: Fsd,
    /// Count handlers that take longer as slow
    #[arg(short, long, value_name = "FSD", default_value = "5ms")]
    limit: Fsd,
    /// Report handlers that were slow more than N times and in more than one of a thousand
    /// calls
    #[arg(short, long, value_name = "N", default_value_t = 3)]
    slow_count: u64,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
    /// Write the report to this file, and exit with the code of the command
    #[arg(short, long, value_name = "FILE", requires = "command")]
    output: Option<String>,
    /// Command and its arguments
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Rfc9 {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let size = size(&mut handle)?;
        let before = times::of_all(&mut handle, size);
        let mut watch = Watch::begin(&mut handle, size)?;
        let ended = self.wait(&mut handle, &mut watch)?;
        let after = times::of_all(&mut handle, size);
        // The command may have ended the instance, or parts of it.
        let caught_up = watch.catch_up(&mut handle);
        if self.output.is_none() {
            caught_up?;
        }

        let limit = Limit {
            seconds: self.limit.secs(),
            times: self.slow_count,
        };
        let n_seen = watch.n_seen();
        let mut found = watch.finish();
        for (who, after) in &after {
            let before = before.get(who);
            let before = before.filter(|before| times::include(after, before));
            slow(who, before, after, limit, &mut found);
        }
        let report = Report::new(n_seen, found);
        let text = if self.json {
            report.json()?
        } else {
            report.text()
        };
        match &self.output {
            Some(path) => {
                std::fs::write(path, text)
                    .map_err(|error| CliError::from(error).about(path.clone()))?;
            }
            None => flux.out.write_all(text.as_bytes())?,
        }
        let code = ended
            .and_then(|status| status.code())
            .unwrap_or(match ended {
                Some(_) => 128,
                None => 0,
            });
        match (report.is_clean() || self.output.is_some(), code) {
            (true, 0) => Ok(()),
            (true, code) => Err(CliError::exit(u8::try_from(code).unwrap_or(1))),
            (false, _) => Err(CliError::exit(1)),
        }
    }

    /// Until the command has ended, or for the time.
    fn wait(&self, handle: &mut Handle, watch: &mut Watch) -> Result<Option<ExitStatus>, CliError> {
        let Some((program, arguments)) = self.command.split_first() else {
            let time = Duration::try_from_secs_f64(self.time.secs());
            let deadline = Instant::now() + time.unwrap_or(Duration::MAX / 4);
            watch.until(handle, &[], Some(deadline))?;
            return Ok(None);
        };
        let mut child = Command::new(program)
            .args(arguments)
            .spawn()
            .map_err(|error| CliError::from(error).about(program.clone()))?;
        let pid = rustix::process::Pid::from_child(&child);
        let ended = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
        let ended = ended.map_err(|errno| CliError::from(std::io::Error::from(errno)))?;
        let watched = watch.until(handle, &[ended.as_fd()], None);
        let status = child.wait()?;
        match self.output {
            None => watched.map(|()| Some(status)),
            Some(_) => Ok(Some(status)),
        }
    }
}

fn size(handle: &mut Handle) -> Result<u32, CliError> {
    let size = handle.attr("size")?;
    size.parse()
        .map_err(|_| CliError::new(format!("{size} is not a number")).about("size"))
}
