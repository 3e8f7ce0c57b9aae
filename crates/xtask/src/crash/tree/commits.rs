//! Programs on every rank that commit. Acknowledged commits are stored in the end, once and
//! in order, and a lookup on the same rank sees them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use client::{Call, Handle};
use proto::kvs::{Commit, Lookup, PRIMARY};
use proto::{Errno, Refusal};

use super::complaints::Complaints;
use super::ping::{call, is_excused, is_on_the_way};
use super::{Fire, SIZE};
use crate::crash::Tally;

/// Between two commits.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers to all clients.
#[derive(Default)]
pub struct Commits(Mutex<Book>);

#[derive(Default)]
struct Book {
    /// By rank.
    told: BTreeMap<u32, Told>,
    wrong: Complaints,
}

#[derive(Default)]
struct Told {
    sent: u64,
    acknowledged: BTreeSet<u64>,
}

/// The log of a rank, and its newest number.
fn log_of(rank: u32) -> String {
    format!("crash.tree.log{rank}")
}

fn newest_of(rank: u32) -> String {
    format!("crash.tree.newest{rank}")
}

impl Commits {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self, what: &'static str, complaint: String) {
        self.book().wrong.add(what, complaint);
    }

    /// Adds it to the figures.
    pub fn add_up(&self, tally: &mut Tally) {
        let mut book = self.book();
        let told = book.told.values();
        let sent = told.clone().map(|told| told.sent).sum();
        let acknowledged = told.map(|told| told.acknowledged.len() as u64).sum();
        tally.figure("tree", "commits sent", sent);
        tally.figure("tree", "commits acknowledged", acknowledged);
        let kinds = [
            "commits that failed on untouched branches",
            "commits that hung",
            "commits not seen on their own rank",
            "commits lost, doubled or out of order",
        ];
        book.wrong.add_up(kinds, tally);
    }
}

/// Commits until everything has ended.
pub fn commit(fire: &Fire, rank: u32) {
    while !fire.is_resting() {
        let Some(mut handle) = fire.hosts.open(rank) else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let mut used = Instant::now();
        let mut is_of_use = true;
        while is_of_use && !fire.is_resting() {
            let began = Instant::now();
            if let Err(refusal) = commit_one(fire, &mut handle, rank) {
                is_of_use = is_on_the_way(&refusal);
                // The loss of the own broker is found by the next request.
                let since = if is_of_use { began } else { used };
                complain(fire, rank, since, &refusal);
            }
            used = Instant::now();
            std::thread::sleep(PAUSE);
        }
    }
}

/// One commit, and a look at its effect.
fn commit_one(fire: &Fire, handle: &mut Handle, rank: u32) -> Result<(), Refusal> {
    let n = {
        let mut book = fire.commits.book();
        let told = book.told.entry(rank).or_default();
        told.sent += 1;
        told.sent
    };
    let commit = Commit::new(PRIMARY)
        .append(log_of(rank), format!("{n};"))
        .put(newest_of(rank), n.to_string());
    call(handle, Call::new(&commit))?;
    let mut book = fire.commits.book();
    let told = book.told.entry(rank).or_default();
    told.acknowledged.insert(n);
    drop(book);
    let lookup = Lookup::new(PRIMARY, &newest_of(rank), 0);
    let bytes = call(handle, Call::new(&lookup))?
        .bytes()
        .unwrap_or_default();
    if bytes != n.to_string().as_bytes() {
        let complaint = format!("rank {rank} sees {bytes:?} after commit {n}");
        let what = "commits not seen on their own rank";
        fire.commits.wrong(what, complaint);
    }
    Ok(())
}

fn complain(fire: &Fire, rank: u32, began: Instant, refusal: &Refusal) {
    let complaint = format!("rank {rank}: {refusal}");
    if refusal.errno == Errno::ETIMEDOUT {
        fire.commits.wrong("commits that hung", complaint);
    } else if !is_excused(fire, rank, 0, began, Instant::now()) {
        let what = "commits that failed on untouched branches";
        fire.commits.wrong(what, complaint);
    }
}

/// Looks whether everything is there that was acknowledged.
pub fn verify(fire: &Fire, handle: &mut Handle) {
    for rank in 0..SIZE {
        let found = call(handle, Call::new(&Lookup::new(PRIMARY, &log_of(rank), 0)));
        let bytes = found.ok().and_then(proto::kvs::Found::bytes);
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        let mut book = fire.commits.book();
        let told = book.told.entry(rank).or_default();
        if let Some(complaint) = what_is_wrong(&text, told) {
            let complaint = format!("rank {rank}: {complaint}");
            book.wrong
                .add("commits lost, doubled or out of order", complaint);
        }
    }
}

/// Error in a log of numbers, if any.
fn what_is_wrong(text: &str, told: &Told) -> Option<String> {
    let numbers: Result<Vec<u64>, _> = text.split_terminator(';').map(str::parse).collect();
    let Ok(numbers) = numbers else {
        return Some(format!("no log: {text}"));
    };
    let mut pairs = numbers.iter().zip(numbers.iter().skip(1));
    if let Some((one, next)) = pairs.find(|(one, next)| one >= next) {
        return Some(format!("{next} after {one}"));
    }
    let there: BTreeSet<u64> = numbers.into_iter().collect();
    let lost = told.acknowledged.difference(&there).next();
    let lost = lost.map(|n| format!("{n} was acknowledged and is not there"));
    let invented = there.iter().find(|n| **n > told.sent);
    lost.or_else(|| invented.map(|n| format!("nobody has sent {n}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_what_was_acknowledged_and_may_have_what_was_sent() {
        let told = Told {
            sent: 4,
            acknowledged: [1, 3].into(),
        };
        for (text, expect) in [
            ("1;3;", None),
            ("1;2;3;4;", None),
            ("1;2;", Some("3 was acknowledged and is not there")),
            ("1;1;3;", Some("1 after 1")),
            ("1;3;2;", Some("2 after 3")),
            ("1;3;5;", Some("nobody has sent 5")),
            ("1;x;", Some("no log: 1;x;")),
        ] {
            assert_eq!(what_is_wrong(text, &told).as_deref(), expect, "{text}");
        }
    }
}
