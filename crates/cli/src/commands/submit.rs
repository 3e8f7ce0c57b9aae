//! `flux submit`: submits jobs, many at once if wanted, and prints their ids.

use std::collections::VecDeque;

use client::{Handle, Pending};
use proto::data::{IdSet, JobId};

use attach::{Progress, Show, Watched, follow_all};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use crate::limits::SUBMITS_IN_FLIGHT_MAX;
use command::streams::{LogFiles, Streams};
use submission::{ArrayOptions, Options, Request, answered};

/// Submit a job, or many like it, and print the ids
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:
  flux submit -n4 ./a.out
  flux submit --cc=1-100 ./a.out {cc}
  flux submit --watch --cc=0-3 --label-io hostname
  flux submit -n4 --array=1-10000 --output=out.{{array.index}} ./a.out {{array.index}}")]
pub struct Submit {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    array: ArrayOptions,
    /// Submit one job for each id, with {cc} replaced by it and in FLUX_JOB_CC
    #[arg(long, value_name = "IDSET")]
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
    /// Write ids, output and errors to a file, which may have {cc} in its name
    #[arg(long, value_name = "FILE")]
    log: Option<String>,
    /// Write errors to a file, which may have {cc} in its name
    #[arg(long, value_name = "FILE")]
    log_stderr: Option<String>,
    /// Show how far the jobs are, on a terminal: how many are submitted, or with --wait
    /// and --watch, how many are over
    #[arg(long)]
    progress: bool,
    /// With --progress, show how many jobs a second it were
    #[arg(long)]
    jps: bool,
}

impl Run for Submit {
    const NAME: &'static str = "submit";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(mut self, flux: &mut Flux) -> Result<(), CliError> {
        if self.cc.is_some() && self.bcc.is_some() {
            return Err(CliError::new("specify only one of --cc or --bcc"));
        }
        self.options.array = self.array.option()?;
        if self.options.array.is_some() && (self.cc.is_some() || self.bcc.is_some()) {
            let text = "--array makes one job of many tasks: it cannot be used with --cc or --bcc";
            return Err(CliError::new(text));
        }
        self.options.warn_of_deprecated(flux)?;
        if self.options.dry_run {
            for planned in self.plan(flux)? {
                planned?.0.print(&mut flux.out)?;
            }
            return Ok(());
        }
        let mut progress = self.progress(flux)?;
        let mut plan = self.plan(flux)?;
        // What is wrong with the first is wrong before anything is submitted.
        let first = plan.next().transpose()?;
        let mut handle = flux.connect()?;
        let plan = first.into_iter().map(Ok).chain(plan);
        let jobs = self.submit_all(flux, &mut handle, plan, progress.as_mut())?;
        flux.out.flush()?;
        let code = match self.until() {
            None => 0,
            Some(until) => {
                let jobs = jobs.into_iter().map(|(id, streams)| Watched {
                    id,
                    show: self.show(flux, id, &until),
                    streams,
                });
                follow_all(flux, &mut handle, jobs.collect(), progress.as_mut())?
            }
        };
        if let Some(progress) = &mut progress {
            progress.finish(flux)?;
        }
        match code {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }
}

/// A job that is to be submitted, and where what is said about it goes.
type Planned = Result<(Request, Streams), CliError>;

impl Submit {
    fn progress(&self, flux: &mut Flux) -> Result<Option<Progress>, CliError> {
        if !self.progress {
            return Ok(None);
        }
        let ids = self.cc.as_ref().or(self.bcc.as_ref());
        let progress = Progress::new(flux, ids.map_or(1, IdSet::count), self.jps);
        if progress.is_none() {
            let text = "stdout is not a tty. Ignoring --progress option";
            flux.note(format_args!("flux: WARNING: {text}"))?;
        }
        Ok(progress)
    }

    /// The event to wait for, if one is.
    fn until(&self) -> Option<String> {
        match (&self.wait_event, self.wait || self.watch) {
            (Some(event), _) => Some(event.clone()),
            (None, true) => Some("clean".to_owned()),
            (None, false) => None,
        }
    }

    fn show(&self, flux: &Flux, id: JobId, until: &str) -> Show {
        let label = self.options.label_io;
        Show {
            output: self.watch,
            prefix: if label {
                flux.plain().line(&format!("{id}: ")).into_owned()
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
    fn plan(&self, flux: &Flux) -> Result<Box<dyn Iterator<Item = Planned>>, CliError> {
        let options = self.options.clone();
        let (log, log_stderr) = (self.log.clone(), self.log_stderr.clone());
        let env = flux.env.clone();
        let mut files = LogFiles::default();
        if let Some(ids) = &self.cc {
            let ids: Vec<u32> = ids.iter().collect();
            let each = move |id: u32| {
                let request = options.with_cc(id).request(&env)?;
                let path = |path: &String| path.replace("{cc}", &id.to_string());
                let (out, err) = (log.as_ref().map(path), log_stderr.as_ref().map(path));
                Ok((request, files.streams(out.as_deref(), err.as_deref())?))
            };
            return Ok(Box::new(ids.into_iter().map(each)));
        }
        let request = options.request(&env)?;
        let streams = files.streams(log.as_deref(), log_stderr.as_deref())?;
        let count = self.bcc.as_ref().map_or(1, IdSet::count);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let all = std::iter::repeat_n((request, streams), count);
        Ok(Box::new(all.map(Ok)))
    }

    /// Sends all requests without waiting for answers in between, and prints the ids in
    /// the order of the requests.
    fn submit_all(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        plan: impl Iterator<Item = Planned>,
        mut progress: Option<&mut Progress>,
    ) -> Result<Vec<(JobId, Streams)>, CliError> {
        let mut in_flight: VecDeque<(Pending<_>, Streams)> = VecDeque::new();
        let mut jobs = Vec::new();
        let mut take = |flux: &mut Flux, handle: &mut Handle, pending, streams: Streams| {
            if let Some(progress) = &mut progress {
                progress.hide(flux)?;
            }
            streams.with(flux, |flux| {
                let id = answered(handle.wait(pending))?;
                if !self.options.quiet {
                    flux.line(id)?;
                }
                jobs.push((id, streams.clone()));
                Ok(())
            })?;
            let Some(progress) = &mut progress else {
                return Ok(());
            };
            // Where nobody waits for the jobs, to be submitted is to be done.
            progress.counts.done += u64::from(self.until().is_none());
            progress.update(flux)
        };
        for planned in plan {
            let (request, streams) = planned?;
            if in_flight.len() >= SUBMITS_IN_FLIGHT_MAX
                && let Some((pending, streams)) = in_flight.pop_front()
            {
                take(flux, handle, pending, streams)?;
            }
            in_flight.push_back((request.start(handle), streams));
        }
        for (pending, streams) in in_flight {
            take(flux, handle, pending, streams)?;
        }
        Ok(jobs)
    }
}
