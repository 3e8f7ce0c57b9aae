//! `flux housekeeping list`

use std::borrow::Cow;

use proto::data::{Hostlist, IdSet, JobId, JobIdEncoding};
use proto::job_manager::{HousekeepingJob, StatsGet};

use super::{hosts, ranks_of};
use crate::clock;
use crate::error::CliError;
use crate::flux::Flux;
use crate::format::{Format, FormatOptions, Named, Table, Value};

const FORMATS: &[Named] = &[
    Named {
        name: "default",
        about: "Default flux-housekeeping list format string",
        text: "{id.f58:>12} {nnodes:>6} {pending.nnodes:>7} {runtime!F:>8} {nodelist}",
    },
    Named {
        name: "pending",
        about: "Show where the command runs",
        text: "{id.f58:>12} {pending.nnodes:>7} {runtime!F:>8} {pending.ranks:>12} \
            {pending.nodelist}",
    },
];

/// List jobs on whose nodes a command runs
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    format: FormatOptions,
    /// Only these hosts or ranks
    #[arg(short, long, value_name = "HOSTS|RANKS")]
    include: Option<String>,
}

impl List {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let variable = "FLUX_HOUSEKEEPING_LIST_FORMAT_DEFAULT";
        let Some(text) = self.format.choose(flux, FORMATS, variable)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let mut handle = flux.connect()?;
        let hosts = hosts(&mut handle)?;
        let included = self.include.as_ref().map(|text| ranks_of(text, &hosts));
        let included = included.transpose()?;
        let stats = handle.rpc(&StatsGet)?.housekeeping;
        let lines = stats.running.into_iter();
        let lines = lines.map(|(id, job)| Line::new(&id, job, included.as_ref(), &hosts));
        let mut lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
        lines.retain(|line| !line.job.allocated.is_empty());
        lines.sort_by_key(|line| line.id);
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for line in lines {
            table.push(|field| line.get(*field));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Id(JobIdEncoding),
    TStart,
    Runtime,
    /// Of the nodes that are not free.
    Allocated(Part),
    /// Of the nodes where the command runs.
    Pending(Part),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Nnodes,
    Ranks,
    Nodelist,
}

fn resolve(name: &str) -> Option<(Field, String)> {
    if let Some(encoding) = name.strip_prefix("id.") {
        return Some((Field::Id(encoding.parse().ok()?), "JOBID".to_owned()));
    }
    let (field, heading) = match name {
        "id" => (Field::Id(JobIdEncoding::F58), "JOBID"),
        "t_start" => (Field::TStart, "T_START"),
        "runtime" => (Field::Runtime, "RUNTIME"),
        "nnodes" | "allocated.nnodes" => (Field::Allocated(Part::Nnodes), "NNODES"),
        "ranks" | "allocated.ranks" => (Field::Allocated(Part::Ranks), "RANKS"),
        "nodelist" | "allocated.nodelist" => (Field::Allocated(Part::Nodelist), "NODELIST"),
        "pending.nnodes" => (Field::Pending(Part::Nnodes), "#ACTIVE"),
        "pending.ranks" => (Field::Pending(Part::Ranks), "ACTIVE_RANKS"),
        "pending.nodelist" => (Field::Pending(Part::Nodelist), "ACTIVE_NODES"),
        _ => return None,
    };
    Some((field, heading.to_owned()))
}

/// The nodes of one job.
struct Line<'a> {
    id: JobId,
    job: HousekeepingJob,
    hosts: &'a Hostlist,
}

impl Line<'_> {
    fn new<'a>(
        id: &str,
        mut job: HousekeepingJob,
        included: Option<&IdSet>,
        hosts: &'a Hostlist,
    ) -> Result<Line<'a>, CliError> {
        let id = id.parse();
        let id = id.map_err(|_| CliError::new("malformed job id in statistics"))?;
        if let Some(included) = included {
            job.allocated = job.allocated.intersection(included);
            job.pending = job.pending.intersection(included);
        }
        Ok(Line { id, job, hosts })
    }

    fn get(&self, field: Field) -> Value<'static> {
        match field {
            Field::Id(encoding) => Value::Ordered(self.id.encode(encoding).into(), self.id.get()),
            Field::TStart => Value::Float(self.job.t_start),
            Field::Runtime => Value::Float((clock::now() - self.job.t_start).max(0.0)),
            Field::Allocated(part) => self.part(&self.job.allocated, part),
            Field::Pending(part) => self.part(&self.job.pending, part),
        }
    }

    fn part(&self, ranks: &IdSet, part: Part) -> Value<'static> {
        match part {
            Part::Nnodes => Value::Int(ranks.count().try_into().unwrap_or(i64::MAX)),
            Part::Ranks => Value::Text(ranks.to_string().into()),
            Part::Nodelist => Value::Text(Cow::Owned(self.hosts.select(ranks).to_string())),
        }
    }
}
