//! The steps of a job, from all sources, in the order of their times.

use proto::common::Stepped;
use proto::data::Entry;
use serde::Serialize;
use serde_json::{Map, Value};

/// Where something is known from.
pub enum Source {
    /// The steps that a service of a rank has noted.
    Steps(&'static str, u32, Vec<Stepped>),
    /// The log of the job.
    Log(Vec<Entry>),
    /// The log of its execution.
    ExecLog(Vec<Entry>),
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Seconds since the job was submitted.
    pub began: f64,
    /// Seconds since the step before.
    pub waited: f64,
    /// Seconds in which the service handled it, if it has noted that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<f64>,
    /// Service that has taken it.
    pub service: &'static str,
    /// Rank of the service.
    pub rank: u32,
    /// Name: an event of a log, or a step that was noted.
    pub step: String,
    /// The context of the event.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
}

impl Source {
    /// True if nothing is known from there.
    pub fn is_empty(&self) -> bool {
        match self {
            Source::Steps(_, _, steps) => steps.is_empty(),
            Source::Log(entries) | Source::ExecLog(entries) => entries.is_empty(),
        }
    }

    /// Its steps, with times since the epoch.
    fn rows(self) -> Vec<Row> {
        match self {
            Source::Steps(service, rank, steps) => {
                let row = |step: Stepped| Row {
                    began: step.t,
                    waited: 0.0,
                    took: Some(step.took),
                    service,
                    rank,
                    step: step.step.to_string(),
                    context: Map::new(),
                };
                steps.into_iter().map(row).collect()
            }
            Source::Log(entries) => {
                let row = |entry: &Entry| logged(entry, "job-manager", 0);
                entries.iter().map(row).collect()
            }
            Source::ExecLog(entries) => exec_rows(&entries),
        }
    }
}

/// The leading shell writes some entries, job-exec of rank 0 the others. Output is left out.
fn exec_rows(entries: &[Entry]) -> Vec<Row> {
    let leader = entries
        .iter()
        .find_map(|entry| entry.get_i64("leader-rank"));
    let leader = leader
        .and_then(|rank| u32::try_from(rank).ok())
        .unwrap_or(0);
    let told = entries.iter().filter(|entry| entry.name() != "log");
    let row = |entry: &Entry| match entry.name().starts_with("shell.") {
        true => logged(entry, "job-shell", leader),
        false => logged(entry, "job-exec", 0),
    };
    told.map(row).collect()
}

fn logged(entry: &Entry, service: &'static str, rank: u32) -> Row {
    Row {
        began: entry.timestamp(),
        waited: 0.0,
        took: None,
        service,
        rank,
        step: entry.name().to_owned(),
        context: entry.context().cloned().unwrap_or_default(),
    }
}

/// The steps of all sources, in order, with times since `submitted`.
pub fn rows(sources: Vec<Source>, submitted: f64) -> Vec<Row> {
    let mut rows: Vec<Row> = sources.into_iter().flat_map(Source::rows).collect();
    // Nothing comes before the first event.
    let key = |row: &Row| (row.began, row.step != "submit");
    rows.sort_by(|one, other| {
        let (one, other) = (key(one), key(other));
        one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))
    });
    let mut before = submitted;
    for row in &mut rows {
        row.waited = row.began - before;
        before = row.began;
        row.began -= submitted;
    }
    rows
}

/// The rows as lines with a header.
pub fn table(rows: &[Row]) -> Vec<String> {
    let places: Vec<String> = rows
        .iter()
        .map(|row| format!("{}[{}]", row.service, row.rank))
        .collect();
    let width =
        |texts: &mut dyn Iterator<Item = usize>, least: usize| texts.fold(least, usize::max);
    let place_width = width(&mut places.iter().map(String::len), 5);
    let step_width = width(&mut rows.iter().map(|row| row.step.len()), 4);
    let header = format!(
        "{:>12} {:>11} {:>9} {:place_width$} {:step_width$} DETAIL",
        "BEGAN", "WAITED", "TOOK", "WHERE", "STEP"
    );
    let line = |(row, place): (&Row, &String)| {
        let took = row.took.map_or("-".to_owned(), |took| format!("{took:.6}"));
        let line = format!(
            "{:12.6} {:11.6} {took:>9} {place:place_width$} {:step_width$} {}",
            row.began,
            row.waited,
            row.step,
            detail(&row.context)
        );
        line.trim_end().to_owned()
    };
    let lines = rows.iter().zip(&places).map(line);
    std::iter::once(header).chain(lines).collect()
}

/// `KEY=VALUE` of what is one word; all of it is in the log.
fn detail(context: &Map<String, Value>) -> String {
    let words = context.iter().filter_map(|(key, value)| match value {
        Value::Object(_) | Value::Array(_) | Value::Null => None,
        Value::String(text) if text.contains(' ') => Some(format!("{key}={text:?}")),
        Value::String(text) => Some(format!("{key}={text}")),
        value => Some(format!("{key}={value}")),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proto::data::job::JobStep;
    use serde_json::json;

    use super::*;

    fn entry(t: f64, name: &'static str, context: Value) -> Entry {
        Entry::new(t, name).unwrap().with(&context).unwrap()
    }

    fn sources() -> Vec<Source> {
        let step = |t, step| Stepped {
            step,
            t,
            took: 0.25,
        };
        vec![
            Source::Steps("job-ingest", 1, vec![step(100.5, JobStep::Numbered)]),
            Source::Log(vec![
                entry(100.0, "submit", json!({"urgency": 16, "flags": [1]})),
                entry(101.0, "finish", json!({"note": "a b"})),
            ]),
            Source::ExecLog(vec![
                entry(100.75, "init", json!({})),
                entry(100.75, "shell.init", json!({"leader-rank": 3})),
                entry(100.75, "log", json!({})),
            ]),
        ]
    }

    #[test]
    fn rows_are_in_the_order_of_their_times() {
        assert_eq!(
            table(&rows(sources(), 100.0)),
            [
                "       BEGAN      WAITED      TOOK WHERE          STEP       DETAIL",
                "    0.000000    0.000000         - job-manager[0] submit     urgency=16",
                "    0.500000    0.500000  0.250000 job-ingest[1]  numbered",
                "    0.750000    0.250000         - job-exec[0]    init",
                "    0.750000    0.000000         - job-shell[3]   shell.init leader-rank=3",
                "    1.000000    0.250000         - job-manager[0] finish     note=\"a b\"",
            ]
        );
    }

    #[test]
    fn nothing_known_is_only_a_header() {
        let lines = table(&rows(Vec::new(), 1.0));
        assert_eq!(
            lines,
            ["       BEGAN      WAITED      TOOK WHERE STEP DETAIL"]
        );
    }
}
