//! Commits, one after the other, each waited for.

use std::time::Instant;

use anyhow::Result;
use client::Handle;
use proto::kvs::Commit;

use crate::bench::row::{Measure, Row};

/// An event log that grows.
pub const APPEND: Row = Row {
    name: "append-event",
    what: "append to a log of 4,000 entries, one client, waited for",
    unit: "1/s",
    measure: Measure::Inside(appends_per_s),
    floor: None,
};

/// A directory that is already large.
pub const COMMIT: Row = Row {
    name: "commit-wide",
    what: "commit one key into a directory of 10,000",
    unit: "ms",
    measure: Measure::Inside(commit_ms),
    floor: None,
};

const ENTRIES: usize = 4_000;
const ENTRY: &str = "{\"timestamp\":1795330129.011286,\"name\":\"bench\",\"context\":{\"n\":1}}\n";
const KEYS: usize = 10_000;
const MEASURED: usize = 500;

fn appends_per_s(handle: &mut Handle) -> Result<f64> {
    handle.rpc(&Commit::new("primary").append("bench.log", ENTRY.repeat(ENTRIES)))?;
    let start = Instant::now();
    for _ in 0..MEASURED {
        handle.rpc(&Commit::new("primary").append("bench.log", ENTRY))?;
    }
    Ok(MEASURED as f64 / start.elapsed().as_secs_f64())
}

fn commit_ms(handle: &mut Handle) -> Result<f64> {
    let fill = (0..KEYS).fold(Commit::new("primary"), |commit, n| {
        commit.put(format!("wide.k{n}"), "1")
    });
    handle.rpc(&fill)?;
    let start = Instant::now();
    for n in 0..MEASURED {
        handle.rpc(&Commit::new("primary").put(format!("wide.k{n}"), format!("{n}")))?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3 / MEASURED as f64)
}
