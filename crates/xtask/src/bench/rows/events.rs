//! Events published and received by one program.

use std::time::Instant;

use anyhow::{Context, Result};
use client::Handle;

use crate::bench::floor;
use crate::bench::row::{Measure, Row};

/// Events per second through the instance's one sequence.
pub const ROW: Row = Row {
    name: "events",
    what: "events published and received (floor: bare ZeroMQ relay)",
    unit: "1/s",
    measure: Measure::Inside(events_per_s),
    floor: Some(floor::relay_per_s),
};

const EVENTS: usize = 200_000;

/// Limit of events on their way: a publisher that never looks would measure a queue.
const OUTSTANDING: usize = 1_000;

fn events_per_s(handle: &mut Handle) -> Result<f64> {
    handle.subscribe("bench")?;
    let event = Handle::event("bench.event", "{\"n\":1}\0".into(), false);
    for _ in 0..OUTSTANDING {
        handle.publish_unsequenced(event.clone());
    }
    let start = Instant::now();
    for _ in 0..EVENTS {
        handle.next_event(None)?.context("no event came")?;
        handle.publish_unsequenced(event.clone());
    }
    let took = start.elapsed();
    for _ in 0..OUTSTANDING {
        handle.next_event(None)?.context("no event came")?;
    }
    handle.unsubscribe("bench")?;
    Ok(EVENTS as f64 / took.as_secs_f64())
}
