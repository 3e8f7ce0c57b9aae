//! Commits to the key-value store from programs on every broker, and how often the brokers
//! are told of a new root for them.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use client::Handle;
use proto::kvs::{Commit, PRIMARY};
use serde_json::json;

use super::handles;
use crate::bench::row::{Measure, Measured, Row};

/// Rate of commits by the distance from the store.
pub const RATE: Row = Row {
    name: "tree-commits",
    what: "commits of a program on each of 16 brokers (beside: of 16 programs on rank 0)",
    unit: "1/s",
    measure: Measure::InsideOf(&["-s16"], |_| {
        let (near, _) = commit(rank_0()?)?;
        let (far, _) = commit(handles(0..BROKERS)?)?;
        let beside = Some(near);
        Ok(Measured {
            figure: far,
            beside,
        })
    }),
    floor: None,
};

/// Cost of a commit for every broker: commits that arrive while one is stored share a
/// root.
pub const ROOTS: Row = Row {
    name: "tree-setroots",
    what: "events that tell of a new root for each of these commits (beside: without sharing)",
    unit: "1",
    measure: Measure::InsideOf(&["-s16"], |_| {
        let (_, figure) = commit(handles(0..BROKERS)?)?;
        let beside = Some(1.0);
        Ok(Measured { figure, beside })
    }),
    floor: None,
};

const BROKERS: u32 = 16;
const COMMITS_OF_ONE: usize = 300;

/// As many programs on rank 0.
fn rank_0() -> Result<Vec<Handle>> {
    let one = |_| handles(0..1)?.pop().context("no broker");
    (0..BROKERS).map(one).collect()
}

/// Commits of all that wait for each: the rate per second, and new roots for each.
fn commit(mut handles: Vec<Handle>) -> Result<(f64, f64)> {
    let commits = (handles.len() * COMMITS_OF_ONE) as f64;
    let before = root(&mut handles)?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = handles
            .iter_mut()
            .enumerate()
            .map(|(n, handle)| scope.spawn(move || commit_all(n, handle)))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            let joined = thread.join();
            joined.unwrap_or_else(|_| bail!("a client has panicked"))
        })
    })?;
    let took = start.elapsed().as_secs_f64();
    let roots = root(&mut handles)? - before;
    Ok((commits / took, roots as f64 / commits))
}

fn commit_all(client: usize, handle: &mut Handle) -> Result<()> {
    for n in 0..COMMITS_OF_ONE {
        let key = format!("bench.c{client}.k{}", n % 100);
        handle.rpc(&Commit::new(PRIMARY).put(key, n.to_string()))?;
    }
    Ok(())
}

/// The number of the root of rank 0.
fn root(handles: &mut [Handle]) -> Result<i64> {
    let handle = handles.first_mut().context("no broker")?;
    let answer = handle.rpc_json("kvs.getroot", &json!({ "namespace": PRIMARY }))?;
    answer["rootseq"].as_i64().context("no rootseq")
}
