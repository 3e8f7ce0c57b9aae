//! Memory of a broker above rank 0 with its modules, in an instance that has just begun.

use anyhow::{Context, Result};
use client::Handle;
use serde_json::json;

use super::handles;
use crate::bench::row::{Measure, Measured, Row};
use crate::proc::{children_of, proportional_kib, resident_kib};

/// Memory of one more broker on the same host.
pub const SHARED: Row = Row {
    name: "tree-memory",
    what: "memory of a follower with its modules, shared pages divided (beside: promised)",
    unit: "MiB",
    measure: Measure::InsideOf(&["-s16"], |_| follower_mib(proportional_kib)),
    floor: None,
};

/// Memory on a host that runs nothing else: pages of a program that several processes
/// share are counted for each.
pub const RESIDENT: Row = Row {
    name: "tree-memory-rss",
    what: "the same, shared pages counted for every process (beside: promised)",
    unit: "MiB",
    measure: Measure::InsideOf(&["-s16"], |_| follower_mib(resident_kib)),
    floor: None,
};

const BROKERS: u32 = 16;
const PROMISED_MIB: f64 = 20.0;

fn follower_mib(kib_of: impl Fn(u32) -> Result<u64>) -> Result<Measured> {
    let mut kib = 0;
    for mut handle in handles(1..BROKERS)? {
        let broker = pid_of(&mut handle)?;
        for pid in children_of(broker)?.into_iter().chain([broker]) {
            kib += kib_of(pid)?;
        }
    }
    Ok(Measured {
        figure: kib as f64 / 1024.0 / f64::from(BROKERS - 1),
        beside: Some(PROMISED_MIB),
    })
}

fn pid_of(handle: &mut Handle) -> Result<u32> {
    let answer = handle.rpc_json("attr.get", &json!({ "name": "broker.pid" }))?;
    Ok(answer["value"].as_str().context("no broker.pid")?.parse()?)
}
