//! Cost of idle brokers.

use std::thread::available_parallelism;

use anyhow::Result;

use crate::bench::row::{Measure, Measured, Row, median};
use crate::bench::rows::jobs::mock_jobs;
use crate::bench::subject::Subject;

/// Simulated jobs, of which only rank 0 has anything to do.
pub const MOCK: Row = Row {
    name: "tree-jobs",
    what: "1,000 simulated jobs on 16 brokers, promised 0.9 of the other (beside: one broker, as many cores)",
    unit: "1/s",
    measure: Measure::Beside(rates),
    floor: None,
};

const BROKERS: usize = 16;
const JOBS: u32 = 1_000;

/// Pairs of measurements; the middle one of each side counts.
const PAIRS: usize = 7;

fn rates(subject: &Subject) -> Result<Measured> {
    let cores = BROKERS * available_parallelism()?.get();
    let work = mock_jobs(JOBS);
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        one.push(subject.seconds_with_cores(cores, &work)?);
        many.push(subject.seconds(&[&format!("-s{BROKERS}")], "", &work)?);
    }
    let rate = |seconds| f64::from(JOBS) / median(seconds);
    Ok(Measured {
        figure: rate(many),
        beside: Some(rate(one)),
    })
}
