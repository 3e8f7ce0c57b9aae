//! `flux jobs`: lists jobs.
//!
//! Jobs are selected in `query.rs` and queried in `ask.rs`; fields are in `field.rs`, values
//! computed from attributes in `job.rs`, instances among the jobs in `instance.rs`,
//! `reach.rs` and `recurse.rs`, changes as they happen in `follow.rs`, and the layout in
//! `format`.

pub mod ask;
pub mod field;
mod follow;
pub mod formats;
pub mod instance;
pub mod job;
mod json;
pub mod parallel;
pub mod query;
pub mod reach;
mod recurse;
mod stats;

use std::collections::BTreeSet;

use client::Handle;
use proto::data::JobId;
use proto::job_list::JobStats;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use ask::{Listed, Listing};
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use field::{Facts, Field};
use format::{Format, FormatOptions, SortKey, Table, TableOptions, in_user_format, sort_keys};
use job::Job;
use query::Filters;
use reach::Reach;
use recurse::Recursion;

/// Default number of jobs that are listed (`--count`).
pub const COUNT: u64 = 1000;

/// List jobs: by default, your active ones
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux jobs
  flux jobs -a -c 10
  flux jobs -A -f failed,timeout --since=-1h
  flux jobs -aF -q batch
  flux jobs -no '{id} {result}' ƒABC ƒDEF")]
pub struct Jobs {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    recursion: Recursion,
    /// Show at most N jobs (0 = no limit)
    #[arg(short, long, value_name = "N", default_value_t = COUNT)]
    count: u64,
    /// Sort by these fields, separated by commas; '-' in front sorts largest first
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Truncate lines to N columns
    #[arg(short, long, value_name = "COLUMNS", num_args = 0..=1, default_missing_value = "0")]
    width: Option<usize>,
    /// Colour jobs by their results
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_value = "auto", default_missing_value = "always")]
    color: clap::ColorChoice,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the number of jobs in each state first
    #[arg(long)]
    stats: bool,
    /// Print the number of jobs in each state, and exit with 1 if none is active
    #[arg(long)]
    stats_only: bool,
    /// Print a line for each change of a job until the instance ends
    #[arg(short = 'F', long, conflicts_with_all = ["recursive", "recurse_all", "sort", "stats",
        "stats_only", "count", "ids"])]
    follow: bool,
    /// Read the jobs from standard input, an object of job-list on each line
    #[arg(long, hide = true, conflicts_with_all = ["recursive", "recurse_all", "stats",
        "stats_only", "follow", "ids"])]
    from_stdin: bool,
    /// List only these jobs
    #[arg(value_name = "JOBID")]
    ids: Vec<String>,
}

impl Run for Jobs {
    const NAME: &'static str = "jobs";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        job_ids(&self.ids)?;
        if self.stats_only {
            return self.print_stats_only(flux);
        }
        if self.json {
            return self.print_json(flux);
        }
        let Some(text) = self.format.choose(flux, &formats::JOBS)? else {
            return Ok(());
        };
        let plan = self.plan(flux, &text)?;
        self.warn(flux)?;
        if self.from_stdin {
            let jobs = self.read_jobs(flux)?;
            return self.print(flux, &plan, &jobs);
        }
        if self.follow {
            return self.follow(flux, &plan);
        }
        let mut handle = flux.connect()?;
        if self.stats {
            let (text, _) = stats::summary(&handle.rpc(&JobStats)?, &self.queues())?;
            flux.line(text)?;
        }
        let Some(mut jobs) = self.get::<Job>(flux, &mut handle, &plan.listing)? else {
            // That has been said, and a header without jobs would only hide it.
            return Err(CliError::exit(1));
        };
        let reach = Reach::of(flux);
        plan.fill(&reach, self.recursion.threads(), &mut jobs);
        self.print(flux, &plan, &jobs)?;
        if self.recursion.is_wanted() {
            self.descend(flux, &plan, &reach, &jobs, "", 0)?;
        }
        Ok(())
    }
}

/// Query of an instance, and the form of the result.
struct Plan {
    format: Format<Field>,
    sort: Option<Vec<SortKey<Field>>>,
    listing: Listing,
}

impl Plan {
    /// Queries the instances among the jobs for the fields of the format.
    fn fill(&self, reach: &Reach, threads: usize, jobs: &mut [Job]) {
        let columns = self.format.columns.iter().map(|column| &column.field);
        let keys = self.sort.as_ref().unwrap_or(&self.format.sort).iter();
        if columns
            .chain(keys.map(|key| &key.field))
            .any(Field::is_of_instance)
        {
            instance::fill(reach, threads, jobs);
        }
    }
}

impl Jobs {
    fn plan(&self, flux: &Flux, text: &str) -> Result<Plan, CliError> {
        let format = Format::of_user(text, Field::resolve)?;
        let sort = self.sort.as_ref();
        let sort = sort.map(|keys| sort_keys(keys, Field::resolve).map_err(in_user_format));
        let sort = sort.transpose()?;
        let columns = format.columns.iter().map(|column| &column.field);
        let keys = sort
            .as_ref()
            .unwrap_or(&format.sort)
            .iter()
            .map(|key| &key.field);
        let mut attrs: BTreeSet<&str> = columns
            .chain(keys)
            .flat_map(|field| field.attrs().iter().copied())
            .collect();
        if self.recursion.is_wanted() {
            attrs.extend(recurse::ATTRS);
        }
        if flux.wants_color(self.color) {
            attrs.extend(["state", "result"]);
        }
        let listing = self.listing(flux, json!(attrs))?;
        Ok(Plan {
            format,
            sort,
            listing,
        })
    }

    fn listing(&self, flux: &Flux, attrs: Value) -> Result<Listing, CliError> {
        Ok(Listing {
            attrs,
            constraint: self.filters.constraint()?,
            since: self.filters.since(&flux.env)?,
            count: self.count,
        })
    }

    fn queues(&self) -> Vec<&str> {
        query::split(&self.filters.queue).collect()
    }

    fn warn(&self, flux: &mut Flux) -> Result<(), CliError> {
        if !self.ids.is_empty() && self.filters.is_any() {
            flux.warn("Filtering options ignored with jobid list")?;
        } else if self.filters.all && !self.filters.filter.is_empty() {
            flux.warn("Both -a and --filter specified, ignoring -a")?;
        }
        Ok(())
    }

    /// The jobs; `None` if none of those named is known.
    fn get<J: DeserializeOwned>(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        listing: &Listing,
    ) -> Result<Option<Vec<J>>, CliError> {
        if self.ids.is_empty() {
            let listed = listing.ask(handle)?;
            return self.all_of(flux, listed).map(Some);
        }
        let ids = job_ids(&self.ids)?;
        let mut jobs = Vec::new();
        for (id, job) in ids.iter().zip(listing.ask_ids(handle, &ids)?) {
            match job {
                Some(job) => jobs.push(job),
                None => flux.note(format_args!("JobID {id} unknown"))?,
            }
        }
        Ok(Some(jobs).filter(|jobs| !jobs.is_empty()))
    }

    /// The jobs; returns true too if there are more.
    fn all_of<J>(&self, flux: &mut Flux, listed: Listed<J>) -> Result<Vec<J>, CliError> {
        if listed.is_cut && !self.format.no_header {
            flux.note(format_args!(
                "warning: output truncated at {} jobs.",
                self.count
            ))?;
            flux.note("Use --count to increase returned results or use filters to alter results.")?;
        }
        Ok(listed.jobs)
    }

    /// The jobs of standard input.
    fn read_jobs<J: DeserializeOwned>(&self, flux: &mut Flux) -> Result<Vec<J>, CliError> {
        let input = flux.read_input()?;
        let input = String::from_utf8_lossy(&input);
        let lines = input.lines().zip(1..);
        let lines = lines.filter(|(line, _)| !line.trim().is_empty());
        let jobs = lines.map(|(line, number)| {
            let wrong = |error| format!("JSON input error: line {number}: {error}");
            serde_json::from_str(line).map_err(|error| CliError::new(wrong(error)))
        });
        jobs.collect()
    }

    fn table_options(&self, flux: &Flux) -> TableOptions {
        let width = self.width.map(|width| match width {
            0 => flux.terminal_columns().unwrap_or(usize::MAX),
            width => width,
        });
        self.format.table(flux, width)
    }

    fn print(&self, flux: &mut Flux, plan: &Plan, jobs: &[Job]) -> Result<(), CliError> {
        let is_coloured = flux.wants_color(self.color);
        let facts = Facts::new(clock::now());
        let options = self.table_options(flux);
        let mut table = Table::new(&plan.format, plan.sort.as_deref(), options);
        for job in jobs {
            table.push(|field| field.get(job, &facts));
            if is_coloured {
                table.colour_last(job.colour());
            }
        }
        table.print(&mut flux.out)?;
        Ok(())
    }

    fn print_json(&self, flux: &mut Flux) -> Result<(), CliError> {
        self.warn(flux)?;
        let listing = self.listing(flux, json!(["all"]))?;
        if self.follow {
            return self.follow_json(flux, &listing);
        }
        let jobs = match self.from_stdin {
            true => Some(self.read_jobs(flux)?),
            false => {
                let mut handle = flux.connect()?;
                self.get::<Map<String, Value>>(flux, &mut handle, &listing)?
            }
        };
        let Some(jobs) = jobs else {
            return Err(CliError::exit(1));
        };
        let reach = Reach::of(flux);
        let jobs = self.objects(flux, &listing, &reach, jobs, 0)?;
        let output = match (self.ids.len(), jobs) {
            (1, jobs) => jobs.into_iter().next().unwrap_or_default(),
            (_, jobs) => json!({ "jobs": jobs }),
        };
        writeln!(flux.out, "{}", submission::spaced(&output))?;
        Ok(())
    }

    fn print_stats_only(&self, flux: &mut Flux) -> Result<(), CliError> {
        let stats = flux.connect()?.rpc(&JobStats)?;
        let (text, active) = stats::summary(&stats, &self.queues())?;
        flux.line(text)?;
        match active {
            0 => Err(CliError::exit(1)),
            _ => Ok(()),
        }
    }
}

/// The ids among the words of a command line.
pub fn job_ids(words: &[String]) -> Result<Vec<JobId>, CliError> {
    let ids = words.iter().map(|word| {
        let text = format!("argument JOBID: invalid JobID value: '{word}'");
        word.parse().map_err(|_| CliError::usage(text))
    });
    ids.collect()
}
