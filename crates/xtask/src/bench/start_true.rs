//! The time from nothing to an instance and back to nothing.

use std::process::Command;

use super::row::{Row, median_ms, output_of};

/// How often each figure is taken.
const RUNS: usize = 10;

/// `flux start true` against fork and exec of `true`.
pub const ROW: Row = Row {
    name: "start-true",
    what: "flux start true (floor: true)",
    unit: "ms",
    measure: |subject| {
        median_ms(RUNS, || {
            output_of(&mut subject.command(&["start", "true"])).map(drop)
        })
    },
    floor: || median_ms(RUNS, || output_of(&mut Command::new("true")).map(drop)),
};
