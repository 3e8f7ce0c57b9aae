//! `flux submit`: submits jobs, many at once if wanted, and prints their ids.

use std::collections::VecDeque;

use client::{Handle, Pending};
use proto::data::{IdSet, JobId};

use crate::attach::{Show, follow_all};
use crate::command::{Group, Run, Style};
use crate::error::CliError;
use crate::flux::Flux;
use crate::limits::SUBMITS_IN_FLIGHT_MAX;
use crate::submission::{Options, Request, answered};

/// Submit a job, or many like it, and print the ids
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:
  flux submit -n4 ./a.out
  flux submit --cc=1-100 ./a.out {cc}
  flux submit --watch --cc=0-3 --label-io hostname")]
pub struct Submit {
    #[command(flatten)]
    options: Options,
    /// Submit one job for each id, with {cc} replaced by it and in FLUX_JOB_CC
    #[arg(long, value_name = "IDSET", conflicts_with = "bcc")]
    cc: Option<IdSet>,
    /// Submit one job for each id, all alike
    #[arg(long, value_name = "IDSET")]
    bcc: Option<IdSet>,
    /// Wait until the jobs are over, and end with the largest of their exit codes
    #[arg(long)]
    wait: bool,
    /// Wait for this event; with 'exec.' in front, of the execution log
    #[arg(long, value_name = "EVENT")]
    wait_event: Option<String>,
    /// Print what the jobs print; implies --wait
    #[arg(long)]
    watch: bool,
    /// Show how far the jobs are
    #[arg(long)]
    progress: bool,
}

impl Run for Submit {
    const NAME: &'static str = "submit";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.options.has_deprecated_dependency() {
            flux.warn("dependency scheme 'after' is deprecated, use 'afterstart'")?;
        }
        if self.options.dry_run {
            for request in self.requests(flux)? {
                request?.print(&mut flux.out)?;
            }
            return Ok(());
        }
        if self.progress {
            writeln!(
                flux.err,
                "flux: WARNING: stdout is not a tty. Ignoring --progress option"
            )?;
        }
        let mut requests = self.requests(flux)?;
        let first = requests.next().transpose()?;
        let mut handle = flux.connect()?;
        let jobs = submit_all(
            flux,
            &mut handle,
            first.into_iter().map(Ok).chain(requests),
            |flux, id| {
                if !self.options.quiet {
                    writeln!(flux.out, "{id}")?;
                }
                Ok(())
            },
        )?;
        flux.out.flush()?;
        let Some(until) = self.until() else {
            return Ok(());
        };
        let jobs = jobs.into_iter().map(|id| (id, self.show(id, &until)));
        match follow_all(flux, &mut handle, jobs.collect())? {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }
}

impl Submit {
    /// The event to wait for, if one is.
    fn until(&self) -> Option<String> {
        match (&self.wait_event, self.wait || self.watch) {
            (Some(event), _) => Some(event.clone()),
            (None, true) => Some("clean".to_owned()),
            (None, false) => None,
        }
    }

    fn show(&self, id: JobId, until: &str) -> Show {
        let label = self.options.label_io;
        Show {
            output: self.watch,
            prefix: if label {
                format!("{id}: ")
            } else {
                String::new()
            },
            label,
            events: self.options.verbose > 1,
            exec_events: self.options.verbose > 2,
            end: self.watch || self.options.verbose > 0,
            until: until.to_owned(),
            ..Show::default()
        }
    }

    /// The jobs, each made when it is asked for.
    fn requests(
        &self,
        flux: &Flux,
    ) -> Result<Box<dyn Iterator<Item = Result<Request, CliError>>>, CliError> {
        let options = self.options.clone();
        let env = flux.env.clone();
        if let Some(ids) = &self.cc {
            let ids: Vec<u32> = ids.iter().collect();
            let each = move |id| options.with_cc(id).request(&env);
            return Ok(Box::new(ids.into_iter().map(each)));
        }
        let request = options.request(&env)?;
        let count = self.bcc.as_ref().map_or(1, IdSet::count);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Box::new(std::iter::repeat_n(request, count).map(Ok)))
    }
}

/// Sends all requests without waiting for answers in between, and hands each id to
/// `submitted` in the order of the requests.
fn submit_all(
    flux: &mut Flux,
    handle: &mut Handle,
    requests: impl Iterator<Item = Result<Request, CliError>>,
    mut submitted: impl FnMut(&mut Flux, JobId) -> Result<(), CliError>,
) -> Result<Vec<JobId>, CliError> {
    let mut in_flight: VecDeque<Pending<_>> = VecDeque::new();
    let mut ids = Vec::new();
    let mut take = |flux: &mut Flux, handle: &mut Handle, pending| {
        let id = answered(handle.wait(pending))?;
        ids.push(id);
        submitted(flux, id)
    };
    for request in requests {
        if in_flight.len() >= SUBMITS_IN_FLIGHT_MAX
            && let Some(pending) = in_flight.pop_front()
        {
            take(flux, handle, pending)?;
        }
        in_flight.push_back(request?.start(handle));
    }
    for pending in in_flight {
        take(flux, handle, pending)?;
    }
    Ok(ids)
}
