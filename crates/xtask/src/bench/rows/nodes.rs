//! Jobs on many nodes, most of which are invented: the cost of scheduling must not grow
//! with the number of resources.

use anyhow::Result;

use crate::bench::row::{Measure, Row, median};
use crate::bench::subject::Subject;

/// A thousand nodes.
pub const MOCK_1K: Row = Row {
    name: "nodes-1k",
    what: "1,000 simulated jobs, 1,024 nodes: rate, of that with one node in the same run",
    unit: "%",
    measure: Measure::Outside(|subject| share_of_one_node(subject, 1_024)),
    floor: None,
};

/// Sixteen thousand nodes.
pub const MOCK_16K: Row = Row {
    name: "nodes-16k",
    what: "1,000 simulated jobs, 16,384 nodes: rate, of that with one node in the same run",
    unit: "%",
    measure: Measure::Outside(|subject| share_of_one_node(subject, 16_384)),
    floor: None,
};

/// Queries of operators.
pub const STATUS_16K: Row = Row {
    name: "nodes-status",
    what: "flux resource list with 16,384 nodes, some of them in use",
    unit: "ms",
    measure: Measure::Outside(|subject| {
        let setup = "\"$FLUX\" submit --quiet -N100 --setattr=exec.test.run_duration=1h true";
        let work = "\"$FLUX\" resource list >/dev/null";
        Ok(subject.seconds_with_nodes(16_384, setup, work)? * 1e3)
    }),
    floor: None,
};

/// Pairs of measurements of which the middle one counts.
const PAIRS: usize = 5;

fn share_of_one_node(subject: &Subject, nodes: u32) -> Result<f64> {
    let mut shares = Vec::with_capacity(PAIRS);
    for _ in 0..PAIRS {
        let one = seconds(subject, 1)?;
        let many = seconds(subject, nodes)?;
        shares.push(one / many * 100.0);
    }
    Ok(median(shares))
}

fn seconds(subject: &Subject, nodes: u32) -> Result<f64> {
    subject.seconds_with_nodes(nodes, "", &super::jobs::mock_jobs(1_000))
}
