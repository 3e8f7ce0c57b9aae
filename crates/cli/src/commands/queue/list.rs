//! `flux queue list`: queues with their defaults and limits.

use proto::config;
use proto::data::Fsd;
use proto::job_manager::{QueueState, QueueStatus};
use serde_json::Value as Json;

use super::queues;
use crate::commands::jobs::query::split;
use crate::error::CliError;
use crate::flux::Flux;
use crate::format::{Format, FormatOptions, Named, Table, Value};

const FORMATS: &[Named] = &[Named {
    name: "default",
    about: "Default flux-queue list format string",
    text: "?:{queuem:<8.8} ?:{parent:<8.8} {color_enabled}{enabled:>2}{color_off} \
        {color_started}{started:>2}{color_off} {defaults.timelimit!F:>8} \
        {limits.timelimit!F:>8} {limits.range.nnodes:>10} {limits.range.ncores:>10} \
        {limits.range.ngpus:>10}",
}];

/// List queues with their states and limits
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    format: FormatOptions,
    /// Only these queues, separated by commas
    #[arg(short, long, value_name = "QUEUES")]
    queue: Vec<String>,
}

impl List {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let variable = "FLUX_QUEUE_LIST_FORMAT_DEFAULT";
        let Some(text) = self.format.choose(flux, FORMATS, variable)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let wanted: Vec<&str> = split(&self.queue).collect();
        let mut handle = flux.connect()?;
        let config = handle.rpc(&config::Get)?.0;
        let config = Json::Object(config);
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
            let queue = Queue {
                name,
                state,
                config: &config,
            };
            table.push(|field| queue.get(field));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

/// What a column shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Name,
    MarkedName,
    Parent,
    Enabled,
    Started,
    ColorEnabled,
    ColorStarted,
    ColorOff,
    /// A duration of the policy, by its dotted path.
    Duration(&'static str),
    /// A smallest and a largest number of the policy.
    Range(&'static str),
}

fn resolve(name: &str) -> Option<(Field, String)> {
    let (field, heading) = match name {
        "queue" => (Field::Name, "QUEUE"),
        "queuem" => (Field::MarkedName, "QUEUE"),
        "parent" => (Field::Parent, "PARENT"),
        "enabled" => (Field::Enabled, "EN"),
        "started" => (Field::Started, "ST"),
        "color_enabled" => (Field::ColorEnabled, ""),
        "color_started" => (Field::ColorStarted, ""),
        "color_off" => (Field::ColorOff, ""),
        "defaults.timelimit" => (
            Field::Duration("jobspec.defaults.system.duration"),
            "TDEFAULT",
        ),
        "limits.timelimit" => (Field::Duration("limits.duration"), "TLIMIT"),
        "limits.range.nnodes" => (Field::Range("nnodes"), "NNODES"),
        "limits.range.ncores" => (Field::Range("ncores"), "NCORES"),
        "limits.range.ngpus" => (Field::Range("ngpus"), "NGPUS"),
        _ => return None,
    };
    Some((field, heading.to_owned()))
}

/// One queue.
struct Queue<'a> {
    name: Option<String>,
    state: QueueState,
    config: &'a Json,
}

impl Queue<'_> {
    fn get(&self, field: &Field) -> Value<'static> {
        let text = |text: &str| Value::Text(text.to_owned().into());
        let colour = |on: bool| text(if on { "\x1b[01;32m" } else { "\x1b[01;31m" });
        let is_started = self.state.start && self.state.blocked.is_none();
        match field {
            Field::Name => text(self.name.as_deref().unwrap_or_default()),
            Field::MarkedName => text(&self.marked_name()),
            Field::Parent => text(self.state.parent.as_deref().unwrap_or_default()),
            Field::Enabled => text(if self.state.enable { "✔" } else { "✗" }),
            Field::Started => text(match (is_started, &self.state.blocked) {
                (true, _) => "✔",
                (false, Some(_)) => "⏸",
                (false, None) => "✗",
            }),
            Field::ColorEnabled => colour(self.state.enable),
            Field::ColorStarted => colour(is_started),
            Field::ColorOff => text("\x1b[0m"),
            Field::Duration(path) => self.duration(path),
            Field::Range(what) => text(&self.range(what)),
        }
    }

    /// The default queue has a star.
    fn marked_name(&self) -> String {
        let name = self.name.clone().unwrap_or_default();
        let default = at(self.config, "policy.jobspec.defaults.system.queue");
        match default.and_then(Json::as_str) == Some(&name) && !name.is_empty() {
            true => format!("{name}*"),
            false => name,
        }
    }

    /// The queue's own policy, else that of all.
    fn policy(&self, path: &str) -> Option<&Json> {
        let own = self.name.as_ref().and_then(|name| {
            let queue = self.config.get("queues")?.get(name)?;
            at(queue, &format!("policy.{path}"))
        });
        own.or_else(|| at(self.config, &format!("policy.{path}")))
    }

    fn duration(&self, path: &str) -> Value<'static> {
        let seconds = match self.policy(path) {
            Some(Json::String(text)) => text.parse::<Fsd>().ok().map(Fsd::secs),
            Some(number) => number.as_f64(),
            None => None,
        };
        Value::Float(seconds.unwrap_or(f64::INFINITY))
    }

    fn range(&self, what: &str) -> String {
        let limit = |side: &str| {
            let limit = self.policy(&format!("limits.job-size.{side}.{what}"));
            limit.and_then(Json::as_i64)
        };
        let min = limit("min").unwrap_or(0);
        // -1 stands for no limit.
        match limit("max").filter(|max| *max >= 0) {
            Some(max) => format!("{min}-{max}"),
            None => format!("{min}-inf"),
        }
    }
}

fn at<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    proto::data::dotted::get(value.as_object()?, path)
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
            "queues": {"batch": {"policy": {"limits": {"duration": 60}}}, "debug": {}},
        });
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
            };
            assert_eq!(queue.get(field), expect);
        };
        let limit = Field::Duration("limits.duration");
        check("batch", &limit, Value::Float(60.0));
        check("debug", &limit, Value::Float(3600.0));
        check("batch", &Field::MarkedName, Value::Text("batch*".into()));
        check("debug", &Field::MarkedName, Value::Text("debug".into()));
        check("debug", &Field::Range("nnodes"), Value::Text("0-2".into()));
        check(
            "debug",
            &Field::Range("ncores"),
            Value::Text("0-inf".into()),
        );
    }
}
