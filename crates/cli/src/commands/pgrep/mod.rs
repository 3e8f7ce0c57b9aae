//! `flux pgrep` and `flux pkill`: finds jobs by name or id, and lists or cancels them.

mod expression;

use std::collections::BTreeSet;

use client::{Call, Handle};
use proto::data::JobId;
use proto::job_manager::Raise;
use serde_json::json;

use super::jobs::ask::{self, Listing};
use super::jobs::field::{Facts, Field};
use super::jobs::job::Job;
use super::jobs::query::Filters;
use super::jobs::reach::Reach;
use super::jobs::{formats, instance};
use crate::limits::{INSTANCES_ASKED_AT_ONCE, REQUESTS_IN_FLIGHT_MAX};
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use expression::Expression;
use format::{Format, FormatOptions, Table};

/// Attributes of a job needed to find it.
const ATTRS: [&str; 1] = ["name"];

/// List jobs whose names match a pattern, or whose ids are in a range
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux pgrep sleep
  flux pgrep -a -o full '^step-[0-9]+$'
  flux pgrep ƒABC..ƒDEF")]
pub struct Pgrep {
    /// Search jobs in all states, inactive ones too
    #[arg(short)]
    all: bool,
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    format: FormatOptions,
}

/// Cancel jobs whose names match a pattern, or whose ids are in a range
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux pkill sleep
  flux pkill --wait -q debug .")]
pub struct Pkill {
    /// Wait until the jobs are inactive
    #[arg(short, long)]
    wait: bool,
    #[command(flatten)]
    search: Search,
}

/// Jobs to search, and the expression.
#[derive(clap::Args)]
struct Search {
    /// Search the jobs of every user
    #[arg(short = 'A')]
    all_users: bool,
    /// Search the jobs of this user, by name or number, or of 'all'
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Search jobs in these states or with these results, separated by commas
    #[arg(short, long, value_name = "STATE|RESULT")]
    filter: Vec<String>,
    /// Search jobs in these queues, separated by commas
    #[arg(short, long, value_name = "QUEUE")]
    queue: Vec<String>,
    /// Take the first N jobs found
    #[arg(short, long, value_name = "N", default_value_t = 99_999)]
    count: usize,
    /// Search at most N jobs (0 = no limit)
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_entries: u64,
    /// Pattern of the name, and ranges ID1..ID2; 'name:' in front forces a pattern
    #[arg(required = true, value_name = "EXPRESSION")]
    expression: Vec<String>,
}

impl Search {
    /// The jobs found, with the attributes needed of them. If there are none, the command
    /// ends.
    fn find(
        &self,
        handle: &mut Handle,
        all: bool,
        attrs: &BTreeSet<&str>,
        expression: &Expression,
    ) -> Result<Vec<Job>, CliError> {
        let filters = Filters {
            all,
            all_users: self.all_users,
            user: self.user.clone(),
            filter: self.filter.clone(),
            queue: self.queue.clone(),
            ..Filters::default()
        };
        let listing = Listing {
            attrs: json!(attrs),
            constraint: filters.constraint()?,
            since: None,
            count: self.max_entries,
        };
        let mut jobs = listing.ask::<Job>(handle)?.jobs;
        jobs.retain(|job| expression.matches(job.id, job.name.as_deref().unwrap_or_default()));
        jobs.truncate(self.count);
        match jobs.is_empty() {
            true => Err(CliError::exit(1)),
            false => Ok(jobs),
        }
    }
}

impl Run for Pgrep {
    const NAME: &'static str = "pgrep";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(mut self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(text) = self.format.choose(flux, &formats::PGREP)? else {
            return Ok(());
        };
        // Scripts read the ids alone.
        self.format.no_header |= self.format.wanted(flux, &formats::PGREP) == "default";
        let format = Format::of_user(&text, Field::resolve)?;
        let expression = Expression::parse(&self.search.expression)?;
        let columns = format.columns.iter().map(|column| &column.field);
        let keys = format.sort.iter().map(|key| &key.field);
        let fields: Vec<&Field> = columns.chain(keys).collect();
        let attrs = fields.iter().flat_map(|field| field.attrs());
        let attrs: BTreeSet<&str> = attrs.copied().chain(ATTRS).collect();
        let mut handle = flux.connect()?;
        let mut jobs = self
            .search
            .find(&mut handle, self.all, &attrs, &expression)?;
        if fields.iter().any(|field| field.is_of_instance()) {
            instance::fill(&Reach::of(flux), INSTANCES_ASKED_AT_ONCE, &mut jobs);
        }
        let facts = Facts::new(clock::now());
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for job in &jobs {
            table.push(|field| field.get(job, &facts));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

impl Run for Pkill {
    const NAME: &'static str = "pkill";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let expression = Expression::parse(&self.search.expression)?;
        let mut handle = flux.connect()?;
        let attrs = ATTRS.into_iter().collect();
        let jobs = self.search.find(&mut handle, false, &attrs, &expression)?;
        let found: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let canceled = cancel(flux, &mut handle, &found)?;
        if self.wait {
            ask::wait_inactive(&mut handle, &canceled)?;
        }
        let count = canceled.len();
        let jobs = if count == 1 { "job" } else { "jobs" };
        if count > 0 {
            flux.info(format_args!("Canceled {count} {jobs}"))?;
        }
        match count == found.len() {
            true => Ok(()),
            false => Err(CliError::exit(1)),
        }
    }
}

/// Cancels jobs, and returns those that could be cancelled.
fn cancel(flux: &mut Flux, handle: &mut Handle, ids: &[JobId]) -> Result<Vec<JobId>, CliError> {
    let mut canceled = Vec::with_capacity(ids.len());
    for ids in ids.chunks(REQUESTS_IN_FLIGHT_MAX) {
        let raise = |id: &JobId| {
            handle.start(Call::new(&Raise {
                id: *id,
                severity: 0,
                kind: "cancel".to_owned(),
                note: None,
                wait_status: None,
            }))
        };
        let pending: Vec<_> = ids.iter().map(raise).collect();
        for (id, pending) in ids.iter().zip(pending) {
            match handle.wait(pending) {
                Ok(_) => canceled.push(*id),
                Err(refusal) => flux.complain(&CliError::from(refusal).about(id))?,
            }
        }
    }
    Ok(canceled)
}
