//! The time of single commands within an instance: the delay that a user feels at the
//! prompt.

use anyhow::Result;

use crate::bench::floor;
use crate::bench::row::{Measure, Row};
use crate::bench::subject::Subject;

/// The smallest command that talks to the broker.
pub const GETATTR: Row = Row {
    name: "getattr",
    what: "flux getattr rank (floor: true)",
    unit: "ms",
    measure: Measure::Outside(|subject| command_ms(subject, "getattr rank", 200)),
    floor: Some(floor::true_ms),
};

/// A list of nothing.
pub const JOBS: Row = Row {
    name: "jobs-empty",
    what: "flux jobs without any job (floor: true)",
    unit: "ms",
    measure: Measure::Outside(|subject| command_ms(subject, "jobs", 50)),
    floor: Some(floor::true_ms),
};

/// From the command to the id of a job that is stored.
pub const SUBMIT: Row = Row {
    name: "submit-true",
    what: "flux submit true (floor: true)",
    unit: "ms",
    measure: Measure::Outside(|subject| command_ms(subject, "submit true", 20)),
    floor: Some(floor::true_ms),
};

/// From the command to the end of the job.
pub const RUN: Row = Row {
    name: "run-true",
    what: "flux run true (floor: true)",
    unit: "ms",
    measure: Measure::Outside(|subject| command_ms(subject, "run true", 20)),
    floor: Some(floor::true_ms),
};

/// The mean of `runs` runs, one after the other; one more before them is not counted.
fn command_ms(subject: &Subject, command: &str, runs: u32) -> Result<f64> {
    let once = format!("\"$FLUX\" {command} >/dev/null");
    let work = format!("for i in $(seq {runs}); do {once}; done");
    Ok(subject.seconds(&[], &once, &work)? * 1e3 / f64::from(runs))
}
