//! Ranks touched by a fault, with begin and end. A broker that is killed or cut off takes
//! those below with it; they are touched until all from rank 0 down to them are one tree
//! again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use client::Call;
use proto::overlay::{Health, HealthReply};
use proto::{Delivery, state_machine};

use super::hosts::Hosts;
use super::{SIZE, parent};

/// A broker that does not answer for so long is asked again later.
const ANSWER: Duration = Duration::from_secs(5);

/// State of faults.
#[derive(Default)]
pub struct Branches {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// When each rank was touched first, as long as it is.
    open: BTreeMap<u32, Instant>,
    /// Rank, and from when to when it was touched.
    closed: Vec<(u32, Instant, Instant)>,
    /// Time at which each rank was last touched.
    last: BTreeMap<u32, Instant>,
    paused: Vec<u32>,
}

/// Ranks between two, both included.
pub fn path(one: u32, other: u32) -> Vec<u32> {
    let up = |rank: u32| std::iter::successors(Some(rank), |rank| parent(*rank));
    let common = up(one).find(|rank| up(other).any(|above| above == *rank));
    let common = common.unwrap_or(0);
    let below = |rank: u32| up(rank).take_while(move |rank| *rank != common);
    below(one).chain(below(other)).chain([common]).collect()
}

impl Branches {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A rank is about to be touched, and those below with it.
    pub fn touch(&self, rank: u32) {
        let now = Instant::now();
        let mut book = self.book();
        for below in (0..SIZE).filter(|below| path(*below, 0).contains(&rank)) {
            book.touch(below, now);
        }
    }

    /// A rank is about to be paused: nobody may notice but by waiting.
    pub fn pause(&self, rank: u32) {
        self.book().paused.push(rank);
    }

    /// Resumes a broker.
    pub fn resume(&self, rank: u32) {
        self.book().paused.retain(|paused| *paused != rank);
    }

    /// True if one of two ranks is paused now.
    pub fn is_paused(&self, ranks: &[u32]) -> bool {
        let book = self.book();
        ranks.iter().any(|rank| book.paused.contains(rank))
    }

    /// True if one of these ranks was touched between two moments.
    pub fn were_touched(&self, ranks: &[u32], from: Instant, to: Instant) -> bool {
        let book = self.book();
        let is_open = |rank: &u32| book.open.get(rank).is_some_and(|since| *since <= to);
        let mut closed = book.closed.iter();
        ranks.iter().any(is_open)
            || closed
                .any(|(rank, since, until)| ranks.contains(rank) && *since <= to && *until >= from)
    }

    /// True if no rank is touched.
    pub fn is_whole(&self) -> bool {
        self.book().open.is_empty()
    }

    /// Looks which ranks are one tree again.
    pub fn look(&self, hosts: &Hosts) {
        if self.is_whole() {
            return;
        }
        let began = Instant::now();
        let mut reached = vec![0];
        let mut at = 0;
        while let Some(rank) = reached.get(at).copied() {
            at += 1;
            let Some(health) = running(hosts, rank) else {
                continue;
            };
            self.book().close(rank, began);
            let online = health
                .children
                .iter()
                .filter(|child| child.status.is_online());
            reached.extend(online.map(|child| child.rank));
        }
    }

    /// Ranks touched after a moment, with times in seconds before now.
    pub fn history(&self, since: Instant) -> String {
        let (book, now) = (self.book(), Instant::now());
        let ago = |when: &Instant| now.duration_since(*when).as_secs_f64();
        let closed = book.closed.iter().filter(|(_, _, until)| *until >= since);
        let closed = closed.map(|(rank, from, until)| {
            format!("{rank} from -{:.1} s to -{:.1} s", ago(from), ago(until))
        });
        let open = book.open.iter();
        let open = open.map(|(rank, from)| format!("{rank} from -{:.1} s", ago(from)));
        closed.chain(open).collect::<Vec<_>>().join(", ")
    }

    /// For those who have to find out.
    pub fn describe(&self, hosts: &Hosts) -> String {
        let open: Vec<u32> = self.book().open.keys().copied().collect();
        let said = (0..SIZE).map(|rank| format!("\n{rank}: {:?}", running(hosts, rank)));
        format!("ranks {open:?} are touched{}", said.collect::<String>())
    }
}

impl Book {
    fn touch(&mut self, rank: u32, now: Instant) {
        self.open.entry(rank).or_insert(now);
        // A look that has begun before does not count.
        self.last.insert(rank, now);
    }

    fn close(&mut self, rank: u32, looked: Instant) {
        if self.last.get(&rank).is_some_and(|last| *last >= looked) {
            return;
        }
        if let Some(since) = self.open.remove(&rank) {
            self.closed.push((rank, since, Instant::now()));
        }
    }
}

/// Status of its children from the broker of a rank, if it runs.
fn running(hosts: &Hosts, rank: u32) -> Option<HealthReply> {
    let mut handle = hosts.open(rank)?;
    let deadline = Some(ANSWER);
    let wait = Delivery::Wait { deadline };
    let state = handle
        .call(Call::new(&state_machine::Get).delivery(wait))
        .ok()?;
    let health = handle.call(Call::new(&Health).delivery(wait)).ok()?;
    (state.state == "run").then_some(health)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_over_the_nearest_common_broker() {
        for (one, other, expect) in [
            (0, 0, vec![0]),
            (7, 7, vec![7]),
            (7, 1, vec![1, 3, 7]),
            (3, 4, vec![1, 3, 4]),
            (7, 6, vec![0, 1, 2, 3, 6, 7]),
        ] {
            let mut path = path(one, other);
            path.sort_unstable();
            assert_eq!(path, expect, "{one} to {other}");
        }
    }

    #[test]
    fn those_below_are_touched_too_and_no_others() {
        let branches = Branches::default();
        let before = Instant::now();
        branches.touch(3);
        let now = Instant::now();
        for (rank, expect) in [(0, false), (1, false), (3, true), (7, true), (4, false)] {
            assert_eq!(
                branches.were_touched(&[rank], before, now),
                expect,
                "{rank}"
            );
        }
    }
}
