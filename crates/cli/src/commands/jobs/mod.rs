//! `flux jobs`: lists jobs.
//!
//! Read on in `query.rs` (which jobs), `field.rs` (what can be shown), `job.rs` (what
//! follows from what job-list tells), `instance.rs` and `recurse.rs` (instances among the
//! jobs), `follow.rs` (changes as they happen) and `format` (how it is laid out).

mod field;
mod follow;
mod instance;
mod job;
mod json;
pub mod query;
mod recurse;

use std::collections::BTreeSet;

use bytes::Bytes;
use client::{Call, Handle, Pending};
use proto::data::JobId;
use proto::job_list::{JobCounts, JobStats, JobStatsReply, List, ListId};
use proto::{Errno, Method as _, Payload, Refusal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use format::{
    Format, FormatOptions, Named, SortKey, Table, TableOptions, in_user_format, sort_keys,
};
use crate::limits::{LISTED_CHUNK_JOBS, REQUESTS_IN_FLIGHT_MAX};
use field::{Facts, Field};
use instance::Instance;
use job::Job;
use query::Filters;
use recurse::Recursion;

/// Jobs that are listed unless `--count` says otherwise.
const COUNT: u64 = 1000;

const FORMATS: &[Named] = &[
    Named {
        name: "default",
        about: "Default flux-jobs format string",
        text: "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} \
            {status_abbrev:>2.2} {ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} \
            {contextual_info}",
    },
    Named {
        name: "cute",
        about: "Cute flux-jobs format string (default with emojis)",
        text: "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} \
            {status_emoji:>5.5} {ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} \
            {contextual_info}",
    },
    Named {
        name: "long",
        about: "Extended flux-jobs format string",
        text: "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} {status:>9.9} \
            {ntasks:>6} {nnodes:>6h} {t_submit!d:%b%d %R::>12} {t_remaining!F:>12h} \
            {contextual_time!F:>8h} {contextual_info}",
    },
    Named {
        name: "deps",
        about: "Show job urgency, priority, and dependencies",
        text: "{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {urgency:<3} {priority:<12} \
            {state:<8.8} {dependencies}",
    },
    Named {
        name: "endreason",
        about: "Show why each job became inactive",
        text: "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} \
            {status_abbrev:>2.2} {t_inactive!d:%b%d %R::>12h} {inactive_reason}",
    },
];

/// List jobs: your own that are not over, unless options say otherwise
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
    /// Sort by these fields, separated by commas; with '-' in front, largest first
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Truncate lines to N columns
    #[arg(short, long, value_name = "COLUMNS", num_args = 0..=1, default_missing_value = "0")]
    width: Option<usize>,
    /// Colour jobs by how they ended
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_value = "auto", default_missing_value = "always")]
    color: clap::ColorChoice,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print how many jobs there are by state first
    #[arg(long)]
    stats: bool,
    /// Print how many jobs there are by state, and end with 1 if none is active
    #[arg(long)]
    stats_only: bool,
    /// Go on with a line for each change of a job, as it happens, until the instance ends
    #[arg(short = 'F', long,
        conflicts_with_all = ["recursive", "sort", "stats", "stats_only", "count", "ids"])]
    follow: bool,
    /// Only these jobs
    #[arg(value_name = "JOBID")]
    ids: Vec<String>,
}

impl Run for Jobs {
    const NAME: &'static str = "jobs";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        job_ids(&self.ids)?;
        if self.json {
            return self.print_json(flux);
        }
        let default = "FLUX_JOBS_FORMAT_DEFAULT";
        let Some(text) = self.format.choose(flux, FORMATS, default)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, Field::resolve)?;
        let sort = self.sort.as_ref();
        let sort = sort.map(|keys| sort_keys(keys, Field::resolve).map_err(in_user_format));
        let sort = sort.transpose()?;
        self.warn(flux)?;
        let listing = self.listing(flux, &format, sort.as_deref())?;
        let plan = Plan {
            format,
            sort,
            listing,
        };
        if self.follow {
            return self.follow(flux, &plan);
        }
        let mut handle = flux.connect()?;
        if self.stats || self.stats_only {
            let active = self.print_stats(flux, &mut handle)?;
            match self.stats_only {
                true if active == 0 => return Err(CliError::exit(1)),
                true => return Ok(()),
                false => {}
            }
        }
        let (mut jobs, is_found) = self.get::<Job>(flux, &mut handle, &plan.listing)?;
        if !is_found {
            // That has been said, and a header without jobs would only hide it.
            return Err(CliError::exit(1));
        }
        plan.fill(flux, &mut jobs);
        self.print(flux, &plan, &jobs)?;
        if self.recursion.recursive {
            self.descend(flux, &plan, &jobs, "", 0)?;
        }
        Ok(())
    }
}

/// What is asked of an instance, and how it is shown.
struct Plan {
    format: Format<Field>,
    sort: Option<Vec<SortKey<Field>>>,
    listing: Listing,
}

impl Plan {
    /// Asks the instances among the jobs for what the format shows of them.
    fn fill(&self, flux: &Flux, jobs: &mut [Job]) {
        let columns = self.format.columns.iter().map(|column| &column.field);
        let keys = self.sort.as_ref().unwrap_or(&self.format.sort).iter();
        let mut fields = columns.chain(keys.map(|key| &key.field));
        if fields.any(|field| matches!(field, Field::Instance(_))) {
            for job in jobs {
                job.instance = Instance::of(flux, job).map(Box::new);
            }
        }
    }
}

/// What is asked of job-list.
struct Listing {
    attrs: Value,
    constraint: Value,
    since: Option<f64>,
}

/// Some jobs; only the attributes that were asked for are read.
#[derive(Deserialize)]
struct Chunk<J> {
    jobs: Vec<J>,
}

#[derive(Deserialize)]
struct One<J> {
    job: J,
}

/// What came of a listing.
type Listed<J> = (Vec<J>, bool);

impl Jobs {
    fn warn(&self, flux: &mut Flux) -> Result<(), CliError> {
        if !self.ids.is_empty() && self.filters.is_any() {
            flux.warn("Filtering options ignored with jobid list")?;
        } else if self.filters.all && !self.filters.filter.is_empty() {
            flux.warn("Both -a and --filter specified, ignoring -a")?;
        }
        Ok(())
    }

    fn listing(
        &self,
        flux: &Flux,
        format: &Format<Field>,
        sort: Option<&[SortKey<Field>]>,
    ) -> Result<Listing, CliError> {
        let columns = format.columns.iter().map(|column| &column.field);
        let keys = sort.unwrap_or(&format.sort).iter().map(|key| &key.field);
        let mut attrs: BTreeSet<&str> = columns
            .chain(keys)
            .flat_map(|field| field.attrs().iter().copied())
            .collect();
        if self.recursion.recursive {
            attrs.extend(recurse::ATTRS);
        }
        if flux.wants_color(self.color) {
            attrs.extend(["state", "result"]);
        }
        Ok(Listing {
            attrs: json!(attrs),
            constraint: self.filters.constraint()?,
            since: self.filters.since(&flux.env)?,
        })
    }

    /// The jobs, and whether any of those named was found.
    fn get<J: DeserializeOwned>(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        listing: &Listing,
    ) -> Result<Listed<J>, CliError> {
        match self.ids.is_empty() {
            true => Ok((self.list(flux, handle, listing)?, true)),
            false => self.list_ids(flux, handle, listing),
        }
    }

    fn list<J: DeserializeOwned>(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        listing: &Listing,
    ) -> Result<Vec<J>, CliError> {
        let max = match self.count {
            0 => 0,
            // One more tells whether there are more.
            count => count.saturating_add(1),
        };
        let request = List {
            max_entries: Some(json!(max)),
            attrs: Some(listing.attrs.clone()),
            since: listing.since.map(Value::from),
            constraint: Some(listing.constraint.clone()),
            chunk: Some(LISTED_CHUNK_JOBS),
            ..List::default()
        };
        let call = Call::raw(List::TOPIC).payload(request.encode());
        let (mut jobs, mut repeats) = (Vec::new(), 0);
        let mut stream = handle.stream(call.repeating());
        while let Some(message) = stream.next() {
            let chunk: Chunk<J> = read(message?.payload())?;
            if stream.repeats() != repeats {
                // The list has begun again.
                repeats = stream.repeats();
                jobs.clear();
            }
            jobs.extend(chunk.jobs);
        }
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        if count > 0 && jobs.len() > count {
            jobs.truncate(count);
            self.tell_truncated(flux)?;
        }
        Ok(jobs)
    }

    fn tell_truncated(&self, flux: &mut Flux) -> Result<(), CliError> {
        if !self.format.no_header {
            flux.note(format_args!(
                "warning: output truncated at {} jobs.",
                self.count
            ))?;
            flux.note("Use --count to increase returned results or use filters to alter results.")?;
        }
        Ok(())
    }

    /// Asks for each job by its id, many at a time.
    fn list_ids<J: DeserializeOwned>(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        listing: &Listing,
    ) -> Result<Listed<J>, CliError> {
        let mut jobs = Vec::new();
        for ids in job_ids(&self.ids)?.chunks(REQUESTS_IN_FLIGHT_MAX) {
            let ask = |id: &JobId| -> (JobId, Pending<_>) {
                let request = ListId {
                    id: Some(json!(id.get())),
                    attrs: Some(listing.attrs.clone()),
                    state: None,
                };
                let call = Call::raw(ListId::TOPIC).payload(request.encode());
                (*id, handle.start(call))
            };
            for (id, pending) in ids.iter().map(ask).collect::<Vec<_>>() {
                match handle.wait(pending) {
                    Ok(message) => jobs.push(read::<One<J>>(message.payload())?.job),
                    Err(refusal) if refusal.errno == Errno::ENOENT => {
                        flux.note(format_args!("JobID {id} unknown"))?;
                    }
                    Err(refusal) => return Err(refusal.into()),
                }
            }
        }
        let is_found = !jobs.is_empty();
        Ok((jobs, is_found))
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
        let listing = Listing {
            attrs: json!(["all"]),
            constraint: self.filters.constraint()?,
            since: self.filters.since(&flux.env)?,
        };
        if self.follow {
            return self.follow_json(flux, &listing);
        }
        let mut handle = flux.connect()?;
        let (jobs, is_found) = self.get::<Map<String, Value>>(flux, &mut handle, &listing)?;
        let facts = Facts::new(clock::now());
        let mut jobs = jobs.into_iter().map(|raw| json::object(raw, &facts));
        let output = match (self.ids.len(), is_found) {
            (_, false) => return Err(CliError::exit(1)),
            (1, true) => jobs.next().unwrap_or_default(),
            _ => json!({ "jobs": jobs.collect::<Vec<_>>() }),
        };
        writeln!(flux.out, "{}", submission::spaced(&output))?;
        Ok(())
    }

    /// Prints the counts and gives back how many jobs are active.
    fn print_stats(&self, flux: &mut Flux, handle: &mut Handle) -> Result<u64, CliError> {
        let stats = handle.rpc(&JobStats)?;
        let (mut counts, mut active) = (Counts::default(), 0);
        for of_queue in self.chosen(&stats)? {
            let states = &of_queue.job_states;
            counts.running += states.run + states.cleanup;
            counts.completed += of_queue.successful;
            counts.failed += of_queue.failed + of_queue.canceled + of_queue.timeout;
            counts.pending += states.depend + states.priority + states.sched;
            counts.purged += of_queue.inactive_purged;
            active += states.total - states.inactive;
        }
        flux.line(format_args!(
            "{} running, {} completed, {} failed, {} pending, {} inactive purged",
            counts.running, counts.completed, counts.failed, counts.pending, counts.purged
        ))?;
        Ok(active)
    }

    /// The counts of all jobs, or of the queues that were named.
    fn chosen<'s>(&self, stats: &'s JobStatsReply) -> Result<Vec<&'s JobCounts>, CliError> {
        let queues: Vec<&str> = query::split(&self.filters.queue).collect();
        if queues.is_empty() {
            return Ok(vec![&stats.all]);
        }
        let counts = queues.into_iter().map(|name| {
            let queue = stats.queues.iter().find(|queue| queue.name == name);
            let unknown = || CliError::new(format!("no stats available for queue {name}"));
            queue.map(|queue| &queue.counts).ok_or_else(unknown)
        });
        counts.collect()
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

#[derive(Default)]
struct Counts {
    running: u64,
    completed: u64,
    failed: u64,
    pending: u64,
    purged: u64,
}

fn read<'a, T: Deserialize<'a>>(payload: Option<&'a Bytes>) -> Result<T, CliError> {
    proto::payload::decode_json(payload).map_err(|bad| {
        let text = format!("job-list: malformed response: {bad}");
        Refusal::new(Errno::EPROTO, text).into()
    })
}
