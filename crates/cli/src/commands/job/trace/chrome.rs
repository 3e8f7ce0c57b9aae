//! A trace in the Trace Event Format, which chrome://tracing and Perfetto open: one track for the
//! phases of the job, and one for each service of each rank. Times are in microseconds since the
//! job was submitted.

use serde_json::{Value, json};

use super::phases::Phase;
use super::row::Row;

/// The track of the phases.
const JOB_TRACK: usize = 1;

/// All of it.
pub fn trace(job: &str, submitted: f64, rows: &[Row], phases: &[Phase]) -> Value {
    let mut tracks: Vec<(&str, u32)> = Vec::new();
    for row in rows {
        if !tracks.contains(&(row.service, row.rank)) {
            tracks.push((row.service, row.rank));
        }
    }
    let mut events = vec![track(JOB_TRACK, &format!("job {job}"))];
    for (n, (service, rank)) in tracks.iter().enumerate() {
        events.push(track(JOB_TRACK + 1 + n, &format!("{service}[{rank}]")));
    }
    events.extend(phases.iter().map(span));
    events.extend(rows.iter().map(|row| {
        let at = tracks
            .iter()
            .position(|track| *track == (row.service, row.rank));
        step(at.map_or(JOB_TRACK, |at| JOB_TRACK + 1 + at), row)
    }));
    json!({
        "displayTimeUnit": "ms",
        "otherData": {"job": job, "submitted": submitted},
        "traceEvents": events,
    })
}

fn track(tid: usize, name: &str) -> Value {
    json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": tid, "args": {"name": name}})
}

fn span(phase: &Phase) -> Value {
    json!({
        "ph": "X", "name": phase.phase, "cat": "phase", "pid": 1, "tid": JOB_TRACK,
        "ts": micros(phase.began), "dur": micros(phase.took),
        "args": {"goes_on": phase.goes_on},
    })
}

/// A step that took time is a span, another one a moment.
fn step(tid: usize, row: &Row) -> Value {
    let mut event = json!({
        "name": row.step, "cat": row.service, "pid": 1, "tid": tid,
        "ts": micros(row.began), "args": row.context,
    });
    match row.took {
        Some(took) => {
            event["ph"] = json!("X");
            event["dur"] = json!(micros(took));
        }
        None => {
            event["ph"] = json!("i");
            event["s"] = json!("t");
        }
    }
    event
}

/// With nanoseconds as a fraction.
fn micros(seconds: f64) -> f64 {
    (seconds * 1e9).round() / 1e3
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    #[test]
    fn a_service_is_a_track_and_a_step_a_span_or_a_moment() {
        let row = |took, service, rank| Row {
            began: 0.5,
            waited: 0.5,
            took,
            service,
            rank,
            step: "step".to_owned(),
            context: Map::new(),
        };
        let rows = [row(Some(0.000_25), "sched", 0), row(None, "job-exec", 3)];
        let phase = Phase {
            phase: "run",
            began: 0.25,
            took: 1.0,
            goes_on: true,
        };
        let trace = trace("f1", 100.0, &rows, &[phase]);
        let events = trace["traceEvents"].as_array().unwrap();
        let names: Vec<_> = events[..3].iter().map(|one| &one["args"]["name"]).collect();
        assert_eq!(names, ["job f1", "sched[0]", "job-exec[3]"]);
        let keys = |event: &Value| ["ph", "name", "tid", "ts", "dur"].map(|key| event[key].clone());
        assert_eq!(
            json!(keys(&events[3])),
            json!(["X", "run", 1, 250_000.0, 1_000_000.0])
        );
        assert_eq!(
            json!(keys(&events[4])),
            json!(["X", "step", 2, 500_000.0, 250.0])
        );
        assert_eq!(
            json!(keys(&events[5])),
            json!(["i", "step", 3, 500_000.0, null])
        );
    }
}
