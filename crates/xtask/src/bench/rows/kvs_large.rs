//! A store of a million keys: the memory that it takes, and how it comes back.

use std::time::Instant;

use anyhow::{Context, Result};
use client::Handle;
use proto::kvs::{Lookup, PRIMARY};
use serde_json::json;

use super::kvs::fill;
use crate::bench::row::{Measure, Row};
use crate::proc::{children_of, program_of, proportional_kib};

/// Memory of the service after it has written this amount.
pub const MEMORY: Row = Row {
    name: "kvs-memory-1m",
    what: "memory of the kvs process after 1,000,000 keys of 64 bytes in 1,000 directories",
    unit: "MiB",
    measure: Measure::Inside(memory_mib),
    floor: None,
};

/// The first answer of an instance.
pub const FIRST: Row = Row {
    name: "kvs-first",
    what: "the first lookup of an instance, nothing in memory",
    unit: "ms",
    measure: Measure::Inside(first_ms),
    floor: None,
};

/// The same on a large store.
pub const REOPEN: Row = Row {
    name: "kvs-reopen-1m",
    what: "the first lookup of an instance on a store of 1,000,000 keys",
    unit: "ms",
    measure: Measure::Outside(|subject| {
        let folder = tempfile::tempdir()?;
        let option = format!("-Sstatedir={}", folder.path().display());
        subject.measure_inside_of(&[&option], MEMORY.name)?;
        Ok(subject.measure_inside_of(&[&option], FIRST.name)?.figure)
    }),
    floor: None,
};

const DIRS: usize = 1_000;
const KEYS_A_DIR: usize = 1_000;

fn memory_mib(handle: &mut Handle) -> Result<f64> {
    for dir in 0..DIRS {
        let value = |n| format!("{:064}", dir * KEYS_A_DIR + n);
        fill(handle, &format!("large.d{dir}"), KEYS_A_DIR, value)?;
    }
    let answer = handle.rpc_json("attr.get", &json!({ "name": "broker.pid" }))?;
    let broker = answer["value"].as_str().context("no broker.pid")?.parse()?;
    let children = children_of(broker)?.into_iter();
    // Where modules are threads of the broker it is the broker that holds it.
    let kvs = children
        .into_iter()
        .find(|pid| program_of(*pid) == "flux-module-kvs");
    Ok(proportional_kib(kvs.unwrap_or(broker))? as f64 / 1024.0)
}

fn first_ms(handle: &mut Handle) -> Result<f64> {
    let lookup = Lookup::new(PRIMARY, "large.d500.k500", 0);
    let start = Instant::now();
    // In a new instance there is no such key, which takes an answer too.
    let _ = handle.rpc(&lookup);
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
