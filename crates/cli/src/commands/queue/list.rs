//! `flux queue list`: queues with their defaults and limits.

use client::Call;
use proto::Errno;
use proto::config::policy::Limits;
use proto::config::{self, Queues};
use proto::data::{Fsd, Rset};
use proto::job_manager::{QueueState, QueueStatus};
use proto::resource::{SchedStatus, SchedStatusReply};

use super::nodes::QueueNodes;
use super::queues;
use crate::commands::jobs::query::split;
use crate::commands::resource::list::{STATES, part};
use command::error::CliError;
use command::flux::Flux;
use format::{File, Format, FormatOptions, Formats, Named, Table, Value};

const FORMATS: Formats = Formats {
    named: &[
        Named {
            name: "default",
            about: "Default flux-queue list format string",
            text: "?:{queuem:<8.8} ?:{parent:<8.8} {color_enabled}{enabled:>2}{color_off} \
            {color_started}{started:>2}{color_off} {defaults.timelimit!F:>8} \
            {limits.timelimit!F:>8} {limits.range.effective.nnodes:>10} \
            {limits.range.effective.ncores:>10} {limits.range.effective.ngpus:>10}",
        },
        Named {
            name: "policy",
            about: "Show the configured limits",
            text: "?:{queuem:<8.8} ?:{parent:<8.8} {color_enabled}{enabled:>2}{color_off} \
            {color_started}{started:>2}{color_off} {defaults.timelimit!F:>8} \
            {limits.timelimit!F:>8} {limits.range.nnodes:>10} {limits.range.ncores:>10} \
            {limits.range.ngpus:>10}",
        },
        Named {
            name: "nodes",
            about: "Show the number of nodes by state",
            text: "?:{queuem:<8.8} ?:{parent:<8.8} {color_enabled}{enabled:>2}{color_off} \
            {color_started}{started:>2}{color_off} {resources.all.nnodes:>6} \
            {resources.up.nnodes:>6} {resources.down.nnodes:>6} \
            {resources.allocated.nnodes:>6} {resources.free.nnodes:>6}",
        },
    ],
    variable: "FLUX_QUEUE_LIST_FORMAT_DEFAULT",
    file: File {
        stem: "flux-queue",
        tables: &["list"],
    },
    table: Some("list"),
    lists: &[],
};

/// List queues with their states and limits
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    format: FormatOptions,
    /// List only these queues, separated by commas
    #[arg(short, long, value_name = "QUEUES")]
    queue: Vec<String>,
}

impl List {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(text) = self.format.choose(flux, &FORMATS)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let wanted: Vec<&str> = split(&self.queue).collect();
        let mut handle = flux.connect()?;
        let config = Queues::parse(&handle.rpc(&config::Get)?)?;
        let fields = format.columns.iter().map(|column| &column.field);
        let resources = match fields.clone().any(Field::needs_resources) {
            true => match handle.call(Call::new(&SchedStatus).to(0)) {
                Ok(resources) => Some(resources),
                // Without that service there are queues all the same.
                Err(refusal) if refusal.errno == Errno::ENOSYS => None,
                Err(refusal) => return Err(refusal.into()),
            },
            false => None,
        };
        let nodes = QueueNodes::of(config.clone());
        let mut names = queues(&mut handle)?;
        if let Some(unknown) = wanted
            .iter()
            .find(|name| !names.iter().any(|known| known.as_deref() == Some(*name)))
        {
            return Err(CliError::new(format!("No such queue: {unknown}")));
        }
        names.retain(|name| {
            let is_named = |name: &str| wanted.contains(&name);
            wanted.is_empty() || name.as_deref().is_some_and(is_named)
        });
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for name in names {
            let request = QueueStatus { name: name.clone() };
            let state = handle.rpc(&request)?;
            let resources = resources.as_ref();
            let resources = resources.map(|all| of_queue(all, &nodes, name.as_deref()));
            let queue = Queue {
                name,
                state,
                config: &config,
                resources: resources.transpose()?,
            };
            table.push(|field| queue.get(field));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

/// Field of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Name,
    MarkedName,
    Parent,
    Enabled,
    Started,
    /// The same in a letter.
    EnabledLetter,
    StartedLetter,
    /// The same in words.
    Submission,
    Scheduling,
    ColorEnabled,
    ColorStarted,
    ColorOff,
    /// The default time limit of jobs.
    DefaultDuration,
    /// The longest time limit.
    DurationLimit,
    /// A smallest and a largest number of the policy.
    Range(Kind),
    /// One of them, `min` or `max`.
    Limit(&'static str, Kind),
    /// The same where it is not more than the queue has.
    Effective(Kind),
    /// Number of resources in a state.
    Resources(&'static str, Kind),
}

/// Kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nodes,
    Cores,
    Gpus,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Nodes, Kind::Cores, Kind::Gpus];

    /// As the configuration and formats have it.
    fn key(self) -> &'static str {
        match self {
            Kind::Nodes => "nnodes",
            Kind::Cores => "ncores",
            Kind::Gpus => "ngpus",
        }
    }

    /// As headings have it.
    fn heading(self) -> &'static str {
        match self {
            Kind::Nodes => "NODES",
            Kind::Cores => "CORES",
            Kind::Gpus => "GPUS",
        }
    }

    fn count(self, set: &Rset) -> u64 {
        match self {
            Kind::Nodes => set.nnodes() as u64,
            Kind::Cores => set.ncores(),
            Kind::Gpus => set.ngpus(),
        }
    }
}

impl Field {
    fn needs_resources(&self) -> bool {
        matches!(self, Field::Effective(_) | Field::Resources(..))
    }

    /// `limits.range.nnodes` and the like.
    fn counted(name: &str) -> Option<(Field, String)> {
        let (group, key) = name.rsplit_once('.')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.key() == key)?;
        let upper = || key.to_uppercase();
        Some(match group {
            "limits.range" => (Field::Range(kind), upper()),
            "limits.min" => (Field::Limit("min", kind), format!("MIN{}", kind.heading())),
            "limits.max" => (Field::Limit("max", kind), format!("MAX{}", kind.heading())),
            "limits.range.effective" => (Field::Effective(kind), upper()),
            _ => {
                let state = group.strip_prefix("resources.")?;
                let state = STATES.into_iter().find(|known| *known == state)?;
                let heading = match state {
                    "all" => kind.heading().to_owned(),
                    "allocated" => format!("{}:ALLOC", kind.heading()),
                    state => format!("{}:{}", kind.heading(), state.to_uppercase()),
                };
                (Field::Resources(state, kind), heading)
            }
        })
    }
}

fn resolve(name: &str) -> Option<(Field, String)> {
    let (field, heading) = match name {
        "queue" => (Field::Name, "QUEUE"),
        "queuem" => (Field::MarkedName, "QUEUE"),
        "parent" => (Field::Parent, "PARENT"),
        "enabled" => (Field::Enabled, "EN"),
        "started" => (Field::Started, "ST"),
        "enabled.ascii" => (Field::EnabledLetter, "EN"),
        "started.ascii" => (Field::StartedLetter, "ST"),
        "submission" => (Field::Submission, "SUBMISSION"),
        "scheduling" => (Field::Scheduling, "SCHEDULING"),
        "color_enabled" => (Field::ColorEnabled, ""),
        "color_started" => (Field::ColorStarted, ""),
        "color_off" => (Field::ColorOff, ""),
        "defaults.timelimit" => (Field::DefaultDuration, "TDEFAULT"),
        "limits.timelimit" => (Field::DurationLimit, "TLIMIT"),
        _ => return Field::counted(name),
    };
    Some((field, heading.to_owned()))
}

/// One queue.
struct Queue<'a> {
    name: Option<String>,
    state: QueueState,
    config: &'a Queues,
    /// Resources, if a field needs them.
    resources: Option<SchedStatusReply>,
}

/// The part of all resources that is on a queue's nodes.
fn of_queue(
    all: &SchedStatusReply,
    nodes: &QueueNodes,
    queue: Option<&str>,
) -> Result<SchedStatusReply, CliError> {
    let ranks = nodes.ranks(queue, &all.all)?;
    let mut part = all.clone();
    for set in [&mut part.all, &mut part.down, &mut part.allocated] {
        set.keep_ranks(&ranks);
    }
    Ok(part)
}

impl Queue<'_> {
    fn get(&self, field: &Field) -> Value<'static> {
        let text = |text: &str| Value::Text(text.to_owned().into());
        let colour = |on: bool| Value::Escape(if on { "\x1b[01;32m" } else { "\x1b[01;31m" });
        let is_started = self.state.start && self.state.blocked.is_none();
        match field {
            Field::Name => text(self.name.as_deref().unwrap_or_default()),
            Field::MarkedName => text(&self.marked_name()),
            Field::Parent => text(self.state.parent.as_deref().unwrap_or_default()),
            Field::Enabled => text(if self.state.enable { "✔" } else { "✗" }),
            Field::EnabledLetter => text(if self.state.enable { "y" } else { "n" }),
            Field::Submission => text(if self.state.enable {
                "enabled"
            } else {
                "disabled"
            }),
            Field::Started => text(self.started(["✔", "⏸", "✗"])),
            Field::StartedLetter => text(self.started(["y", "p", "n"])),
            Field::Scheduling => text(self.started(["started", "stopped (parent)", "stopped"])),
            Field::Limit(side, kind) => text(&self.limit(side, *kind)),
            Field::ColorEnabled => colour(self.state.enable),
            Field::ColorStarted => colour(is_started),
            Field::ColorOff => Value::Escape("\x1b[0m"),
            Field::DefaultDuration => seconds(self.config.default_duration(self.name.as_deref())),
            Field::DurationLimit => seconds(self.limits().duration),
            Field::Range(kind) => text(&self.range(*kind, None)),
            Field::Effective(kind) => {
                let resources = self.resources.as_ref();
                text(&self.range(*kind, resources.map(|all| kind.count(&all.all))))
            }
            Field::Resources(state, kind) => {
                let set = self
                    .resources
                    .as_ref()
                    .and_then(|all| part(all, state).ok());
                let count = set.map(|set| kind.count(&set));
                Value::int(count.and_then(|count| i64::try_from(count).ok()))
            }
        }
    }

    /// One of three words: for a queue that is started, for one that its parent holds
    /// back, and for one that is stopped.
    fn started(&self, [yes, parent, no]: [&'static str; 3]) -> &'static str {
        match (self.state.start, self.state.blocked.as_deref()) {
            (true, None) => yes,
            (_, Some("parent")) => parent,
            _ => no,
        }
    }

    /// The default queue has a star.
    fn marked_name(&self) -> String {
        let name = self.name.clone().unwrap_or_default();
        match self.config.default_queue() == Some(&name) && !name.is_empty() {
            true => format!("{name}*"),
            false => name,
        }
    }

    /// Limits of jobs in the queue.
    fn limits(&self) -> Limits {
        self.config.limits(self.name.as_deref())
    }

    /// Range that the policy allows and, with `there`, the amount that exists.
    fn range(&self, kind: Kind, there: Option<u64>) -> String {
        let (min, max) = (self.limit("min", kind), self.max(kind));
        match max.into_iter().chain(there).min() {
            Some(max) => format!("{min}-{max}"),
            None => format!("{min}-inf"),
        }
    }

    fn limit(&self, side: &str, kind: Kind) -> String {
        match side {
            "max" => self
                .max(kind)
                .map_or("inf".to_owned(), |max| max.to_string()),
            _ => self.job_size(side, kind).unwrap_or(0).to_string(),
        }
    }

    /// Maximum for a job; -1 in the configuration stands for no limit.
    fn max(&self, kind: Kind) -> Option<u64> {
        u64::try_from(self.job_size("max", kind)?).ok()
    }

    fn job_size(&self, side: &str, kind: Kind) -> Option<i64> {
        let limits = self.limits();
        let sizes = if side == "max" {
            limits.max
        } else {
            limits.min
        };
        let size = match kind {
            Kind::Nodes => sizes.nnodes,
            Kind::Cores => sizes.ncores,
            Kind::Gpus => sizes.ngpus,
        };
        size.filter(|size| *size >= 0)
    }
}

/// A time; none is without end.
fn seconds(time: Option<Fsd>) -> Value<'static> {
    Value::Float(time.map_or(f64::INFINITY, Fsd::secs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_queue_has_its_own_policy_before_that_of_all() {
        let config = json!({
            "policy": {
                "limits": {"duration": "1h", "job-size": {"max": {"nnodes": 2}}},
                "jobspec": {"defaults": {"system": {"queue": "batch", "duration": "30m"}}},
            },
            "queues": {
                "batch": {"policy": {"limits": {"duration": "1m"}}},
                "debug": {"policy": {"limits": {"duration": "0", "job-size": {"max": {"nnodes": -1}}}}},
                "night": {"parent": "batch"},
            },
        });
        let config = Queues::parse(&serde_json::from_value(config).unwrap()).unwrap();
        let check = |name: &str, field: &Field, expect: Value<'static>| {
            let state = QueueState {
                enable: true,
                start: true,
                disable_reason: None,
                stop_reason: None,
                parent: None,
                blocked: None,
            };
            let queue = Queue {
                name: Some(name.to_owned()),
                state,
                config: &config,
                resources: None,
            };
            assert_eq!(queue.get(field), expect);
        };
        let limit = Field::DurationLimit;
        check("batch", &limit, Value::Float(60.0));
        check("night", &limit, Value::Float(60.0));
        check("debug", &limit, Value::Float(0.0));
        check("debug", &Field::DefaultDuration, Value::Float(1800.0));
        check("batch", &Field::MarkedName, Value::Text("batch*".into()));
        check("debug", &Field::MarkedName, Value::Text("debug".into()));
        let nodes = Field::Range(Kind::Nodes);
        check("batch", &nodes, Value::Text("0-2".into()));
        check("debug", &nodes, Value::Text("0-inf".into()));
        check(
            "debug",
            &Field::Range(Kind::Cores),
            Value::Text("0-inf".into()),
        );
    }

    #[test]
    fn a_queue_waits_for_its_parent_or_is_stopped() {
        let config = Queues::parse(&serde_json::from_value(json!({})).unwrap()).unwrap();
        let check = |start: bool, blocked: Option<&str>, expect: [&'static str; 3]| {
            let queue = Queue {
                name: None,
                state: QueueState {
                    enable: true,
                    start,
                    disable_reason: None,
                    stop_reason: None,
                    parent: None,
                    blocked: blocked.map(str::to_owned),
                },
                config: &config,
                resources: None,
            };
            let fields = [Field::Started, Field::StartedLetter, Field::Scheduling];
            let shown = fields.map(|field| queue.get(&field));
            assert_eq!(shown, expect.map(|text| Value::Text(text.into())));
        };
        check(true, None, ["✔", "y", "started"]);
        check(false, None, ["✗", "n", "stopped"]);
        check(false, Some("parent"), ["⏸", "p", "stopped (parent)"]);
        check(false, Some("scheduler"), ["✗", "n", "stopped"]);
    }
}
