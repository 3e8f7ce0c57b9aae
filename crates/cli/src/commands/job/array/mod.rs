//! `flux job array`: the state of the elements of an array, and operations on them.

mod history;
mod table;

use client::{Call, Delivery, Handle};
use proto::data::{IdSet, JobId};
use proto::job_shell::{ArrayCancel, ArrayChanged, ArrayRetry};
use proto::{Errno, Method, Refusal};

use command::error::CliError;
use command::flux::Flux;
use history::{Elements, Shell};

/// List, cancel or rerun the elements of a job array
#[derive(clap::Args)]
#[command(after_help = "Examples:
  flux job array $(flux job last)
  flux job array --failed $(flux job last)
  flux job array --cancel=100-200 $(flux job last)")]
pub struct Array {
    /// Show only elements that did not exit with code 0
    #[arg(long)]
    failed: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Cancel these elements: running ones are killed, pending ones never start
    #[arg(long, value_name = "IDSET", conflicts_with_all = ["failed", "json", "retry"])]
    cancel: Option<String>,
    /// Rerun these elements if they have failed; only while the job runs
    #[arg(long, value_name = "IDSET", conflicts_with_all = ["failed", "json"])]
    retry: Option<String>,
    /// Job id
    id: String,
}

impl Array {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = super::parse_id(&self.id)?;
        let mut handle = flux.connect()?;
        if let Some(text) = &self.cancel {
            let indices = idset("--cancel", text)?;
            let changed = ask(&mut handle, id, "array-cancel", &ArrayCancel { indices })?;
            let n_ended = count(&changed.waiting);
            let n_ending = count(&changed.running);
            flux.line(format_args!(
                "{n_ended} will not start, {n_ending} are being killed"
            ))?;
            return Ok(());
        }
        if let Some(text) = &self.retry {
            let indices = idset("--retry", text)?;
            let changed = ask(&mut handle, id, "array-retry", &ArrayRetry { indices })?;
            flux.line(format_args!("{} rerun", count(&changed.waiting)))?;
            return Ok(());
        }
        let elements = Elements::find(&mut handle, id)?;
        if elements.history.n_damaged > 0 {
            let n = elements.history.n_damaged;
            flux.warn(format_args!("{id}: {n} damaged line(s) of the array's log"))?;
        }
        match self.json {
            true => Ok(flux.line(table::json(&elements, self.failed))?),
            false => table::print(flux, &elements, self.failed),
        }
    }
}

/// A set that is named on the command line.
fn idset(option: &str, text: &str) -> Result<String, CliError> {
    let set = text.parse::<IdSet>();
    let set = set.map_err(|error| CliError::usage(format!("{option}={text}: {error}")))?;
    match set.is_empty() {
        true => Err(CliError::usage(format!("{option}: the set is empty"))),
        false => Ok(set.to_string()),
    }
}

fn count(idset: &str) -> u64 {
    idset.parse::<IdSet>().map_or(0, |set| set.count())
}

/// Asks the shell that keeps the book of the array.
fn ask<M>(handle: &mut Handle, id: JobId, verb: &str, request: &M) -> Result<ArrayChanged, CliError>
where
    M: Method<Response = ArrayChanged>,
{
    let over = || {
        let text = format!("{id}: the job is not running: its elements can no longer be changed");
        CliError::new(text)
    };
    let shell = Shell::find(handle, id)?.ok_or_else(over)?;
    let answer: Result<ArrayChanged, Refusal> = handle.call(shell.call(request, verb));
    answer.map_err(|refusal| match refusal.errno {
        Errno::ENOSYS | Errno::EHOSTUNREACH => over(),
        _ => CliError::from(refusal).about(id),
    })
}

impl Shell {
    /// A request to it.
    fn call<M: Method>(&self, request: &M, verb: &str) -> Call<M> {
        Call::new(request)
            .topic(&format!("{}.{verb}", self.service))
            .to(self.rank)
            .delivery(Delivery::Now)
    }
}
