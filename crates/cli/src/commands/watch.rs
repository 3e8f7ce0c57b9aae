//! `flux watch`: the output of jobs submitted by others, and their ends.

use attach::{Kind, Many, Progress, Wanted};
use client::Handle;
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use command::streams::Streams;
use proto::data::JobId;
use proto::data::job::{JobResult, State};
use serde_json::json;

use super::jobs::ask::Listing;
use super::jobs::job::Job;
use super::jobs::job_ids;
use super::jobs::query::{Filters, moment};

/// Default number of jobs that are watched (`--count`).
const COUNT: u64 = 1000;

/// Attributes of a job needed to watch it.
const ATTRS: [&str; 3] = ["state", "result", "t_submit"];

/// Print the output of jobs until they end, and exit with the largest of their exit codes
///
/// For jobs that have ended, all output is printed again.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux watch $(flux job last)
  flux watch --active --progress
  flux watch --all --since=-1h --label-io")]
pub struct Watch {
    /// Watch jobs that are pending or running
    #[arg(short, long)]
    active: bool,
    /// Watch all jobs, inactive ones too
    #[arg(short = 'A', long)]
    all: bool,
    /// Watch at most N jobs (0 = no limit)
    #[arg(short, long, value_name = "N", default_value_t = COUNT)]
    count: u64,
    /// Watch jobs that are active or ended after this: -DURATION, a date and time, or words such
    /// as 'yesterday'
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    since: Option<String>,
    /// Watch jobs in these states or with these results, separated by commas
    #[arg(short, long, value_name = "STATE|RESULT")]
    filter: Vec<String>,
    /// Show the number of pending, running and ended jobs, on a terminal
    #[arg(long)]
    progress: bool,
    /// With --progress, show the number of jobs that end per second
    #[arg(long)]
    jps: bool,
    /// Label each line of output with the job and the task's rank
    #[arg(short, long)]
    label_io: bool,
    /// Print how each job ends; twice, print all its events
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Watch only these jobs
    #[arg(value_name = "JOBID")]
    ids: Vec<String>,
}

impl Run for Watch {
    const NAME: &'static str = "watch";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = job_ids(&self.ids)?;
        let since = self.since(flux)?;
        if ids.is_empty() && !self.is_any() {
            flux.complain(&CliError::new(
                "At least one job selection option is required",
            ))?;
            flux.note("Try 'flux watch --help' for more information.")?;
            return Err(CliError::exit(1));
        }
        let listing = Listing {
            attrs: json!(ATTRS),
            constraint: self.filters().constraint()?,
            since,
            count: self.count,
        };
        let mut handle = flux.connect()?;
        let mut jobs = match ids.is_empty() {
            true => listing.ask::<Job>(&mut handle)?.jobs,
            false => self.found(flux, &mut handle, &listing, &ids)?,
        };
        if jobs.is_empty() {
            flux.info("No matching jobs")?;
            return Ok(());
        }
        if self.verbose > 0 {
            flux.info(format_args!("Watching {} jobs", jobs.len()))?;
        }
        jobs.sort_by(|a, b| submitted(a).total_cmp(&submitted(b)));
        let progress = self.progress(flux, &mut handle, since, &jobs)?;
        self.watch(flux, &mut handle, progress, &jobs)
    }
}

impl Watch {
    fn is_any(&self) -> bool {
        self.active || self.all || self.since.is_some() || !self.filter.is_empty()
    }

    /// Own jobs only.
    fn filters(&self) -> Filters {
        let mut filter = self.filter.clone();
        // State filter implied by --since; it does not hide jobs that have ended since.
        if self.active && !self.all && filter.is_empty() && self.since.is_none() {
            filter.push("pending,running".to_owned());
        }
        Filters {
            all: self.all,
            filter,
            since: self.since.clone(),
            ..Filters::default()
        }
    }

    fn since(&self, flux: &Flux) -> Result<Option<f64>, CliError> {
        let Some(text) = &self.since else {
            return Ok(None);
        };
        let refuse = |text: String| CliError::new(text).with_code(2);
        let invalid = || refuse(format!("--since: invalid value '{text}'"));
        let since = moment(text, clock::now(), &flux.env).ok_or_else(invalid)?;
        match since > clock::now() {
            true => Err(refuse(format!(
                "--since={text} appears to be in the future"
            ))),
            false => Ok(Some(since.max(0.0))),
        }
    }

    /// The jobs with these ids. Unknown ones are reported.
    fn found(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        listing: &Listing,
        ids: &[JobId],
    ) -> Result<Vec<Job>, CliError> {
        let mut jobs = Vec::new();
        for (word, job) in self.ids.iter().zip(listing.ask_ids::<Job>(handle, ids)?) {
            match job {
                Some(job) => jobs.push(job),
                None => flux.complain(&CliError::new(format!("JobID {word} unknown")))?,
            }
        }
        Ok(jobs)
    }

    /// The line on the terminal, whose time begins with the first of the jobs, or with all that
    /// might have been chosen.
    fn progress(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        since: Option<f64>,
        jobs: &[Job],
    ) -> Result<Option<Progress>, CliError> {
        if !self.progress {
            return Ok(None);
        }
        let Some(mut progress) = Progress::new(flux, Kind::Jobs, jobs.len() as u64, self.jps)
        else {
            let text = "stdout is not a tty. Ignoring --progress option";
            flux.note(format_args!("flux: WARNING: {text}"))?;
            return Ok(None);
        };
        let first = jobs.iter().map(submitted).reduce(f64::min);
        let began = match (since, self.all) {
            (Some(since), _) => Some(since),
            (None, true) => handle.attr("broker.starttime")?.parse().ok().or(first),
            (None, false) => first,
        };
        if let Some(began) = began {
            progress.begin_at(began);
        }
        Ok(Some(progress))
    }

    fn watch(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        progress: Option<Progress>,
        jobs: &[Job],
    ) -> Result<(), CliError> {
        let wanted = Wanted {
            output: true,
            label: self.label_io,
            verbose: self.verbose,
            until: "clean".to_owned(),
        };
        let mut many = Many::new(wanted, progress);
        for job in jobs {
            match job.state() {
                Some(State::Inactive) => {
                    let is_success = job.result() == Some(JobResult::Completed);
                    many.add_ended(job.id, Streams::default(), is_success);
                }
                _ => many.add(job.id, Streams::default()),
            }
        }
        let code = many.follow(flux, handle);
        if let Some(progress) = &mut many.progress {
            progress.finish(flux)?;
        }
        flux.out.flush()?;
        match code? {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }
}

fn submitted(job: &Job) -> f64 {
    job.t_submit.unwrap_or(0.0)
}
