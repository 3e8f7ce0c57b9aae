//! `flux cancel`: ends jobs.

use client::{Call, Handle};
use proto::Errno;
use proto::data::JobId;
use proto::data::job::{State, States};
use proto::job_manager::{Raise, RaiseAll};

use crate::commands::jobs::job_ids;
use crate::commands::jobs::query::{split, user_id};
use crate::limits::REQUESTS_IN_FLIGHT_MAX;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Cancel pending or running jobs
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux cancel ƒABC ƒDEF
  flux cancel --all --states=pending -m 'not needed any more'")]
pub struct Cancel {
    /// Cancel all jobs that match the other options; without any, all your jobs
    #[arg(long)]
    all: bool,
    /// Print only the number of jobs
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print nothing when no job matches
    #[arg(short, long)]
    quiet: bool,
    /// Cancel jobs of this user, or of 'all'; implies --all
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Cancel jobs in these states, separated by commas; implies --all
    #[arg(short = 'S', long, value_name = "STATES")]
    states: Vec<String>,
    /// Add this reason to the exception
    #[arg(short, long, value_name = "NOTE")]
    message: Option<String>,
    /// Job ids
    #[arg(value_name = "JOBID")]
    ids: Vec<String>,
}

impl Run for Cancel {
    const NAME: &'static str = "cancel";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = job_ids(&self.ids)?;
        let chooses = self.all || self.user.is_some() || !self.states.is_empty();
        match (ids.is_empty(), chooses) {
            (true, false) => Err(CliError::new("No target jobs were provided")),
            (false, true) => Err(CliError::new(
                "Do not specify a list of jobids with --all,--user,--states options",
            )),
            (false, false) => self.cancel_ids(flux, &ids),
            (true, true) => self.cancel_all(flux),
        }
    }
}

impl Cancel {
    fn cancel_ids(&self, flux: &mut Flux, ids: &[JobId]) -> Result<(), CliError> {
        if self.dry_run {
            return self.print(flux, "Would cancel", ids.len() as u64, None);
        }
        let mut handle = flux.connect()?;
        let mut is_refused = false;
        for ids in ids.chunks(REQUESTS_IN_FLIGHT_MAX) {
            let pending: Vec<_> = ids.iter().map(|id| self.start(&mut handle, *id)).collect();
            for (id, pending) in ids.iter().zip(pending) {
                match handle.wait(pending) {
                    Ok(_) => {}
                    // An inactive job needs no cancelling.
                    Err(refusal)
                        if refusal.errno == Errno::ENOENT
                            && refusal.text.as_deref() == Some("job is inactive") => {}
                    Err(refusal) => {
                        is_refused = true;
                        flux.complain(&CliError::from(refusal).about(id))?;
                    }
                }
            }
        }
        match is_refused {
            true => Err(CliError::exit(1)),
            false => Ok(()),
        }
    }

    fn start(&self, handle: &mut Handle, id: JobId) -> client::Pending<Raise> {
        handle.start(Call::new(&Raise {
            id,
            severity: 0,
            kind: "cancel".to_owned(),
            note: self.message.clone(),
            wait_status: None,
        }))
    }

    fn cancel_all(&self, flux: &mut Flux) -> Result<(), CliError> {
        let states = states(&self.states)?;
        let userid = match self.user.as_deref() {
            Some(user) => user_id(user)?,
            None => rustix::process::getuid().as_raw(),
        };
        let mut handle = flux.connect()?;
        let counted = handle.rpc(&RaiseAll {
            dry_run: self.dry_run,
            userid: i64::from(userid),
            states: states.bits(),
            severity: 0,
            kind: "cancel".to_owned(),
            note: self.message.clone(),
        })?;
        match (counted.count, self.dry_run) {
            (0, _) if self.quiet => Ok(()),
            (0, _) => self.print(flux, "Matched", 0, None),
            (count, true) => self.print(flux, "Would cancel", count, None),
            (count, false) => self.print(flux, "Canceled", count, Some(counted.errors)),
        }?;
        match counted.errors {
            0 => Ok(()),
            _ => Err(CliError::exit(1)),
        }
    }

    fn print(
        &self,
        flux: &mut Flux,
        done: &str,
        count: u64,
        errors: Option<u64>,
    ) -> Result<(), CliError> {
        let jobs = if count == 1 { "job" } else { "jobs" };
        let errors = errors.map(|errors| format!(" ({errors} errors)"));
        let errors = errors.unwrap_or_default();
        let program = flux.program().to_owned();
        flux.note(format_args!("{program}: {done} {count} {jobs}{errors}"))?;
        Ok(())
    }
}

/// States in which a job can be cancelled, as they may be given. Jobs that clean up are
/// running ones.
fn states(lists: &[String]) -> Result<States, CliError> {
    let mut states = States::NONE;
    for word in split(lists) {
        states = states
            | match word.to_lowercase().as_str() {
                "depend" => State::Depend.into(),
                "priority" => State::Priority.into(),
                "sched" => State::Sched.into(),
                "run" => State::Run.into(),
                "pending" => States::PENDING,
                "running" => States::RUNNING,
                "active" => States::ACTIVE,
                _ => return Err(CliError::new(format!("Invalid state {word} specified"))),
            };
    }
    match states.is_empty() {
        true => Ok(States::ACTIVE),
        false => Ok(states),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_names_in_any_case() {
        let check = |text: &str, expect: Result<States, &str>| {
            let states = states(&[text.to_owned()]);
            let states = states.map_err(|error| error.text().to_owned());
            assert_eq!(states, expect.map_err(str::to_owned), "{text}");
        };
        check("", Ok(States::ACTIVE));
        check("Pending", Ok(States::PENDING));
        check(
            "RUN,sched",
            Ok(States::from(State::Run) | State::Sched.into()),
        );
        check("depend,priority,sched", Ok(States::PENDING));
        check("active", Ok(States::ACTIVE));
        check("running", Ok(States::RUNNING));
        check("run,foo", Err("Invalid state foo specified"));
        check("inactive", Err("Invalid state inactive specified"));
        check("cleanup", Err("Invalid state cleanup specified"));
    }
}
