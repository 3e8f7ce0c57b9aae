//! The life of a job in a few phases, as its log tells it.

use serde::Serialize;
use serde_json::Value;

use super::row::Row;

/// The phases in their order.
const ORDER: [&str; 8] = [
    "ingest", "depend", "priority", "queue", "start", "run", "end", "clean",
];

/// The phase that an event of a service begins; with the last, none does.
///
/// job-manager hears late that a job has started which ends soon, so the log of its execution
/// counts as well: of two events that begin the same, the first one does.
const BEGINS: &[(&str, &str, Option<&str>)] = &[
    ("job-manager", "submit", Some("ingest")),
    ("job-manager", "validate", Some("depend")),
    ("job-manager", "depend", Some("priority")),
    ("job-manager", "priority", Some("queue")),
    ("job-manager", "alloc", Some("start")),
    ("job-shell", "shell.start", Some("run")),
    ("job-manager", "start", Some("run")),
    ("job-exec", "done", Some("end")),
    ("job-manager", "finish", Some("end")),
    ("job-manager", "free", Some("clean")),
    ("job-manager", "clean", None),
];

/// A part of a job's life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub phase: &'static str,
    /// Seconds from the submission to its beginning.
    pub began: f64,
    /// Seconds that it took, or takes so far.
    pub took: f64,
    /// True if the phase goes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub goes_on: bool,
}

/// The phases of a job, of which `now` is the time since its submission.
pub fn phases(rows: &[Row], now: f64) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    let mut current: Option<(&'static str, f64)> = None;
    for row in rows {
        let Some(next) = begun(row) else { continue };
        // Life does not go back: of a priority that changes nothing begins.
        let is_behind = |(phase, _)| next.is_some_and(|next| place(next) <= place(phase));
        if current.is_some_and(is_behind) {
            continue;
        }
        if let Some((phase, began)) = current.take() {
            phases.push(Phase {
                phase,
                began,
                took: row.began - began,
                goes_on: false,
            });
        }
        current = next.map(|phase| (phase, row.began));
    }
    if let Some((phase, began)) = current {
        phases.push(Phase {
            phase,
            began,
            took: (now - began).max(0.0),
            goes_on: true,
        });
    }
    phases
}

/// The phase that begins with a step, if one does, or none, if it is the last step.
fn begun(row: &Row) -> Option<Option<&'static str>> {
    let is_fatal = row.context.get("severity").and_then(Value::as_i64) == Some(0);
    if row.step == "exception" && is_fatal {
        return Some(Some("end"));
    }
    let begins = BEGINS.iter();
    let mut begins =
        begins.filter(|(service, event, _)| (*service, *event) == (row.service, &row.step));
    begins.next().map(|(_, _, phase)| *phase)
}

fn place(phase: &str) -> Option<usize> {
    ORDER.iter().position(|one| *one == phase)
}

/// The phases as lines with a header.
pub fn table(phases: &[Phase]) -> Vec<String> {
    let header = format!("{:8} {:>12} {:>11}", "PHASE", "BEGAN", "TOOK");
    let line = |phase: &Phase| {
        let so_far = if phase.goes_on { " so far" } else { "" };
        format!(
            "{:8} {:12.6} {:11.6}{so_far}",
            phase.phase, phase.began, phase.took
        )
    };
    std::iter::once(header)
        .chain(phases.iter().map(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn row(began: f64, step: &str) -> Row {
        let service = match step {
            "shell.start" => "job-shell",
            "done" => "job-exec",
            _ => "job-manager",
        };
        let severity = Map::from_iter([("severity".to_owned(), json!(0))]);
        Row {
            began,
            waited: 0.0,
            took: None,
            service,
            rank: 0,
            step: step.to_owned(),
            context: if step == "exception" {
                severity
            } else {
                Map::new()
            },
        }
    }

    fn check(steps: &str, expect: &str) {
        let steps = steps.split(' ').enumerate();
        let rows: Vec<Row> = steps.map(|(n, step)| row(n as f64, step)).collect();
        let found = phases(&rows, 100.0);
        let shown = found.iter().map(|phase| {
            let so_far = if phase.goes_on { "+" } else { "" };
            format!("{} {}{so_far}", phase.phase, phase.took)
        });
        assert_eq!(shown.collect::<Vec<_>>().join(", "), expect);
    }

    #[test]
    fn a_life_has_phases() {
        check(
            "submit validate depend priority alloc start finish release free clean",
            "ingest 1, depend 1, priority 1, queue 1, start 1, run 1, end 2, clean 1",
        );
        check(
            "submit validate depend priority priority",
            "ingest 1, depend 1, priority 1, queue 97+",
        );
        check("submit validate", "ingest 1, depend 99+");
    }

    #[test]
    fn what_job_manager_hears_late_has_begun_before() {
        check(
            "submit alloc shell.start done start finish free clean",
            "ingest 1, start 1, run 1, end 3, clean 1",
        );
    }

    #[test]
    fn a_fatal_exception_begins_the_end() {
        check(
            "submit validate depend priority exception clean",
            "ingest 1, depend 1, priority 1, queue 1, end 1",
        );
        check(
            "submit alloc start exception finish free clean",
            "ingest 1, start 1, run 1, end 2, clean 1",
        );
    }

    #[test]
    fn a_phase_is_a_line() {
        let found = phases(&[row(0.0, "submit"), row(0.5, "validate")], 2.0);
        assert_eq!(
            table(&found),
            [
                "PHASE           BEGAN        TOOK",
                "ingest       0.000000    0.500000",
                "depend       0.500000    1.500000 so far",
            ]
        );
    }
}
