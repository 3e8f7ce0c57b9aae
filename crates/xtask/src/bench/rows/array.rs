//! Arrays: the cost of an element beside its process.

use std::collections::VecDeque;
use std::process::{Child, Command};
use std::time::Instant;

use anyhow::Result;

use super::job_costs::cost_ms;
use crate::bench::floor;
use crate::bench::row::{Measure, Measured, Row};
use crate::bench::subject::Subject;

/// Elements of the array that is measured.
const ELEMENTS: u32 = 10_000;

/// Slots that they have, and processes of the floor that run at once.
const SLOTS: usize = 4;

/// Rate at which they run, from the submission to the end of the job.
pub const RATE: Row = Row {
    name: "array",
    what: "10,000 true as one array on 4 slots (floor: true, 4 at once)",
    unit: "1/s",
    measure: Measure::Outside(|subject| {
        Ok(f64::from(ELEMENTS) / subject.seconds_with_cores(SLOTS, &work())?)
    }),
    floor: Some(true_per_s),
};

/// Processor time of each, including the whole instance.
pub const CPU: Row = Row {
    name: "array-cost",
    what: "processor time of each of 10,000 true as one array, 4 slots (floor: starting true)",
    unit: "ms",
    measure: Measure::Outside(|subject| cost_ms(subject, SLOTS, &work(), ELEMENTS)),
    floor: Some(floor::true_cpu_ms),
};

/// Time to submit many.
pub const SUBMIT: Row = Row {
    name: "array-submit",
    what: "flux submit --array=1-1000000, which is held (floor: flux submit true)",
    unit: "ms",
    measure: Measure::Beside(submit_ms),
    floor: None,
};

fn work() -> String {
    format!("\"$FLUX\" submit --quiet --wait -n{SLOTS} --array=1-{ELEMENTS} true")
}

fn submit_ms(subject: &Subject) -> Result<Measured> {
    const TIMES: u32 = 20;
    let ms = |array: &str| {
        let one = format!("\"$FLUX\" submit --quiet --urgency=hold {array} true\n");
        let work = one.repeat(TIMES as usize);
        anyhow::Ok(subject.seconds(&[], &one, &work)? / f64::from(TIMES) * 1e3)
    };
    Ok(Measured {
        figure: ms("--array=1-1000000")?,
        beside: Some(ms("")?),
    })
}

/// Runs of `true` per second, as many at once as there are slots.
fn true_per_s() -> Result<f64> {
    const RUNS: u32 = 4_000;
    let start = Instant::now();
    let mut running = VecDeque::new();
    for _ in 0..RUNS {
        if running.len() >= SLOTS {
            running.pop_front().map(collect).transpose()?;
        }
        running.push_back(Command::new("true").spawn()?);
    }
    running.into_iter().try_for_each(collect)?;
    Ok(f64::from(RUNS) / start.elapsed().as_secs_f64())
}

fn collect(mut child: Child) -> Result<()> {
    child.wait()?;
    Ok(())
}
