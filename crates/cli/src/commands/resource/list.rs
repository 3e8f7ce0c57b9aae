//! `flux resource list`: resources by what the scheduler can do with them.

use client::Handle;
use proto::data::{IdSet, Rset};
use proto::resource::SchedStatusReply;

use super::sched_status;
use super::which::Which;
use crate::commands::jobs::query::split;
use crate::commands::queue::nodes::QueueNodes;
use command::error::CliError;
use command::flux::Flux;
use format::{Format, FormatOptions, Formats, Named, Table, Value};

const FORMATS: Formats = Formats {
    named: &[
        Named {
            name: "default",
            about: "Default flux-resource list format string",
            text: "{state:>10} ?+:{queue:<5} ?:{propertiesx:<10.10+} {nnodes:>6} +:{ncores:>6} \
            ?+:{ngpus:>5} {nodelist}",
        },
        Named {
            name: "rlist",
            about: "Format including resource list details",
            text: "{state:>10} ?+:{queue:<5} ?:{propertiesx:<10.10+} {nnodes:>6} +:{ncores:>6} \
            ?+:{ngpus:>5} {rlist}",
        },
    ],
    variable: "FLUX_RESOURCE_LIST_FORMAT_DEFAULT",
    file: super::CONFIGURATION,
    table: Some("list"),
    lists: &[],
};

/// Kinds of resources, in the order in which they are known.
pub const STATES: [&str; 5] = ["all", "up", "down", "allocated", "free"];

/// List resources by state
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    format: FormatOptions,
    /// Only these states, separated by commas: all, up, down, allocated, free
    #[arg(short, long, value_name = "STATES")]
    states: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Leave out states that have no nodes
    #[arg(long)]
    skip_empty: bool,
}

impl List {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(text) = self.format.choose(flux, &FORMATS)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let states = states(flux, &self.states, &["free", "allocated", "down"])?;
        let mut handle = flux.connect()?;
        let all = sched_status(&mut handle, &self.which)?;
        let groups = Groups::of(&format, &mut handle, &all.all)?;
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for state in &states {
            let set = part(&all, state)?;
            if self.skip_empty && set.is_empty() {
                continue;
            }
            for line in groups.lines(state, set) {
                table.push(|field| line.get(*field));
            }
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    State,
    Queue,
    Properties,
    /// Those that do not tell queues apart.
    ExtraProperties,
    Nnodes,
    Ncores,
    Ngpus,
    Ranks,
    Nodelist,
    Rlist,
}

fn resolve(name: &str) -> Option<(Field, String)> {
    let (field, heading) = match name {
        "state" => (Field::State, "STATE"),
        "queue" => (Field::Queue, "QUEUE"),
        "properties" => (Field::Properties, "PROPERTIES"),
        "propertiesx" => (Field::ExtraProperties, "PROPERTIES"),
        "nnodes" => (Field::Nnodes, "NNODES"),
        "ncores" => (Field::Ncores, "NCORES"),
        "ngpus" => (Field::Ngpus, "NGPUS"),
        "ranks" => (Field::Ranks, "RANKS"),
        "nodelist" => (Field::Nodelist, "NODELIST"),
        "rlist" => (Field::Rlist, "LIST"),
        _ => return None,
    };
    Some((field, heading.to_owned()))
}

/// Nodes that differ in their queues or properties stand in lines of their own, where the
/// format shows that.
struct Groups(Vec<Group>);

struct Group {
    queue: String,
    properties: String,
    ranks: IdSet,
}

/// One line.
struct Line<'a> {
    state: &'a str,
    group: Option<&'a Group>,
    set: Rset,
}

impl Groups {
    fn of(format: &Format<Field>, handle: &mut Handle, all: &Rset) -> Result<Groups, CliError> {
        let shows = |wanted: &[Field]| {
            let mut columns = format.columns.iter();
            columns.any(|column| wanted.contains(&column.field))
        };
        let is_extra_only = !shows(&[Field::Properties]);
        let by_queue = shows(&[Field::Queue]);
        let by_properties = shows(&[Field::Properties, Field::ExtraProperties]);
        if !by_queue && !by_properties {
            return Ok(Groups(Vec::new()));
        }
        let queues = QueueNodes::ask(handle)?;
        let mut groups: Vec<Group> = Vec::new();
        for (rank, _) in all.nodes() {
            let queue = match by_queue {
                true => queues.queues_of(rank, all).join(","),
                false => String::new(),
            };
            let names = all.properties().map(|(name, _)| name).filter(|name| {
                let is_shown = !is_extra_only || !queues.is_required(name);
                by_properties && is_shown && all.has_property(rank, name)
            });
            let properties = names.collect::<Vec<_>>().join(",");
            let like = |group: &&mut Group| group.queue == queue && group.properties == properties;
            match groups.iter_mut().find(like) {
                Some(group) => group.ranks.insert(rank),
                None => groups.push(Group {
                    queue,
                    properties,
                    ranks: IdSet::from(rank),
                }),
            }
        }
        Ok(Groups(groups))
    }

    /// The lines of what is in one state; what has nothing has one line.
    fn lines<'a>(&'a self, state: &'a str, set: Rset) -> Vec<Line<'a>> {
        let mut lines: Vec<Line<'a>> = Vec::new();
        for group in &self.0 {
            let mut part = set.clone();
            part.keep_ranks(&group.ranks);
            if !part.is_empty() {
                lines.push(Line {
                    state,
                    group: Some(group),
                    set: part,
                });
            }
        }
        if lines.is_empty() {
            let group = None;
            lines.push(Line { state, group, set });
        }
        lines
    }
}

impl Line<'_> {
    fn get(&self, field: Field) -> Value<'_> {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let text = |text: String| Value::Text(text.into());
        match field {
            Field::State => Value::Text(self.state.into()),
            Field::Queue => Value::text(self.group.map(|group| group.queue.as_str())),
            Field::Properties | Field::ExtraProperties => {
                Value::text(self.group.map(|group| group.properties.as_str()))
            }
            Field::Nnodes => number(self.set.nnodes() as u64),
            Field::Ncores => number(self.set.ncores()),
            Field::Ngpus => number(self.set.ngpus()),
            Field::Ranks => text(self.set.ranks().to_string()),
            Field::Nodelist => text(self.set.nodelist().to_string()),
            Field::Rlist => text(self.set.to_string()),
        }
    }
}

/// The states that were asked for, or these.
pub fn states(
    flux: &mut Flux,
    wanted: &[String],
    default: &[&str],
) -> Result<Vec<String>, CliError> {
    let words: Vec<&str> = split(wanted).collect();
    if let Some(bad) = words.iter().find(|word| !STATES.contains(word)) {
        let error = CliError::new(format!("Invalid resource state {bad} specified"));
        flux.complain(&error)?;
        let program = flux.program().to_owned();
        flux.note(format_args!(
            "{program}: INFO: valid states: {}",
            STATES.join(",")
        ))?;
        return Err(CliError::exit(1));
    }
    let words = if words.is_empty() { default } else { &words };
    Ok(words.iter().map(|word| (*word).to_owned()).collect())
}

/// The resources in a state.
pub fn part(all: &SchedStatusReply, state: &str) -> Result<Rset, CliError> {
    let without = |sets: &[&Rset]| {
        let mut rest = all.all.clone();
        for set in sets {
            rest.subtract(set);
        }
        rest
    };
    Ok(match state {
        "all" => all.all.clone(),
        "down" => all.down.clone(),
        "allocated" => all.allocated.clone(),
        "up" => without(&[&all.down]),
        _ => without(&[&all.down, &all.allocated]),
    })
}
