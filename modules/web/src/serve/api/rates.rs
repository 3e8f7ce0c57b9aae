//! `/api/v1/rates.json`: jobs submitted, started and ended over time, and their waiting times.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use client::Call;
use proto::data::job::JobResult;
use proto::job_list::List;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::limits::{RATE_BUCKETS, RATE_CHUNK_JOBS, RATE_JOBS_MAX, RATE_SPAN_MAX_S};
use crate::serve::{ApiError, Site};

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Seconds up to now.
    span: Option<f64>,
}

/// The time up to now in equal parts; the lists have one number a part.
#[derive(Debug, Serialize)]
pub struct Rates {
    /// Begin of the first part, in seconds since the epoch.
    from: f64,
    /// Length of a part in seconds.
    step: f64,
    submitted: Vec<u64>,
    started: Vec<u64>,
    completed: Vec<u64>,
    /// Failed or timed out.
    failed: Vec<u64>,
    canceled: Vec<u64>,
    /// Seconds between submission and start of those started in the part: the median.
    wait_median: Vec<Option<f64>>,
    /// The same: nine of ten waited less.
    wait_p90: Vec<Option<f64>>,
    /// True if there were more jobs than are looked at: the oldest are missing.
    is_cut: bool,
}

const ATTRS: [&str; 4] = ["t_submit", "t_run", "t_inactive", "result"];

const DEFAULT_SPAN_S: f64 = 3600.0;

/// Answers.
pub async fn get(
    State(site): State<Arc<Site>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Rates>, ApiError> {
    let Query(wanted) = wanted?;
    let span = wanted
        .span
        .filter(|span| span.is_finite())
        .unwrap_or(DEFAULT_SPAN_S);
    let span = span.clamp(RATE_BUCKETS as f64, RATE_SPAN_MAX_S);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let step = (span / RATE_BUCKETS as f64).ceil();
    // Parts begin at whole multiples, so that a plot does not flicker.
    let until = (now.as_secs_f64() / step).floor() * step + step;
    let mut buckets = Buckets::new(until - step * RATE_BUCKETS as f64, step);
    let active = json!({"and": [{"states": ["active"]}]});
    for (constraint, since) in [
        (json!({"states": ["inactive"]}), Some(json!(buckets.from))),
        (active, None),
    ] {
        let request = List {
            max_entries: Some(json!(RATE_JOBS_MAX)),
            attrs: Some(json!(ATTRS)),
            constraint: Some(constraint),
            since,
            chunk: Some(RATE_CHUNK_JOBS),
            ..List::default()
        };
        let mut n_jobs = 0;
        site.instance
            .gather(Call::new(&request), |listed| {
                n_jobs += listed.jobs.len();
                listed.jobs.iter().for_each(|job| buckets.add(&job.0));
            })
            .await?;
        buckets.is_cut |= n_jobs >= RATE_JOBS_MAX;
    }
    Ok(Json(buckets.rates()))
}

/// Jobs by the times of their events.
struct Buckets {
    from: f64,
    step: f64,
    submitted: Vec<u64>,
    started: Vec<u64>,
    completed: Vec<u64>,
    failed: Vec<u64>,
    canceled: Vec<u64>,
    waits: Vec<Vec<f64>>,
    is_cut: bool,
}

impl Buckets {
    fn new(from: f64, step: f64) -> Buckets {
        let none = vec![0; RATE_BUCKETS];
        Buckets {
            from,
            step,
            submitted: none.clone(),
            started: none.clone(),
            completed: none.clone(),
            failed: none.clone(),
            canceled: none,
            waits: vec![Vec::new(); RATE_BUCKETS],
            is_cut: false,
        }
    }

    fn add(&mut self, job: &Map<String, Value>) {
        let time = |name: &str| job.get(name).and_then(Value::as_f64);
        let place = |time: Option<f64>| {
            let place = (time? - self.from) / self.step;
            // Of a negative or too large one there is no bucket.
            (0.0..RATE_BUCKETS as f64)
                .contains(&place)
                .then_some(place as usize)
        };
        if let Some(n) = place(time("t_submit")) {
            self.submitted[n] += 1;
        }
        if let Some(n) = place(time("t_run")) {
            self.started[n] += 1;
            self.waits[n].extend(
                time("t_run")
                    .zip(time("t_submit"))
                    .map(|(run, submit)| run - submit),
            );
        }
        if let Some(n) = place(time("t_inactive")) {
            let result = job.get("result").and_then(Value::as_u64);
            let result = result.and_then(|bit| JobResult::from_bit(u32::try_from(bit).ok()?));
            let ended = match result {
                Some(JobResult::Completed) => &mut self.completed,
                Some(JobResult::Canceled) => &mut self.canceled,
                _ => &mut self.failed,
            };
            ended[n] += 1;
        }
    }

    fn rates(mut self) -> Rates {
        for waits in &mut self.waits {
            waits.sort_by(f64::total_cmp);
        }
        let share = |part: f64| {
            let nth = |waits: &Vec<f64>| waits.get((waits.len() as f64 * part) as usize).copied();
            self.waits.iter().map(nth).collect()
        };
        Rates {
            from: self.from,
            step: self.step,
            wait_median: share(0.5),
            wait_p90: share(0.9),
            submitted: self.submitted,
            started: self.started,
            completed: self.completed,
            failed: self.failed,
            canceled: self.canceled,
            is_cut: self.is_cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_counted_where_things_happened_to_them() {
        let mut buckets = Buckets::new(100.0, 10.0);
        for (submit, run, end, result) in [
            (95.0, 101.0, 112.0, 1),
            (100.0, 102.0, 112.0, 8),
            (100.0, 109.0, 1e9, 1),
        ] {
            let job =
                json!({"t_submit": submit, "t_run": run, "t_inactive": end, "result": result});
            buckets.add(job.as_object().unwrap());
        }
        buckets.add(
            json!({"t_submit": 119.0, "t_inactive": 119.5, "result": 4})
                .as_object()
                .unwrap(),
        );
        let rates = buckets.rates();
        assert_eq!(
            (&rates.submitted[..2], &rates.started[..2]),
            (&[2, 1][..], &[3, 0][..])
        );
        assert_eq!(
            (&rates.completed[..2], &rates.failed[..2]),
            (&[0, 1][..], &[0, 1][..])
        );
        assert_eq!(rates.canceled[..2], [0, 1]);
        assert_eq!(
            (rates.wait_median[0], rates.wait_p90[0]),
            (Some(6.0), Some(9.0))
        );
        assert_eq!(rates.wait_median[1], None);
    }
}
