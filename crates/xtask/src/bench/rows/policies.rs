//! Cost of policies for jobs that do not use them.

use anyhow::{Context, Result};
use client::Handle;
use serde_json::json;

use super::waiting::flux;
use crate::bench::row::{Measure, Row, median};
use crate::proc::{TICKS_PER_SECOND, children_of, cpu_ticks};

/// Without any policy that a job can do without.
pub const NONE: Row = Row {
    name: "policies-none",
    what: "processor time for each of 5,000 simulated jobs without policies, all processes",
    unit: "µs",
    measure: Measure::InsideAfter(remove_all, cpu_us),
    floor: None,
};

/// With all.
pub const ALL: Row = Row {
    name: "policies-all",
    what: "the same with every policy that there is, none of which has anything to do",
    unit: "µs",
    measure: Measure::InsideAfter(load_all, cpu_us),
    floor: None,
};

/// The difference.
pub const COST: Row = Row {
    name: "policies-cost",
    what: "policies-all above policies-none, runs of both in turn (at most 3)",
    unit: "%",
    measure: Measure::Outside(|subject| {
        let mut costs = Vec::with_capacity(PAIRS);
        for _ in 0..PAIRS {
            let none = subject.measure_inside_after(NONE.name, 1, &remove_all())?;
            let all = subject.measure_inside_after(ALL.name, 1, &load_all())?;
            costs.push((all / none - 1.0) * 100.0);
        }
        Ok(median(costs))
    }),
    floor: None,
};

/// Pairs of measurements of which the middle one counts.
const PAIRS: usize = 7;

/// Jobs of one measurement.
const JOBS: u32 = 5_000;

/// Without a policy for its priority no job runs.
fn remove_all() -> String {
    "for policy in $(\"$FLUX\" jobtap list -a)
do
	test \"$policy\" = .priority-default || \"$FLUX\" jobtap remove \"$policy\"
done"
        .to_owned()
}

/// With `submit-hold` no job runs.
fn load_all() -> String {
    "for policy in alloc-bypass alloc-check limit-active perilog
do
	\"$FLUX\" jobtap load \"$policy\"
done"
        .to_owned()
}

fn cpu_us(handle: &mut Handle) -> Result<f64> {
    let before = instance_ticks(handle)?;
    let cc = format!("--cc=1-{JOBS}");
    let run = "--setattr=exec.test.run_duration=1ms";
    flux(&["submit", "--quiet", &cc, run, "true"])?;
    flux(&["queue", "drain"])?;
    let ticks = instance_ticks(handle)? - before;
    Ok(ticks as f64 / TICKS_PER_SECOND * 1e6 / f64::from(JOBS))
}

/// Processor time of the broker and its modules so far.
fn instance_ticks(handle: &mut Handle) -> Result<u64> {
    let answer = handle.rpc_json("attr.get", &json!({ "name": "broker.pid" }))?;
    let broker = answer["value"].as_str().context("no broker.pid")?.parse()?;
    let ours = std::process::id();
    let others = children_of(broker)?.into_iter().filter(|pid| *pid != ours);
    others.chain([broker]).map(cpu_ticks).sum()
}
