//! Memory of the broker and everything it has started, a shared page counted once.

use anyhow::{Context, Result};
use client::Handle;
use serde_json::json;

use super::jobs::{HISTORY, mock_jobs};
use crate::bench::row::{Measure, Row};
use crate::proc::{children_of, proportional_kib};

/// An instance that has just begun.
pub const IDLE: Row = Row {
    name: "memory-idle",
    what: "memory of an instance without jobs, all processes",
    unit: "MiB",
    measure: Measure::Inside(memory_mib),
    floor: None,
};

/// Memory of history.
pub const JOB: Row = Row {
    name: "memory-job",
    what: "memory for each of 10,240 inactive jobs, caches as they are",
    unit: "KiB",
    measure: Measure::Outside(|subject| {
        let idle = subject.measure_inside(IDLE.name)?;
        let used = subject.measure_inside_after(USED.name, 1, &mock_jobs(HISTORY))?;
        Ok((used - idle) * 1024.0 / f64::from(HISTORY))
    }),
    floor: None,
};

/// An instance that has been used for a while.
pub const USED: Row = Row {
    name: "memory-used",
    what: "memory of an instance with 10,240 inactive jobs, caches as they are",
    unit: "MiB",
    measure: Measure::InsideAfter(|| mock_jobs(HISTORY), memory_mib),
    floor: None,
};

/// Memory of the instance around us, without this program.
pub fn memory_mib(handle: &mut Handle) -> Result<f64> {
    let answer = handle.rpc_json("attr.get", &json!({ "name": "broker.pid" }))?;
    let broker = answer["value"].as_str().context("no broker.pid")?.parse()?;
    let ours = std::process::id();
    let mut kib = 0;
    for pid in children_of(broker)?.into_iter().chain([broker]) {
        if pid != ours {
            kib += proportional_kib(pid)?;
        }
    }
    Ok(kib as f64 / 1024.0)
}
