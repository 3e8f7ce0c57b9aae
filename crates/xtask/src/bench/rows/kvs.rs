//! Commits and lookups. Read on in `kvs_logs.rs` (event logs and watches) and
//! `kvs_large.rs` (a store of a million keys).

use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use client::{Arrival, Call, Handle, Options};
use proto::Method;
use proto::kvs::{Commit, Lookup, PRIMARY};

use crate::bench::floor;
use crate::bench::row::{Measure, Row, median};

/// A small directory.
pub const COMMIT_10: Row = commit_in(
    "kvs-commit-10",
    "commit one key, one client, directory of 10, median (floor: bare ZeroMQ relay)",
    |handle| commit_us(handle, 10),
);

/// One that a list fits on a screen no more.
pub const COMMIT_1K: Row = commit_in(
    "kvs-commit-1k",
    "the same in a directory of 1,000",
    |handle| commit_us(handle, 1_000),
);

/// A large one.
pub const COMMIT_10K: Row = commit_in(
    "kvs-commit-10k",
    "the same in a directory of 10,000",
    |handle| commit_us(handle, 10_000),
);

/// One that should have been several.
pub const COMMIT_50K: Row = commit_in(
    "kvs-commit-50k",
    "the same in a directory of 50,000",
    |handle| commit_us(handle, 50_000),
);

const fn commit_in(
    name: &'static str,
    what: &'static str,
    measure: fn(&mut Handle) -> Result<f64>,
) -> Row {
    Row {
        name,
        what,
        unit: "us",
        measure: Measure::Inside(measure),
        floor: Some(floor::relay_us),
    }
}

/// One client that waits for each commit.
pub const CLIENT_1: Row = clients(
    "kvs-clients-1",
    "commits of 1 client that waits for each",
    |_| commits_per_s(1),
);

/// A few.
pub const CLIENT_8: Row = clients(
    "kvs-clients-8",
    "commits of 8 clients that wait for each",
    |_| commits_per_s(8),
);

/// As many as a busy node has.
pub const CLIENT_32: Row = clients(
    "kvs-clients-32",
    "commits of 32 clients that wait for each",
    |_| commits_per_s(32),
);

const fn clients(
    name: &'static str,
    what: &'static str,
    measure: fn(&mut Handle) -> Result<f64>,
) -> Row {
    Row {
        name,
        what,
        unit: "1/s",
        measure: Measure::Inside(measure),
        floor: None,
    }
}

/// One client that does not wait.
pub const WINDOW: Row = Row {
    name: "kvs-window-64",
    what: "commits, 64 under way, into 256 directories (floor: bare ZeroMQ relay)",
    unit: "1/s",
    measure: Measure::Inside(window_per_s),
    floor: Some(floor::relay_per_s),
};

/// Reading data in memory.
pub const LOOKUPS: Row = Row {
    name: "kvs-lookups",
    what: "lookups in a directory of 1,000, 1,000 under way (floor: bare ZeroMQ relay)",
    unit: "1/s",
    measure: Measure::Inside(lookups_per_s),
    floor: Some(floor::relay_per_s),
};

const MEASURED: usize = 500;
const WARM_UP: usize = 50;
const COMMITS_OF_ALL: usize = 4_000;
const WINDOW_COMMITS: usize = 20_000;
const LOOKUPS_MEASURED: usize = 200_000;

/// Fills a directory in commits of a size that any store takes.
pub fn fill(
    handle: &mut Handle,
    dir: &str,
    keys: usize,
    value: impl Fn(usize) -> String,
) -> Result<()> {
    for first in (0..keys).step_by(5_000) {
        let mut commit = Commit::new(PRIMARY);
        for n in first..keys.min(first + 5_000) {
            commit = commit.put(format!("{dir}.k{n}"), value(n));
        }
        handle.rpc(&commit)?;
    }
    Ok(())
}

fn commit_us(handle: &mut Handle, keys: usize) -> Result<f64> {
    fill(handle, "bench", keys, |_| "1".to_owned())?;
    let mut samples = Vec::with_capacity(MEASURED);
    for n in 0..WARM_UP + MEASURED {
        let key = format!("bench.k{}", n * 7919 % keys);
        let commit = Commit::new(PRIMARY).put(key, n.to_string());
        let start = Instant::now();
        handle.rpc(&commit)?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(samples.split_off(WARM_UP)))
}

/// Calls of as many clients at once, each of which waits for its answers; calls per
/// second of all.
pub fn per_s_of_clients<M: Method + Sync>(
    clients: usize,
    calls: usize,
    request: impl Fn(usize, usize) -> M + Sync,
) -> Result<f64> {
    let uri = std::env::var("FLUX_URI").context("no instance around us")?;
    let mut handles = Vec::with_capacity(clients);
    for _ in 0..clients {
        handles.push(Handle::open(Some(&uri), &Options::default())?);
    }
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = handles
            .into_iter()
            .enumerate()
            .map(|(client, mut handle)| {
                let request = &request;
                scope.spawn(move || -> Result<()> {
                    for n in 0..calls / clients {
                        handle.rpc(&request(client, n))?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            let joined = thread.join();
            joined.unwrap_or_else(|_| anyhow::bail!("a client panicked"))
        })
    })?;
    Ok((calls / clients * clients) as f64 / start.elapsed().as_secs_f64())
}

fn commits_per_s(clients: usize) -> Result<f64> {
    per_s_of_clients(clients, COMMITS_OF_ALL, |client, n| {
        Commit::new(PRIMARY).put(format!("bench.c{client}.k{}", n % 100), n.to_string())
    })
}

/// Calls with `window` of them under way; calls per second.
pub fn per_s_in_window<M: Method>(
    handle: &mut Handle,
    window: usize,
    calls: usize,
    request: impl Fn(usize) -> M,
) -> Result<f64> {
    let start = Instant::now();
    for n in 0..window {
        handle.start(Call::new(&request(n)));
    }
    for n in window..window + calls {
        if let Arrival::Answer(_, answer) = handle.next(&[], None)? {
            ensure!(answer.is_ok(), "a call failed: {answer:?}");
        }
        if n < calls {
            handle.start(Call::new(&request(n)));
        }
    }
    Ok(calls as f64 / start.elapsed().as_secs_f64())
}

fn window_per_s(handle: &mut Handle) -> Result<f64> {
    per_s_in_window(handle, 64, WINDOW_COMMITS, |n| {
        let key = format!("bench.d{}.k{}", n % 256, n / 256);
        Commit::new(PRIMARY).put(key, n.to_string())
    })
}

fn lookups_per_s(handle: &mut Handle) -> Result<f64> {
    fill(handle, "bench", 1_000, |n| {
        format!("value {n} of some length")
    })?;
    per_s_in_window(handle, 1_000, LOOKUPS_MEASURED, |n| {
        Lookup::new(PRIMARY, &format!("bench.k{}", n % 1_000), 0)
    })
}
