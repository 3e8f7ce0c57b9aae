//! The time from nothing to a tree and back to nothing, and that of a command on all of it.

use anyhow::Result;

use crate::bench::floor;
use crate::bench::row::{Measure, Row, median_ms};
use crate::bench::subject::{Subject, output_of};

/// One broker, by way of the launcher.
pub const START_1: Row = Row {
    name: "tree-start-1",
    what: "flux start -s1 true (floor: true)",
    unit: "ms",
    measure: Measure::Outside(|subject| start_ms(subject, "-s1", 10)),
    floor: Some(floor::true_ms),
};

/// A small tree.
pub const START_4: Row = Row {
    name: "tree-start-4",
    what: "flux start -s4 true, promised 250 (floor: 4 times true)",
    unit: "ms",
    measure: Measure::Outside(|subject| start_ms(subject, "-s4", 10)),
    floor: Some(|| Ok(floor::true_ms()? * 4.0)),
};

/// As many as tests use.
pub const START_16: Row = Row {
    name: "tree-start-16",
    what: "flux start -s16 true, promised 800 (floor: 16 times true)",
    unit: "ms",
    measure: Measure::Outside(|subject| start_ms(subject, "-s16", 5)),
    floor: Some(|| Ok(floor::true_ms()? * 16.0)),
};

/// Two levels of brokers.
pub const START_64: Row = Row {
    name: "tree-start-64",
    what: "flux start -s64 true, promised 3000 (floor: 64 times true)",
    unit: "ms",
    measure: Measure::Outside(|subject| start_ms(subject, "-s64", 3)),
    floor: Some(|| Ok(floor::true_ms()? * 64.0)),
};

/// As many as one host takes.
pub const START_256: Row = Row {
    name: "tree-start-256",
    what: "flux start -s256 true, promised 12000 (floor: 256 times true)",
    unit: "ms",
    measure: Measure::Outside(|subject| start_ms(subject, "-s256", 1)),
    floor: Some(|| Ok(floor::true_ms()? * 256.0)),
};

/// A command on each of many brokers.
pub const EXEC: Row = Row {
    name: "tree-exec",
    what: "flux exec true on 64 brokers, promised 200 (floor: 64 times true)",
    unit: "ms",
    measure: Measure::Outside(exec_ms),
    floor: Some(|| Ok(floor::true_ms()? * 64.0)),
};

const EXECS: u32 = 10;

fn start_ms(subject: &Subject, size: &str, runs: usize) -> Result<f64> {
    median_ms(runs, || {
        output_of(&mut subject.command(&["start", size, "true"])).map(drop)
    })
}

fn exec_ms(subject: &Subject) -> Result<f64> {
    let once = "\"$FLUX\" exec true";
    let work = format!("for i in $(seq {EXECS}); do {once}; done");
    Ok(subject.seconds(&["-s64"], once, &work)? * 1e3 / f64::from(EXECS))
}
