//! Cost of a scheduler's pass over a long queue.

use std::time::Instant;

use anyhow::Result;
use client::Handle;
use proto::sched::{BackfillStats, Prioritize};

use crate::bench::row::{Measure, Row, median};

/// All that waits is looked at, and none of it fits.
pub const BACKFILL: Row = Row {
    name: "sched-backfill",
    what: "one pass of sched-backfill over 10,000 waiting jobs of 1,000 shapes, 1,024 nodes",
    unit: "ms",
    measure: Measure::InsideNodes(1_024, waiting_jobs, pass_ms),
    floor: None,
};

/// Passes of which the middle one counts.
const PASSES: usize = 31;

/// Shell commands that let 1,000 nodes run, one job wait for all, and 10,000 behind it for more
/// than the rest.
fn waiting_jobs() -> String {
    "\"$FLUX\" module remove sched-simple
\"$FLUX\" module load sched-backfill
submit() { \"$FLUX\" submit --quiet --setattr=exec.test.run_duration=1h \"$@\" true; }
submit -N1000 --exclusive -t2h --wait-event=alloc
submit -N1024 --exclusive -t1h
for n in $(seq 25 64)
do
	for c in $(seq 1 25)
	do
		submit -N$n -n$n -c$c -t30m --cc=1-10
	done
done
until \"$FLUX\" module stats -p pending_jobs sched-backfill | grep -q 10001
do
	:
done"
        .to_owned()
}

fn pass_ms(handle: &mut Handle) -> Result<f64> {
    let mut samples = Vec::with_capacity(PASSES);
    for _ in 0..PASSES {
        let start = Instant::now();
        // Nothing changes, but anything might have: all is looked at.
        handle.rpc(&Prioritize { jobs: Vec::new() })?;
        handle.rpc(&BackfillStats)?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(samples))
}
