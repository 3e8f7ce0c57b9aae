//! Events that one program publishes on rank 0 and one program on every broker receives.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use client::Handle;

use super::handles;
use crate::bench::floor;
use crate::bench::row::{Measure, Measured, Row};

/// All below rank 0.
pub const FLAT: Row = Row {
    name: "tree-events",
    what: "events to programs on each of 16 brokers, promised 100,000 (floor: bare ZeroMQ)",
    unit: "1/s",
    measure: Measure::InsideOf(&["-s16"], |_| delivered_per_s()),
    floor: Some(floor::fan_out_per_s),
};

/// Brokers that pass them on.
pub const DEEP: Row = Row {
    name: "tree-events-deep",
    what: "the same in a tree of four levels (floor: bare ZeroMQ to 15 at once)",
    unit: "1/s",
    measure: Measure::InsideOf(&["-s16", "-Stbon.topo=kary:2"], |_| delivered_per_s()),
    floor: Some(floor::fan_out_per_s),
};

const BROKERS: u32 = 16;
const EVENTS: usize = 100_000;
/// Limit of events on their way to the publisher itself.
const OUTSTANDING: usize = 1_000;

/// Every event is received by everyone, in order, or there is no figure.
fn delivered_per_s() -> Result<Measured> {
    let mut handles = handles(0..BROKERS)?;
    for handle in &mut handles {
        handle.subscribe("bench")?;
    }
    let mut publisher = handles.remove(0);
    let start = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let readers: Vec<_> = handles
            .iter_mut()
            .map(|handle| scope.spawn(move || receive_all(handle)))
            .collect();
        publish_all(&mut publisher)?;
        for reader in readers {
            let received = reader.join().ok().context("a reader has failed")?;
            received?;
        }
        Ok(())
    })?;
    Ok((EVENTS as f64 / start.elapsed().as_secs_f64()).into())
}

fn publish_all(handle: &mut Handle) -> Result<()> {
    let event = Handle::event("bench.event", "{\"n\":1}\0".into(), false);
    for n in 0..EVENTS + OUTSTANDING {
        if n >= OUTSTANDING {
            handle.next_event(None)?.context("no event came")?;
        }
        if n < EVENTS {
            handle.publish_unsequenced(event.clone());
        }
    }
    Ok(())
}

fn receive_all(handle: &mut Handle) -> Result<()> {
    let mut last = None;
    for _ in 0..EVENTS {
        let event = handle.next_event(None)?.context("no event came")?;
        let wire::Kind::Event { sequence } = event.kind else {
            continue;
        };
        // Numbers that are missing are those of a heartbeat.
        let follows = last.is_none_or(|last| sequence > last);
        ensure!(follows, "event {sequence} after {last:?}");
        last = Some(sequence);
    }
    Ok(())
}
