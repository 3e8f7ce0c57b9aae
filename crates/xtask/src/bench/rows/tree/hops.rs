//! The way from a broker to rank 0 and back, by the number of brokers on it.

use std::time::Instant;

use anyhow::Result;
use client::{Call, Handle};
use serde_json::json;

use super::handles;
use crate::bench::floor;
use crate::bench::row::{Measure, Measured, Row, median};

/// A program and its own broker.
pub const LOCAL: Row = Row {
    name: "tree-local",
    what: "broker.ping of the own broker, median (floor: bare ZeroMQ relay)",
    unit: "us",
    measure: Measure::InsideOf(CHAIN, |_| Ok(over(0)?.0.into())),
    floor: Some(floor::relay_us),
};

/// One link.
pub const ONE: Row = Row {
    name: "tree-hops-1",
    what: "broker.ping of rank 0 from rank 1 (beside: 2 times the own broker)",
    unit: "us",
    measure: Measure::InsideOf(CHAIN, |_| beside_local(1)),
    floor: None,
};

/// Two links.
pub const TWO: Row = Row {
    name: "tree-hops-2",
    what: "broker.ping of rank 0 from rank 2 (beside: 3 times the own broker)",
    unit: "us",
    measure: Measure::InsideOf(CHAIN, |_| beside_local(2)),
    floor: None,
};

/// Three links.
pub const THREE: Row = Row {
    name: "tree-hops-3",
    what: "broker.ping of rank 0 from rank 3 (beside: 4 times the own broker)",
    unit: "us",
    measure: Measure::InsideOf(CHAIN, |_| beside_local(3)),
    floor: None,
};

/// Cost of one more link on one host.
pub const LINK: Row = Row {
    name: "tree-link",
    what: "each of three links, on one host (floor: bare ZeroMQ with CURVE over ipc)",
    unit: "us",
    measure: Measure::InsideOf(CHAIN, |_| link()),
    floor: Some(floor::curve_ipc_us),
};

/// The same, held against the best that the kernel does.
pub const LINK_SOCKET: Row = Row {
    name: "tree-link-socket",
    what: "each of three links, on one host (floor: a UNIX socket between two processes)",
    unit: "us",
    measure: Measure::InsideOf(CHAIN, |_| link()),
    floor: Some(floor::socket_us),
};

/// Cost of one more link between hosts, as far as the loopback interface shows it.
pub const LINK_TCP: Row = Row {
    name: "tree-link-tcp",
    what: "the same over TCP (floor: bare ZeroMQ with CURVE over TCP)",
    unit: "us",
    measure: Measure::InsideOf(CHAIN_TCP, |_| link()),
    floor: Some(floor::curve_tcp_us),
};

const CHAIN: &[&str] = &["-s4", "-Stbon.topo=kary:1"];
const CHAIN_TCP: &[&str] = &["-s4", "-Stbon.topo=kary:1", "-Stbon.prefertcp=1"];
const LINKS: u32 = 3;
const CALLS: usize = 10_000;
const WARM_UP: usize = 1_000;

/// Round trips over `links` links, and one that ends at the own broker.
fn beside_local(links: u32) -> Result<Measured> {
    let (over, local) = over(links)?;
    Ok(Measured {
        figure: over,
        beside: Some(f64::from(links + 1) * local),
    })
}

fn link() -> Result<Measured> {
    let (over, local) = over(LINKS)?;
    Ok(((over - local) / f64::from(LINKS)).into())
}

/// The medians of round trips from the broker that is `links` links below rank 0, to rank 0
/// and to itself, each in turn, so that they share the machine's mood.
fn over(links: u32) -> Result<(f64, f64)> {
    let mut handles = handles(links..links + 1)?;
    let (mut far, mut near) = (Vec::new(), Vec::new());
    for handle in &mut handles {
        for n in 0..WARM_UP + CALLS {
            let times = (ping_us(handle, 0)?, ping_us(handle, links)?);
            if n >= WARM_UP {
                far.push(times.0);
                near.push(times.1);
            }
        }
    }
    Ok((median(far), median(near)))
}

fn ping_us(handle: &mut Handle, rank: u32) -> Result<f64> {
    // 200 bytes altogether, as in the floor.
    let call = Call::raw("broker.ping").json(&json!({ "pad": "x".repeat(150) }));
    let start = Instant::now();
    handle.call(call.to(rank))?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}
