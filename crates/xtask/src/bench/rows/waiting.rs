//! Jobs by the hundred thousand that wait: their cost while they do, and the cost when
//! they go on.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use client::Handle;
use proto::job_list::JobStats;
use proto::job_manager::{QueueStart, StatsGet};

use super::memory::memory_mib;
use crate::bench::row::{Measure, Measured, Row, median};
use crate::bench::subject::output_of;

/// Memory of a job that waits for another one.
pub const MEMORY: Row = Row {
    name: "waiting-memory",
    what: "memory for each further job that waits for another one, behind 100,000 of them",
    unit: "KiB",
    measure: Measure::Inside(|handle| {
        let first = held()?;
        // By then caches are full.
        wait_for_it(&first, WAITING)?;
        let before = memory_mib(handle)?;
        wait_for_it(&first, WAITING / 2)?;
        let after = memory_mib(handle)?;
        Ok((after - before) * 1024.0 / f64::from(WAITING / 2))
    }),
    floor: None,
};

/// Rate at which such jobs are accepted.
pub const SUBMIT: Row = Row {
    name: "waiting-submit",
    what: "10,000 jobs submitted that wait for another one (floor: 10,000 that are held)",
    unit: "1/s",
    measure: Measure::InsideOf(&[], |_| {
        let count = 10_000;
        let start = Instant::now();
        flux(&["submit", "--quiet", "--urgency=hold", &cc(count), "true"])?;
        let plain = f64::from(count) / start.elapsed().as_secs_f64();
        let first = held()?;
        let start = Instant::now();
        wait_for_it(&first, count)?;
        let figure = f64::from(count) / start.elapsed().as_secs_f64();
        Ok(Measured {
            figure,
            beside: Some(plain),
        })
    }),
    floor: None,
};

/// Delay of other jobs meanwhile.
pub const END: Row = Row {
    name: "waiting-end",
    what: "longest answer of the job manager while 100,000 jobs go on with the end of one",
    unit: "ms",
    measure: Measure::Inside(|handle| {
        let first = held()?;
        wait_for_it(&first, WAITING)?;
        // They are to queue, not to run.
        flux(&["queue", "stop"])?;
        flux(&["cancel", &first])?;
        let mut longest = 0.0_f64;
        while handle.rpc(&JobStats)?.all.job_states.depend > 0 {
            for _ in 0..10 {
                let start = Instant::now();
                handle.rpc(&StatsGet)?;
                longest = longest.max(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(longest)
    }),
    floor: None,
};

/// A queue with much in it.
pub const QUEUE: Row = Row {
    name: "queue-stop",
    what: "queue stop, or start, with 100,000 jobs in the queue",
    unit: "ms",
    measure: Measure::InsideAfter(queued_jobs, stop_ms),
    floor: None,
};

/// Jobs that wait.
const WAITING: u32 = 100_000;

/// Stops and starts of which the middle one counts.
const STOPS: usize = 20;

/// Shell commands that let one job have everything, and the others queue.
fn queued_jobs() -> String {
    format!(
        "\"$FLUX\" submit --quiet -n64 --setattr=exec.test.run_duration=1h --wait-event=alloc true
\"$FLUX\" submit --quiet --cc=1-{WAITING} --setattr=exec.test.run_duration=1ms true"
    )
}

fn stop_ms(handle: &mut Handle) -> Result<f64> {
    let mut samples = Vec::with_capacity(STOPS);
    for n in 0..STOPS {
        let request = QueueStart {
            name: None,
            start: n % 2 == 1,
            reason: None,
            all: true,
            nocheckpoint: None,
        };
        let start = Instant::now();
        handle.rpc(&request)?;
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(samples))
}

/// A job that others can wait for.
fn held() -> Result<String> {
    let id = flux(&["submit", "--urgency=hold", "true"])?
        .trim()
        .to_owned();
    ensure!(!id.is_empty(), "no job id");
    Ok(id)
}

/// Submits jobs that wait for another one.
fn wait_for_it(first: &str, count: u32) -> Result<()> {
    let dependency = format!("--dependency=afterany:{first}");
    flux(&["submit", "--quiet", &cc(count), &dependency, "true"]).map(drop)
}

fn cc(count: u32) -> String {
    format!("--cc=1-{count}")
}

/// Runs a command of the instance around us.
pub fn flux(args: &[&str]) -> Result<String> {
    let flux = std::env::var("FLUX").context("no command to measure")?;
    output_of(Command::new(flux).args(args))
}
