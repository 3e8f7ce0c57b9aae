//! Event logs that grow, and watches of keys.

use std::time::Instant;

use anyhow::{Context, Result};
use client::{Call, Handle, Options};
use proto::kvs::{Commit, PRIMARY, WAITCREATE, WATCH};
use proto::kvs_watch;

use super::kvs::per_s_of_clients;
use crate::bench::floor;
use crate::bench::row::{Measure, Row, median};

/// The log of a job.
pub const APPEND_500: Row = Row {
    name: "kvs-append-500",
    what: "append to a log of 500 entries, one client, waited for",
    unit: "1/s",
    measure: Measure::Inside(|handle| appends_per_s(handle, 500)),
    floor: None,
};

/// The log of something that lives long.
pub const APPEND_50K: Row = Row {
    name: "kvs-append-50k",
    what: "append to a log of 50,000 entries, one client, waited for",
    unit: "1/s",
    measure: Measure::Inside(|handle| appends_per_s(handle, 50_000)),
    floor: None,
};

/// Several logs at once.
pub const APPEND_CLIENTS: Row = Row {
    name: "kvs-append-clients",
    what: "8 clients append, each to a log of its own and waits",
    unit: "1/s",
    measure: Measure::Inside(|_| {
        per_s_of_clients(8, APPENDS_OF_ALL, |client, _| {
            Commit::new(PRIMARY).append(format!("bench.log{client}"), ENTRY)
        })
    }),
    floor: None,
};

/// One watch among very many.
pub const WATCH_ONE: Row = Row {
    name: "kvs-watch-100k",
    what: "commit to the watch of its key, 100,000 watches, median (floor: bare ZeroMQ relay)",
    unit: "us",
    measure: Measure::Inside(watch_us),
    floor: Some(floor::relay_us),
};

const ENTRY: &str = "{\"timestamp\":1795330129.011286,\"name\":\"bench\",\"context\":{\"n\":1}}\n";
const APPENDS: usize = 1_000;
const APPENDS_OF_ALL: usize = 4_000;
const WATCHES: usize = 100_000;
const NOTICES: usize = 300;

/// The log is made in several appends, as logs are.
fn appends_per_s(handle: &mut Handle, entries: usize) -> Result<f64> {
    for _ in 0..50 {
        handle.rpc(&Commit::new(PRIMARY).append("bench.log", ENTRY.repeat(entries / 50)))?;
    }
    let start = Instant::now();
    for _ in 0..APPENDS {
        handle.rpc(&Commit::new(PRIMARY).append("bench.log", ENTRY))?;
    }
    Ok(APPENDS as f64 / start.elapsed().as_secs_f64())
}

fn watch_us(handle: &mut Handle) -> Result<f64> {
    let uri = std::env::var("FLUX_URI").context("no instance around us")?;
    let mut others = Handle::open(Some(&uri), &Options::default())?;
    for n in 1..WATCHES {
        let request = kvs_watch::Lookup::new(PRIMARY, &format!("bench.k{n}"), WATCH | WAITCREATE);
        others.start_stream(Call::new(&request));
        // One answer of the service now and then: a queue is not what is measured.
        if n % 1_000 == 0 {
            others.rpc(&kvs_watch::StatsGet)?;
        }
    }
    others.rpc(&kvs_watch::StatsGet)?;
    let mut writer = Handle::open(Some(&uri), &Options::default())?;
    writer.rpc(&Commit::new(PRIMARY).put("bench.k0", "0"))?;
    let request = kvs_watch::Lookup::new(PRIMARY, "bench.k0", WATCH);
    let mut stream = handle.stream(Call::new(&request));
    stream.next().context("the watch ended")??;
    let mut samples = Vec::with_capacity(NOTICES);
    for n in 0..NOTICES {
        let start = Instant::now();
        writer.start(Call::new(
            &Commit::new(PRIMARY).put("bench.k0", n.to_string()),
        ));
        writer.flush()?;
        stream.next().context("the watch ended")??;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
        writer.next(&[], None)?;
    }
    Ok(median(samples))
}
