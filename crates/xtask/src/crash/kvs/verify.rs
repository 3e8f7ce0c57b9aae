//! Stored state after a restart, compared with the acknowledgements.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use client::{Call, Handle};
use proto::kvs::{Found, Lookup, PRIMARY, WATCH, WATCH_APPEND};
use proto::kvs_watch;

use super::load::{Seen, Told, key_of, log_of, numbers_of};
use crate::site::Site;

/// The writer whose log is watched.
pub const WATCHED: usize = 0;

/// Differences from the acknowledged state; of each writer the commits from `first` on
/// are checked.
pub fn wrong(site: &Site, told: &[Told], seen: &Seen, first: &[usize]) -> Result<Vec<String>> {
    let mut handle = site.open()?;
    let mut wrong = Vec::new();
    for (writer, (told, first)) in told.iter().zip(first).enumerate() {
        let log = value(&mut handle, &log_of(writer)).unwrap_or_default();
        let numbers: BTreeSet<u64> = match numbers_of(&log) {
            Ok(numbers) => numbers.into_iter().collect(),
            Err(what) => {
                wrong.push(format!("{}: {what}", log_of(writer)));
                continue;
            }
        };
        let acknowledged = &told.acknowledged[*first..];
        let begin = acknowledged.first().copied().unwrap_or(told.next);
        // Those that were refused may be there or not, but whole.
        for n in begin..told.next {
            let key = key_of(writer, n);
            let in_log = numbers.contains(&n);
            let found = value(&mut handle, &key);
            if acknowledged.binary_search(&n).is_ok() && !in_log {
                wrong.push(format!("lost: {key} in the log"));
            }
            let expect = in_log.then(|| n.to_string());
            if found != expect {
                wrong.push(format!("{key} is {found:?}, and by the log {expect:?}"));
            }
        }
        if writer == WATCHED {
            wrong.extend(wrong_with_watch(&mut handle, &log, seen)?);
        }
    }
    Ok(wrong)
}

/// Checks that watches saw the beginning of the log, and that a new one sees all of it.
fn wrong_with_watch(handle: &mut Handle, log: &str, seen: &Seen) -> Result<Option<String>> {
    if !log.starts_with(&seen.log) {
        return Ok(Some("a watch saw what is not in the log".to_owned()));
    }
    let request = kvs_watch::Lookup::new(PRIMARY, &log_of(WATCHED), WATCH | WATCH_APPEND);
    let mut text = String::new();
    let mut stream = handle.stream(Call::new(&request));
    while text.len() < log.len() {
        let watched = stream.next().context("the watch ended")??;
        let bytes = watched.bytes().unwrap_or_default();
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    Ok((text != log).then(|| "a watch sees another log than a lookup".to_owned()))
}

fn value(handle: &mut Handle, key: &str) -> Option<String> {
    let found = handle.rpc(&Lookup::new(PRIMARY, key, 0));
    let bytes = found.ok().and_then(Found::bytes)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
