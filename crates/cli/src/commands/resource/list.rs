//! `flux resource list`: resources by their state in the scheduler.

use client::Handle;
use proto::data::{IdSet, Rset};
use proto::resource::SchedStatusReply;

use super::sched_status;
use super::which::Which;
use crate::commands::jobs::query::split;
use crate::commands::queue::nodes::QueueNodes;
use command::error::CliError;
use command::flux::Flux;
use format::{Format, FormatOptions, Formats, Named, Table, Value, configured_list};

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
    lists: &[HIDDEN],
};

/// Queues that the user does not want to see, unless they are named.
const HIDDEN: &str = "hidden-queues";

/// Kinds of resources, in the order in which they are known.
pub const STATES: [&str; 5] = ["all", "up", "down", "allocated", "free"];

/// List resources by state
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    format: FormatOptions,
    /// Show only these states, separated by commas: all, up, down, allocated, free
    #[arg(short, long, value_name = "STATES")]
    states: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Leave out states without nodes
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
        let hidden = configured_list(&flux.env, &FORMATS, HIDDEN)?;
        let shown = Shown::of(&format);
        let groups = self.groups(&mut handle, &all.all, shown, &hidden)?;
        let mut lines = Vec::new();
        for state in &states {
            let set = part(&all, state)?;
            if !self.skip_empty || !set.is_empty() {
                lines.extend(groups.lines(state, &set));
            }
        }
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for line in combined(lines, shown)? {
            table.push(|field| line.get(*field));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }

    fn groups(
        &self,
        handle: &mut Handle,
        all: &Rset,
        shown: Shown,
        hidden: &[String],
    ) -> Result<Groups, CliError> {
        if !shown.queue && !shown.properties && !shown.extra_properties {
            return Ok(Groups::default());
        }
        let named = self.which.queues();
        let is_shown = |queue: &str| match named.is_empty() {
            true => !hidden.iter().any(|hidden| hidden == queue),
            false => named.contains(&queue),
        };
        Ok(Groups::of(all, &QueueNodes::ask(handle)?, shown, is_shown))
    }
}

/// Field of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    State,
    Queue,
    Properties,
    /// Properties that do not distinguish queues.
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

/// Key of a line: nodes with equal values in the fields of the format share a line.
#[derive(Debug, Clone, Copy)]
struct Shown {
    state: bool,
    queue: bool,
    properties: bool,
    extra_properties: bool,
}

impl Shown {
    fn of(format: &Format<Field>) -> Shown {
        let has = |field| format.columns.iter().any(|column| column.field == field);
        Shown {
            state: has(Field::State),
            queue: has(Field::Queue),
            properties: has(Field::Properties),
            extra_properties: has(Field::ExtraProperties),
        }
    }
}

/// Nodes that differ in their queues or properties, and the queues of states without nodes.
#[derive(Debug, Default)]
struct Groups {
    groups: Vec<Group>,
    queues: Vec<String>,
}

#[derive(Debug)]
struct Group {
    queue: String,
    properties: String,
    ranks: IdSet,
}

/// One line.
struct Line {
    state: String,
    queue: String,
    properties: String,
    set: Rset,
}

impl Groups {
    fn of(
        all: &Rset,
        queues: &QueueNodes,
        shown: Shown,
        is_shown: impl Fn(&str) -> bool,
    ) -> Groups {
        let is_extra_only = !shown.properties;
        let by_properties = shown.properties || shown.extra_properties;
        let mut groups: Vec<Group> = Vec::new();
        for (rank, _) in all.nodes() {
            let mut names = queues.queues_of(rank, all);
            names.retain(|name| shown.queue && is_shown(name));
            let queue = names.join(",");
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
        let names = queues.names().filter(|name| shown.queue && is_shown(name));
        Groups {
            groups,
            queues: names.map(str::to_owned).collect(),
        }
    }

    /// The lines of the resources in one state. One without nodes has a line for each
    /// queue.
    fn lines(&self, state: &str, set: &Rset) -> Vec<Line> {
        let line = |queue: &str, properties: &str, set: Rset| Line {
            state: state.to_owned(),
            queue: queue.to_owned(),
            properties: properties.to_owned(),
            set,
        };
        let mut lines: Vec<Line> = Vec::new();
        for group in &self.groups {
            let mut part = set.clone();
            part.keep_ranks(&group.ranks);
            if !part.is_empty() {
                lines.push(line(&group.queue, &group.properties, part));
            }
        }
        if lines.is_empty() && set.is_empty() {
            let queues = self.queues.iter();
            lines.extend(queues.map(|queue| line(queue, "", set.clone())));
        }
        if lines.is_empty() {
            lines.push(line("", "", set.clone()));
        }
        lines
    }
}

/// The lines, with equal ones combined: those whose fields other than the nodes agree.
fn combined(lines: Vec<Line>, shown: Shown) -> Result<Vec<Line>, CliError> {
    let mut all: Vec<Line> = Vec::new();
    for line in lines {
        let is_like = |other: &&mut Line| {
            (!shown.state || other.state == line.state)
                && (!shown.queue || other.queue == line.queue)
                && other.properties == line.properties
        };
        let Some(other) = all.iter_mut().find(is_like) else {
            all.push(line);
            continue;
        };
        // Nodes in two states are counted once.
        let mut more = line.set;
        more.subtract(&other.set);
        let added = other.set.add(&more);
        added.map_err(|error| CliError::new(error.to_string()))?;
    }
    Ok(all)
}

impl Line {
    fn get(&self, field: Field) -> Value<'_> {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let text = |text: String| Value::Text(text.into());
        match field {
            Field::State => Value::Text(self.state.as_str().into()),
            Field::Queue => Value::Text(self.queue.as_str().into()),
            Field::Properties | Field::ExtraProperties => {
                Value::Text(self.properties.as_str().into())
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
