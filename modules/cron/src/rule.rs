//! When an entry runs: again and again, when something happens, or at set times. Pure.

use std::time::Duration;

use proto::cron::{CreateError, TypeData};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::datetime::DateTimes;
use crate::limits::INTERVAL_S_MIN;

/// Schedule of an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Again and again.
    Interval(Interval),
    /// Run after an event.
    Event(Event),
    /// At set times.
    DateTime(DateTimes),
}

/// Again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    interval_s: f64,
    after_s: f64,
    /// Between two runs.
    pub interval: Duration,
    /// Before the first one.
    pub after: Duration,
}

/// Schedule by events.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Topic, or a glob for topics.
    pub topic: String,
    nth: u64,
    after: u64,
    counter: u64,
    min_interval_s: f64,
    min_interval: Duration,
    /// Time at which it last made the entry due.
    last: Option<Duration>,
}

/// Effect of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// The entry is due.
    Due,
    /// The entry is due after this time, unless it is already going to be.
    Later(Duration),
}

#[derive(Deserialize)]
struct IntervalArgs {
    interval: f64,
    after: Option<f64>,
}

#[derive(Deserialize)]
struct EventArgs {
    topic: String,
    #[serde(default)]
    nth: u64,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    min_interval: f64,
}

impl Rule {
    /// The rule of a request.
    pub fn new(kind: &str, args: &Map<String, Value>) -> Result<Rule, CreateError> {
        let rule = match kind {
            "interval" => read(args).and_then(Interval::new).map(Rule::Interval),
            "event" => read(args).and_then(Event::new).map(Rule::Event),
            "datetime" => DateTimes::new(args).map(Rule::DateTime),
            _ => return Err(CreateError::UnknownType),
        };
        rule.map_err(|error| {
            tracing::error!("ops.create: {kind}: {error}");
            CreateError::BadArguments
        })
    }

    /// Name.
    pub fn kind(&self) -> &'static str {
        match self {
            Rule::Interval(_) => "interval",
            Rule::Event(_) => "event",
            Rule::DateTime(_) => "datetime",
        }
    }

    /// Bytes that the rule keeps of its request.
    pub fn n_bytes(&self) -> usize {
        match self {
            Rule::Event(event) => event.topic.len(),
            Rule::Interval(_) | Rule::DateTime(_) => 0,
        }
    }

    /// Data for clients.
    pub fn data(&self, next_wakeup: f64) -> TypeData {
        match self {
            Rule::Interval(rule) => TypeData::Interval {
                interval: rule.interval_s,
                after: rule.after_s,
                next_wakeup,
            },
            Rule::Event(rule) => TypeData::Event {
                topic: rule.topic.clone(),
                nth: rule.nth,
                after: rule.after,
                counter: rule.counter,
                min_interval: rule.min_interval_s,
            },
            Rule::DateTime(rule) => rule.data(next_wakeup),
        }
    }
}

fn read<T: DeserializeOwned>(args: &Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(args.clone())).map_err(|error| error.to_string())
}

impl Interval {
    fn new(args: IntervalArgs) -> Result<Interval, String> {
        // As with the libraries that clients know, a negative delay is none of its own.
        let after_s = args.after.filter(|after| *after >= 0.0);
        let after_s = after_s.unwrap_or(args.interval);
        if args.interval.is_nan() || args.interval < INTERVAL_S_MIN {
            return Err(format!(
                "interval must be at least {INTERVAL_S_MIN} seconds"
            ));
        }
        Ok(Interval {
            interval_s: args.interval,
            after_s,
            interval: duration("interval", args.interval)?,
            after: duration("after", after_s)?,
        })
    }
}

impl Event {
    fn new(args: EventArgs) -> Result<Event, String> {
        if args.topic.is_empty() {
            return Err("topic is empty".to_owned());
        }
        Ok(Event {
            topic: args.topic,
            nth: args.nth,
            after: args.after,
            counter: 0,
            min_interval_s: args.min_interval,
            min_interval: duration("min_interval", args.min_interval)?,
            last: None,
        })
    }

    /// Common prefix of all its topics.
    pub fn prefix(&self) -> &str {
        let end = self.topic.find(['*', '?', '[']);
        &self.topic[..end.unwrap_or(self.topic.len())]
    }

    /// Counts an event that has happened.
    pub fn count(&mut self, now: Duration) -> Then {
        self.counter = self.counter.saturating_add(1);
        let Some(beyond) = self.counter.checked_sub(self.after) else {
            return Then::Nothing;
        };
        if self.nth > 0 && !beyond.is_multiple_of(self.nth) {
            return Then::Nothing;
        }
        match self.last {
            Some(last) if now < last.saturating_add(self.min_interval) => {
                Then::Later(last.saturating_add(self.min_interval) - now)
            }
            _ => {
                self.last = Some(now);
                Then::Due
            }
        }
    }

    /// The entry becomes due now, after a while.
    pub fn note_due(&mut self, now: Duration) {
        self.last = Some(now);
    }
}

fn duration(name: &str, seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{name} must be a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: &str, args: &str) -> Result<Rule, CreateError> {
        Rule::new(kind, &serde_json::from_str(args).unwrap())
    }

    fn check(kind: &str, args: &str, expect: &str) {
        let shown = rule(kind, args).map(|rule| rule.data(1.0));
        let shown = match shown {
            Ok(data) => serde_json::to_string(&data).unwrap(),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn what_is_missing_has_a_default() {
        let data = r#"{"interval":5.0,"after":5.0,"next_wakeup":1.0}"#;
        check("interval", r#"{"interval":5}"#, data);
        check("interval", r#"{"interval":5,"after":-1}"#, data);
        let data = r#"{"interval":5.0,"after":0.0,"next_wakeup":1.0}"#;
        check("interval", r#"{"interval":5,"after":0}"#, data);
        let data = r#"{"topic":"a","nth":0,"after":0,"counter":0,"min_interval":0.0}"#;
        check("event", r#"{"topic":"a"}"#, data);
    }

    #[test]
    fn others_are_refused() {
        check("yearly", "{}", "UnknownType");
        for (kind, args) in [
            ("interval", "{}"),
            ("interval", r#"{"interval":0}"#),
            ("interval", r#"{"interval":"1s"}"#),
            ("interval", r#"{"interval":1e300}"#),
            ("event", "{}"),
            ("event", r#"{"topic":""}"#),
            ("event", r#"{"topic":"a","nth":-1}"#),
            ("event", r#"{"topic":"a","min_interval":-1}"#),
            ("datetime", r#"{"hour":24}"#),
        ] {
            check(kind, args, "BadArguments");
        }
    }

    /// Checks the effect of each of the events that come one a second.
    fn check_events(args: &str, expect: &str) {
        let Ok(Rule::Event(mut event)) = rule("event", args) else {
            panic!("{args}");
        };
        let then = (0..expect.split(' ').count() as u64).map(|second| {
            match event.count(Duration::from_secs(second)) {
                Then::Nothing => "-".to_owned(),
                Then::Due => "due".to_owned(),
                Then::Later(wait) => format!("{}", wait.as_secs()),
            }
        });
        assert_eq!(then.collect::<Vec<_>>().join(" "), expect);
    }

    #[test]
    fn events_are_counted() {
        check_events(r#"{"topic":"a"}"#, "due due due");
        check_events(r#"{"topic":"a","nth":3}"#, "- - due - - due");
        check_events(r#"{"topic":"a","after":3}"#, "- - due due due");
        check_events(r#"{"topic":"a","after":2,"nth":2}"#, "- due - due -");
        check_events(r#"{"topic":"a","min_interval":3}"#, "due 2 1 due 2");
    }

    #[test]
    fn a_glob_begins_with_what_is_before_it() {
        for (topic, prefix) in [("a.b", "a.b"), ("a.*", "a."), ("*", ""), ("a[bc]", "a")] {
            let rule = rule("event", &format!(r#"{{"topic":"{topic}"}}"#)).unwrap();
            let Rule::Event(event) = rule else { panic!() };
            assert_eq!(event.prefix(), prefix);
        }
    }
}
