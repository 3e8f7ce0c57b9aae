//! `flux housekeeping list`

use std::borrow::Cow;

use proto::data::{Hostlist, IdSet, JobId, JobIdEncoding};
use proto::job_manager::{HousekeepingJob, StatsGet};

use super::{hosts, known_ranks};
use command::clock;
use command::error::CliError;
use command::flux::Flux;
use format::{File, Format, FormatOptions, Formats, Named, Table, Value};

const FORMATS: Formats = Formats {
    named: &[
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
    ],
    variable: "FLUX_HOUSEKEEPING_LIST_FORMAT_DEFAULT",
    file: File {
        stem: "flux-housekeeping",
        tables: &[],
    },
    table: None,
    lists: &[],
};

/// List jobs whose nodes run housekeeping
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    format: FormatOptions,
    /// List only these hosts or ranks
    #[arg(short, long, value_name = "HOSTS|RANKS")]
    include: Option<String>,
}

impl List {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(text) = self.format.choose(flux, &FORMATS)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let mut handle = flux.connect()?;
        let hosts = hosts(&mut handle)?;
        let included = self.include.as_ref().map(|text| known_ranks(text, &hosts));
        let included = included.transpose()?;
        let stats = handle.rpc(&StatsGet)?.housekeeping;
        let lines = stats.running.into_iter();
        let lines = lines.map(|(id, job)| Line::new(&id, job, included.as_ref(), &hosts));
        let mut lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
        lines.retain(|line| !line.job.allocated.is_empty());
        lines.sort_by_key(|line| line.id);
        let lines = combined(lines, &format);
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for line in lines {
            table.push(|field| line.get(*field));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

/// Field of a column.
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

/// The lines, as one those that differ in their nodes only.
fn combined<'a>(lines: Vec<Line<'a>>, format: &Format<Field>) -> Vec<Line<'a>> {
    let fields = format.columns.iter().map(|column| column.field);
    let of_job: Vec<Field> = fields
        .filter(|field| !matches!(field, Field::Allocated(_) | Field::Pending(_)))
        .collect();
    let mut all: Vec<Line> = Vec::new();
    for line in lines {
        let is_like = |other: &&mut Line| of_job.iter().all(|field| other.is_like(&line, *field));
        match all.iter_mut().find(is_like) {
            Some(other) => {
                other.job.allocated.add(&line.job.allocated);
                other.job.pending.add(&line.job.pending);
            }
            None => all.push(line),
        }
    }
    all
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

    /// True if a field that is not about nodes is equal in both lines.
    fn is_like(&self, other: &Line, field: Field) -> bool {
        match field {
            Field::Id(_) => self.id == other.id,
            _ => self.job.t_start == other.job.t_start,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs as `ID START PENDING ALLOCATED`, and the lines that a format makes of them.
    fn check(format: &str, jobs: &[(u64, f64, &str, &str)], expect: &[&str]) {
        let hosts: Hostlist = "h[0-9]".parse().unwrap();
        let lines = jobs.iter().map(|(id, t_start, pending, allocated)| Line {
            id: JobId(*id),
            job: HousekeepingJob {
                t_start: *t_start,
                pending: pending.parse().unwrap(),
                allocated: allocated.parse().unwrap(),
            },
            hosts: &hosts,
        });
        let format = Format::of_user(format, resolve).unwrap();
        let lines = combined(lines.collect(), &format);
        let shown = lines.iter().map(|line| {
            let job = &line.job;
            format!("{} {} {}", line.id.0, job.pending, job.allocated)
        });
        assert_eq!(shown.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn jobs_that_differ_in_their_nodes_only_are_one_line() {
        let jobs = [(1, 5.0, "0", "0-1"), (2, 5.0, "2", "2"), (3, 6.0, "3", "3")];
        let each = ["1 0 0-1", "2 2 2", "3 3 3"];
        check("{id.f58} {nodelist}", &jobs, &each);
        check("{id} {t_start} {nnodes}", &jobs, &each);
        check("{runtime} {ranks}", &jobs, &["1 0,2 0-2", "3 3 3"]);
        check("{nodelist} {pending.nnodes}", &jobs, &["1 0,2-3 0-3"]);
        check("{nodelist}", &[], &[]);
    }
}
