//! `flux job`: queries of single jobs and operations on them, one file for each verb.

mod array;
mod attach;
mod eventlog;
pub mod events;
mod hostpids;
mod id;
mod info;
mod journal;
mod kill;
mod last;
mod list;
mod memo;
mod mpir;
mod purge;
pub mod raise;
mod status;
mod submit;
mod taskmap;
mod timeleft;
mod trace;
mod urgency;
mod wait;
mod wait_event;

use client::Call;
use proto::data::JobId;
use proto::job_manager::{Counted, USERID_ANY};
use proto::{Empty, Method};

use crate::commands::jobs::query::{ANY_USER, user_id};
use crate::limits::REQUESTS_IN_FLIGHT_MAX;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Inspect and control jobs
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
    Array(array::Array),
    Status(status::Status),
    Wait(wait::Wait),
    Eventlog(eventlog::Eventlog),
    WaitEvent(wait_event::WaitEvent),
    Journal(journal::Journal),
    Info(info::Info),
    Id(id::Id),
    Namespace(id::Namespace),
    Last(last::Last),
    Kill(kill::Kill),
    Killall(kill::KillAll),
    Raise(raise::Raise),
    Raiseall(raise::RaiseAll),
    Urgency(urgency::UrgencyArgs),
    Memo(memo::Memo),
    List(list::ListArgs),
    ListInactive(list::ListInactive),
    ListIds(list::ListIds),
    Stats(list::Stats),
    Submit(submit::Submit),
    Taskmap(taskmap::Taskmap),
    Hostpids(hostpids::Hostpids),
    Timeleft(timeleft::Timeleft),
    Trace(trace::Trace),
    Purge(purge::Purge),
}

impl Run for Job {
    const NAME: &'static str = "job";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Attach(attach) => attach.run(flux),
            Verb::Array(array) => array.run(flux),
            Verb::Status(status) => status.run(flux),
            Verb::Wait(wait) => wait.run(flux),
            Verb::Eventlog(eventlog) => eventlog.run(flux),
            Verb::WaitEvent(wait_event) => wait_event.run(flux),
            Verb::Journal(journal) => journal.run(flux),
            Verb::Info(info) => info.run(flux),
            Verb::Id(id) => id.run(flux),
            Verb::Namespace(namespace) => namespace.run(flux),
            Verb::Last(last) => last.run(flux),
            Verb::Kill(kill) => kill.run(flux),
            Verb::Killall(kill_all) => kill_all.run(flux),
            Verb::Raise(raise) => raise.run(flux),
            Verb::Raiseall(raise_all) => raise_all.run(flux),
            Verb::Urgency(urgency) => urgency.run(flux),
            Verb::Memo(memo) => memo.run(flux),
            Verb::List(list) => list.run(flux),
            Verb::ListInactive(list) => list.run(flux),
            Verb::ListIds(list_ids) => list_ids.run(flux),
            Verb::Stats(stats) => stats.run(flux),
            Verb::Submit(submit) => submit.run(flux),
            Verb::Taskmap(taskmap) => taskmap.run(flux),
            Verb::Hostpids(hostpids) => hostpids.run(flux),
            Verb::Timeleft(timeleft) => timeleft.run(flux),
            Verb::Trace(trace) => trace.run(flux),
            Verb::Purge(purge) => purge.run(flux),
        }
    }
}

/// Selection of jobs for a request about many.
#[derive(clap::Args)]
struct Selected {
    /// Select jobs of this user, or of 'all'
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Carry it out; without --force only the number of jobs is printed
    #[arg(short, long)]
    force: bool,
}

impl Selected {
    fn userid(&self) -> Result<i64, CliError> {
        Ok(i64::from(match self.user.as_deref().map(user_id) {
            None => rustix::process::getuid().as_raw(),
            Some(userid) => match userid? {
                ANY_USER => USERID_ANY,
                userid => userid,
            },
        }))
    }

    /// Prints the result.
    fn print(&self, flux: &mut Flux, counted: Counted, done: &str) -> Result<(), CliError> {
        let Counted { count, errors } = counted;
        let program = flux.program().to_owned();
        match (count, self.force) {
            (0, _) => flux.note(format_args!("{program}: Command matched 0 jobs"))?,
            (_, false) => flux.note(format_args!(
                "{program}: Command matched {count} jobs (-f to confirm)"
            ))?,
            (_, true) => flux.note(format_args!(
                "{program}: {done} {count} jobs ({errors} errors)"
            ))?,
        }
        match errors {
            0 => Ok(()),
            _ => Err(CliError::exit(1)),
        }
    }
}

/// Makes a request about each job, many at a time, and prints `VERB ID: TEXT` for each
/// that was refused.
fn on_each<M: Method<Response = Empty>>(
    flux: &mut Flux,
    ids: &[JobId],
    verb: &str,
    call: impl Fn(JobId) -> Call<M>,
) -> Result<(), CliError> {
    let mut handle = flux.connect()?;
    let mut is_refused = false;
    for ids in ids.chunks(REQUESTS_IN_FLIGHT_MAX) {
        let pending: Vec<_> = ids.iter().map(|id| handle.start(call(*id))).collect();
        for (id, pending) in ids.iter().zip(pending) {
            if let Err(refusal) = handle.wait(pending) {
                is_refused = true;
                flux.complain(&CliError::from(refusal).about(format!("{verb}{id}")))?;
            }
        }
    }
    match is_refused {
        true => Err(CliError::exit(1)),
        false => Ok(()),
    }
}

/// A job id in any of its spellings.
fn parse_id(text: &str) -> Result<JobId, CliError> {
    let refuse = |_| CliError::new(format!("error parsing jobid: \"{text}\""));
    text.parse().map_err(refuse)
}
