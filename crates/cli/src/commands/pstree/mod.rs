//! `flux pstree`: jobs as a tree, those of instances that run as jobs below them.
//!
//! Read on in `tree.rs` (asking for the jobs) and `draw.rs` (the lines).

mod draw;
mod tree;

use std::collections::BTreeSet;

use serde_json::json;

use super::jobs::ask::Listing;
use super::jobs::field::{Facts, Field};
use super::jobs::job_ids;
use super::jobs::query::Filters;
use super::jobs::reach::Reach;
use crate::limits::INSTANCES_ASKED_AT_ONCE;
use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use draw::{ASCII, Branch, COMPACT, Connectors, WIDE};
use format::{Format, Table, TableOptions};
use tree::{Grower, Node};

/// Attributes of each job needed to find the instances among them.
const ATTRS: [&str; 3] = ["annotations", "state", "userid"];

/// Named formats of the details before the tree.
const DETAILS: [(&str, &str); 4] = [
    (
        "default",
        "{id.f58:>12} {username:<8.8} {status_abbrev:>2.2} {ntasks:>6h} {nnodes:>6h} \
        {runtime!F:>8h}",
    ),
    (
        "resources",
        "{id.f58:>12} {instance.resources.all.nnodes:>5} \
        {instance.resources.allocated.nnodes:>5} {instance.resources.all.ncores:>5} \
        {instance.resources.allocated.ncores:>5} {instance.resources.all.ngpus:>5} \
        {instance.resources.allocated.ngpus:>5}",
    ),
    (
        "progress",
        "{id.f58:>12} {ntasks:>6h} {instance.stats.total:>6} {instance.progress!P:>5} \
        {instance.utilization!P:>5} {instance.gpu_utilization!P:>5} {runtime!H:>10}",
    ),
    ("stats", "{id.f58:>12} {instance.stats:^25} {runtime!H:>10}"),
];

/// Show your running jobs as a tree, the jobs of instances below them
#[derive(clap::Parser)]
#[command(after_help = "Detail formats: default, resources, progress, stats

Examples:
  flux pstree
  flux pstree -a
  flux pstree -d progress
  flux pstree --skip-root=yes --parent-label='{name} {instance.stats}'")]
pub struct Pstree {
    /// Show jobs in all states, inactive ones too
    #[arg(short, long)]
    all: bool,
    /// Show at most N jobs of each instance (0 = no limit)
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Show jobs in these states or with these results, separated by commas
    #[arg(short, long, value_name = "STATE|RESULT")]
    filter: Vec<String>,
    /// Show details before the tree, as --details=default does
    #[arg(short = 'x', long)]
    extended: bool,
    /// Do not truncate long lines
    #[arg(short, long)]
    long: bool,
    /// Descend at most N levels
    #[arg(short = 'L', long, value_name = "N")]
    level: Option<u32>,
    /// Show the ids of instances
    #[arg(short, long)]
    parent_ids: bool,
    /// Leave the header of the details out
    #[arg(short, long)]
    no_header: bool,
    /// Show similar jobs separately
    #[arg(short = 'X', long)]
    no_combine: bool,
    /// Label jobs with this format
    #[arg(short = 'o', long, value_name = "FORMAT")]
    label: Option<String>,
    /// Label instances with this format
    #[arg(long, value_name = "FORMAT")]
    parent_label: Option<String>,
    /// Show details in this format before the tree
    #[arg(long, value_name = "FORMAT")]
    detail_format: Option<String>,
    /// Show details in the format of this name before the tree
    #[arg(short, long, alias = "detail", value_name = "NAME")]
    details: Option<String>,
    /// Use short connectors
    #[arg(short = 'C', long)]
    compact: bool,
    /// Use connectors of ASCII characters
    #[arg(long)]
    ascii: bool,
    /// Hide the root, or not; default: hidden with details and with ids
    #[arg(long, value_name = "yes|no", value_parser = ["yes", "no"])]
    skip_root: Option<String>,
    /// Show the trees of these jobs
    #[arg(value_name = "JOBID")]
    ids: Vec<String>,
}

impl Run for Pstree {
    const NAME: &'static str = "pstree";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = job_ids(&self.ids)?;
        let connectors = self.connectors()?;
        let formats = self.formats()?;
        let grower = self.grower(flux, &formats)?;
        let is_filtered = self.all || !self.filter.is_empty() || self.count.is_some();
        if !ids.is_empty() && is_filtered {
            flux.warn("filtering options ignored with jobid list")?;
        }
        let levels = self.level.unwrap_or(u32::MAX);
        let mut handle = flux.connect()?;
        let mut trees = if ids.is_empty() {
            grower.jobs(&mut handle, levels)?
        } else {
            let (trees, unknown) = grower.ids(&mut handle, &ids, levels)?;
            for id in &unknown {
                flux.note(format_args!("JobID {id} unknown"))?;
            }
            if trees.is_empty() {
                return Err(CliError::exit(1));
            }
            trees
        };
        let skips_root = match self.skip_root.as_deref() {
            Some(word) => word == "yes",
            None => formats.details.is_some() || !ids.is_empty(),
        };
        if !skips_root {
            trees = vec![grower.root(&mut handle, trees)];
        }
        self.print(flux, &formats, connectors, &trees)
    }
}

/// Formats of jobs.
struct Formats {
    label: Format<Field>,
    parent_label: Format<Field>,
    details: Option<Format<Field>>,
}

impl Formats {
    fn fields(&self) -> impl Iterator<Item = &Field> {
        let formats = [
            Some(&self.label),
            Some(&self.parent_label),
            self.details.as_ref(),
        ];
        let columns = formats
            .into_iter()
            .flatten()
            .flat_map(|format| &format.columns);
        columns.map(|column| &column.field)
    }
}

impl Pstree {
    fn connectors(&self) -> Result<&'static Connectors, CliError> {
        match (self.ascii, self.compact) {
            (true, true) => Err(CliError::new("Choose only one of --ascii, --compact")),
            (true, false) => Ok(&ASCII),
            (false, true) => Ok(&COMPACT),
            (false, false) => Ok(&WIDE),
        }
    }

    fn formats(&self) -> Result<Formats, CliError> {
        let parse = |text: &str| Format::of_user(text, Field::resolve);
        let details = match (&self.detail_format, self.details.as_deref()) {
            (Some(format), _) => Some(format.as_str()),
            (None, Some(name)) => Some(named_details(name)?),
            (None, None) if self.extended => Some(named_details("default")?),
            (None, None) => None,
        };
        let usual = if self.all {
            "{name}:{status_abbrev}"
        } else {
            "{name}"
        };
        let label = self.label.as_deref().unwrap_or(usual);
        // Instances that run are in one state only.
        let parent = self.label.as_deref().unwrap_or("{name}");
        let parent = self.parent_label.as_deref().unwrap_or(parent);
        let ids = if self.parent_ids { "{id.f58} " } else { "" };
        Ok(Formats {
            label: parse(label)?,
            parent_label: parse(&format!("{ids}{parent}"))?,
            details: details.map(parse).transpose()?,
        })
    }

    fn grower(&self, flux: &Flux, formats: &Formats) -> Result<Grower, CliError> {
        let running = || vec!["running".to_owned()];
        let filters = Filters {
            all: self.all,
            filter: match self.all || !self.filter.is_empty() {
                true => self.filter.clone(),
                false => running(),
            },
            ..Filters::default()
        };
        let attrs = formats
            .fields()
            .flat_map(|field| field.attrs().iter().copied());
        let attrs: BTreeSet<&str> = attrs.chain(ATTRS).collect();
        Ok(Grower {
            reach: Reach::of(flux),
            listing: Listing {
                attrs: json!(attrs),
                constraint: filters.constraint()?,
                since: None,
                count: self.count.unwrap_or(super::jobs::COUNT),
            },
            asks_instances: formats.fields().any(Field::is_of_instance),
            userid: filters.userid()?,
            threads: INSTANCES_ASKED_AT_ONCE,
        })
    }

    fn print(
        &self,
        flux: &mut Flux,
        formats: &Formats,
        connectors: &Connectors,
        trees: &[Node],
    ) -> Result<(), CliError> {
        let facts = Facts::new(clock::now());
        let options = TableOptions {
            header: formats.details.is_some() && !self.no_header,
            columns_max: None,
            zone: clock::zone(&flux.env),
            plain: flux.plain(),
        };
        let mut rows = Vec::new();
        let branches: Vec<Branch> = trees
            .iter()
            .map(|tree| branch(tree, formats, &facts, &options, &mut rows))
            .collect();
        // Each job has details of its own.
        let combine = !self.no_combine && formats.details.is_none();
        let mut details = Vec::new().into_iter();
        if let Some(format) = &formats.details {
            let table = rendered(format, &rows, &facts, options.clone())?;
            details = table.into_iter();
        }
        let max = self.columns_max(flux);
        if options.header
            && let Some(header) = details.next()
        {
            writeln!(flux.out, "{}", cut(header.trim_end(), max))?;
        }
        let details: Vec<String> = details.collect();
        for (row, line) in draw::lines(&branches, connectors, combine) {
            let line = match details.get(row) {
                Some(details) => format!("{details} {line}"),
                None => line,
            };
            writeln!(flux.out, "{}", cut(&line, max))?;
        }
        Ok(())
    }

    /// Columns of a line; `None` for no limit.
    fn columns_max(&self, flux: &Flux) -> Option<usize> {
        if self.long {
            return None;
        }
        let told = flux.env.get("COLUMNS").and_then(|text| text.parse().ok());
        told.filter(|columns| *columns > 0)
            .or_else(|| flux.terminal_columns())
    }
}

fn named_details(name: &str) -> Result<&'static str, CliError> {
    let details = DETAILS.iter().find(|(known, _)| *known == name);
    let unknown = || CliError::new(format!("Unknown --details format '{name}'"));
    details.map(|(_, text)| *text).ok_or_else(unknown)
}

/// The node with its label, and in `rows` it and all below it.
fn branch<'n>(
    node: &'n Node,
    formats: &Formats,
    facts: &Facts,
    options: &TableOptions,
    rows: &mut Vec<&'n Node>,
) -> Branch {
    let format = if node.is_parent {
        &formats.parent_label
    } else {
        &formats.label
    };
    let options_of_label = TableOptions {
        header: false,
        ..options.clone()
    };
    let lines = rendered(format, &[node], facts, options_of_label);
    let label = lines.unwrap_or_default().into_iter().next();
    let row = rows.len();
    rows.push(node);
    let children = node.children.iter();
    Branch {
        label: label.unwrap_or_default(),
        row,
        children: children
            .map(|child| branch(child, formats, facts, options, rows))
            .collect(),
    }
}

/// The lines of a table of some nodes.
fn rendered(
    format: &Format<Field>,
    nodes: &[&Node],
    facts: &Facts,
    options: TableOptions,
) -> Result<Vec<String>, CliError> {
    // The order of the tree counts, not that of the format.
    let mut table = Table::new(format, Some(&[]), options);
    for node in nodes {
        table.push(|field| node.get(field, facts));
    }
    let mut lines = Vec::new();
    table.print(&mut lines)?;
    let lines = String::from_utf8_lossy(&lines);
    Ok(lines.lines().map(str::to_owned).collect())
}

fn cut(line: &str, max: Option<usize>) -> &str {
    let end = max.and_then(|max| line.char_indices().nth(max));
    end.map_or(line, |(end, _)| &line[..end])
}
