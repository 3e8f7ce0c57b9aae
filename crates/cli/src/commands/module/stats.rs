//! `flux module stats`

use client::{Call, Handle};
use proto::common::{HANDLERS, Rusage, StatsClear, StatsGet};
use proto::data::dotted;
use serde::Serialize;
use serde_json::{Map, Value};

use super::topic_of;
use command::error::CliError;
use command::flux::Flux;

/// Print the counters of a module
#[derive(clap::Args)]
pub struct Stats {
    /// Print only this value, such as tx.request
    #[arg(short, long, value_name = "PATH")]
    parse: Option<String>,
    /// Multiply the value by this
    #[arg(short, long, value_name = "FACTOR", requires = "parse")]
    scale: Option<f64>,
    /// Print the value as int or double
    #[arg(short, long, value_name = "TYPE", requires = "parse")]
    r#type: Option<Number>,
    /// Print the whole response as JSON on one line, with the histogram of each time
    #[arg(short, long, conflicts_with = "parse")]
    json: bool,
    /// Print resource usage instead: of self, children or thread
    #[arg(short = 'R', long, value_name = "WHO", num_args = 0..=1, require_equals = true,
        default_missing_value = "self", conflicts_with_all = ["clear", "clear_all"])]
    rusage: Option<String>,
    /// Set the counters to zero
    #[arg(short, long)]
    clear: bool,
    /// Set the counters to zero on all ranks
    #[arg(short = 'C', long, conflicts_with = "clear")]
    clear_all: bool,
    /// Name of the module, or 'broker'
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Number {
    Int,
    Double,
}

impl Stats {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let clear = topic_of::<StatsClear>(&self.name);
        if self.clear_all {
            handle.publish(&Handle::event(&clear, Default::default(), false))?;
            return Ok(());
        }
        if self.clear {
            let cleared = handle.call(Call::new(&StatsClear).topic(&clear));
            cleared.map_err(|refusal| CliError::from(refusal).about(clear))?;
            return Ok(());
        }
        let stats = self.ask(&mut handle)?;
        let text = match &self.parse {
            None if self.json => Value::Object(stats).to_string(),
            None => pretty(&without_buckets(stats))?,
            Some(path) => self.value(&stats, path)?,
        };
        writeln!(flux.out, "{text}")?;
        Ok(())
    }

    /// Modules have counters of their own: the answer is any object.
    fn ask(&self, handle: &mut Handle) -> Result<Map<String, Value>, CliError> {
        let (topic, answer) = match &self.rusage {
            Some(who) => {
                let topic = topic_of::<Rusage>(&self.name);
                let who = serde_json::json!({ "who": who });
                let answer = handle.call(Call::raw(&topic).json(&who));
                (topic, answer)
            }
            None => {
                let topic = topic_of::<StatsGet>(&self.name);
                let answer = handle.call(Call::raw(&topic));
                (topic, answer)
            }
        };
        let answer = answer.map_err(|refusal| CliError::from(refusal).about(&topic))?;
        proto::payload::decode_json(answer.payload())
            .map_err(|bad| CliError::new(bad.to_string()).about(&topic))
    }

    fn value(&self, stats: &Map<String, Value>, path: &str) -> Result<String, CliError> {
        let value = dotted::get(stats, path)
            .ok_or_else(|| CliError::new(format!("`{path}' not found in response")))?;
        let Some(number) = value.as_f64() else {
            return Ok(value.to_string());
        };
        let scaled = number * self.scale.unwrap_or(1.0);
        Ok(match self.r#type {
            Some(Number::Int) => format!("{}", scaled.trunc()),
            Some(Number::Double) => format!("{scaled:.6}"),
            None if self.scale.is_some() => format!("{scaled}"),
            None => value.to_string(),
        })
    }
}

/// Without the histograms, which are for programs. Durations of handlers are named by their
/// quantiles.
fn without_buckets(mut stats: Map<String, Value>) -> Map<String, Value> {
    let handlers = stats.get_mut(HANDLERS).and_then(Value::as_object_mut);
    for value in handlers.into_iter().flat_map(Map::values_mut) {
        let Some(value) = value.as_object_mut() else {
            continue;
        };
        value.remove("buckets");
        for each in value.values_mut().filter_map(Value::as_object_mut) {
            each.remove("buckets");
        }
    }
    stats
}

/// Indented by one blank a level.
fn pretty(value: &Map<String, Value>) -> Result<String, CliError> {
    let mut text = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, form);
    let written = value.serialize(&mut serializer);
    written.map_err(|error| CliError::new(error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn check(scale: Option<f64>, number: Option<Number>, path: &str, expect: &str) {
        let stats = Stats {
            parse: None,
            scale,
            r#type: number,
            json: false,
            rusage: None,
            clear: false,
            clear_all: false,
            name: "x".to_owned(),
        };
        let answer = object(json!({"tx": {"request": 3}, "s": "t"}));
        let outcome = stats.value(&answer, path);
        let outcome = outcome.unwrap_or_else(|error| error.text().to_owned());
        assert_eq!(outcome, expect);
    }

    #[test]
    fn one_value_is_picked_and_scaled() {
        check(None, None, "tx.request", "3");
        check(Some(0.5), None, "tx.request", "1.5");
        check(Some(0.5), Some(Number::Int), "tx.request", "1");
        check(None, Some(Number::Double), "tx.request", "3.000000");
        check(None, None, "s", "\"t\"");
        check(None, None, "tx.x", "`tx.x' not found in response");
    }

    #[test]
    fn histograms_are_left_out() {
        let times = json!({"count": 1, "buckets": [[0.1, 1]]});
        let handlers = json!({"all": times, "each": {"timer": times}});
        let shown = without_buckets(object(json!({"handlers": handlers, "tx": 1})));
        let short = json!({"count": 1});
        let handlers = json!({"all": short, "each": {"timer": short}});
        assert_eq!(Value::Object(shown), json!({"handlers": handlers, "tx": 1}));
    }

    #[test]
    fn all_of_it_is_indented_by_one() {
        let text = pretty(&object(json!({"a": {"b": 1}}))).unwrap();
        assert_eq!(text, "{\n \"a\": {\n  \"b\": 1\n }\n}");
    }
}
