//! `flux resource list`: resources by what the scheduler can do with them.

use proto::data::{IdSet, Rset};
use proto::resource::SchedStatusReply;

use super::sched_status;
use crate::commands::jobs::query::split;
use crate::error::CliError;
use crate::flux::Flux;
use crate::format::{Format, FormatOptions, Named, Table, Value};

const FORMATS: &[Named] = &[
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
];

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
    /// Only these hosts or ranks
    #[arg(short, long, value_name = "HOSTS|RANKS")]
    include: Option<String>,
    /// Leave out states that have no nodes
    #[arg(long)]
    skip_empty: bool,
}

impl List {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let variable = "FLUX_RESOURCE_LIST_FORMAT_DEFAULT";
        let Some(text) = self.format.choose(flux, FORMATS, variable)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let states = states(flux, &self.states, &["free", "allocated", "down"])?;
        let mut all = sched_status(flux)?;
        keep(&mut all, self.include.as_deref())?;
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for state in &states {
            let set = part(&all, state)?;
            if self.skip_empty && set.is_empty() {
                continue;
            }
            let properties = extra_properties(&set);
            table.push(|field| get(*field, state, &set, &properties));
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
        "properties" | "propertiesx" => (Field::Properties, "PROPERTIES"),
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

fn get<'v>(field: Field, state: &'v str, set: &'v Rset, properties: &'v str) -> Value<'v> {
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    match field {
        Field::State => Value::Text(state.into()),
        // Queues are told apart by the properties that they require.
        Field::Queue => Value::None,
        Field::Properties => Value::Text(properties.into()),
        Field::Nnodes => number(set.nnodes() as u64),
        Field::Ncores => number(set.ncores()),
        Field::Ngpus => number(set.ngpus()),
        Field::Ranks => Value::Text(set.ranks().to_string().into()),
        Field::Nodelist => Value::Text(set.nodelist().to_string().into()),
        Field::Rlist => Value::Text(set.to_string().into()),
    }
}

fn extra_properties(set: &Rset) -> String {
    let names: Vec<&str> = set.properties().map(|(name, _)| name).collect();
    names.join(",")
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
        writeln!(
            flux.err,
            "{program}: INFO: valid states: {}",
            STATES.join(",")
        )?;
        return Err(CliError::exit(1));
    }
    let words = if words.is_empty() { default } else { &words };
    Ok(words.iter().map(|word| (*word).to_owned()).collect())
}

/// Leaves only some hosts or ranks.
pub fn keep(all: &mut SchedStatusReply, include: Option<&str>) -> Result<(), CliError> {
    let Some(include) = include else {
        return Ok(());
    };
    let ranks = match include.parse::<IdSet>() {
        Ok(ranks) => ranks,
        Err(_) => {
            let hosts = include.parse::<proto::data::Hostlist>();
            let hosts = hosts.map_err(|error| CliError::new(format!("--include: {error}")))?;
            let mut ranks = IdSet::default();
            for host in &hosts {
                ranks.add(&all.all.ranks_on(host));
            }
            ranks
        }
    };
    for set in [&mut all.all, &mut all.down, &mut all.allocated] {
        set.keep_ranks(&ranks);
    }
    Ok(())
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
