//! Calls to a module and back: one at a time, and with a thousand under way.

use std::time::Instant;

use anyhow::Result;
use client::{Call, Handle, Untyped};
use serde_json::json;

use crate::bench::floor;
use crate::bench::row::{Measure, Row, median};

/// Latency of a caller.
pub const LATENCY: Row = Row {
    name: "round-trip",
    what: "kvs.ping, one at a time, median (floor: bare ZeroMQ relay)",
    unit: "us",
    measure: Measure::Inside(latency_us),
    floor: Some(floor::relay_us),
};

/// Request rate of a service.
pub const RATE: Row = Row {
    name: "round-trips",
    what: "kvs.ping, 1,000 under way (floor: bare ZeroMQ relay)",
    unit: "1/s",
    measure: Measure::Inside(rate_per_s),
    floor: Some(floor::relay_per_s),
};

const LATENCY_CALLS: usize = 20_000;
const RATE_CALLS: usize = 300_000;
const OUTSTANDING: usize = 1_000;

fn ping() -> Call<Untyped> {
    // 200 bytes altogether, as in the floor.
    Call::raw("kvs.ping").json(&json!({ "pad": "x".repeat(150) }))
}

fn latency_us(handle: &mut Handle) -> Result<f64> {
    let mut samples = Vec::with_capacity(LATENCY_CALLS);
    for _ in 0..LATENCY_CALLS {
        let start = Instant::now();
        handle.call(ping())?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    // The first tenth warms up.
    Ok(median(samples.split_off(LATENCY_CALLS / 10)))
}

fn rate_per_s(handle: &mut Handle) -> Result<f64> {
    let call = ping();
    for _ in 0..OUTSTANDING {
        handle.start(call.clone());
    }
    let start = Instant::now();
    for _ in 0..RATE_CALLS {
        handle.next(&[], None)?;
        handle.start(call.clone());
    }
    let took = start.elapsed();
    for _ in 0..OUTSTANDING {
        handle.next(&[], None)?;
    }
    Ok(RATE_CALLS as f64 / took.as_secs_f64())
}
