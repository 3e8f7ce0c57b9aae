//! The time from nothing to an instance and back to nothing.

use crate::bench::floor;
use crate::bench::row::{Measure, Row, median_ms};
use crate::bench::subject::output_of;

/// `flux start true`.
pub const ROW: Row = Row {
    name: "start-true",
    what: "flux start true (floor: true)",
    unit: "ms",
    measure: Measure::Outside(|subject| {
        median_ms(10, || {
            output_of(&mut subject.command(&["start", "true"])).map(drop)
        })
    }),
    floor: Some(floor::true_ms),
};
