//! Programs on every rank that publish events and listen. Between the first and the last event
//! that one has heard over one connection none is missing, and none comes twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use client::Handle;
use proto::Refusal;
use wire::Kind;

use super::complaints::Complaints;
use super::ping::{is_excused, is_on_the_way};
use super::{Fire, SIZE};
use crate::crash::Tally;

/// Between two events of a publisher.
const PAUSE: Duration = Duration::from_millis(40);
/// Time for which a listener waits before it checks whether everything has ended.
const TURN: Duration = Duration::from_millis(200);
/// Time limit of the last event.
const PATIENCE: Duration = Duration::from_secs(20);
/// Prefix of the events.
const TOPIC: &str = "crash.";

/// Events published and received.
#[derive(Default)]
pub struct Events {
    book: Mutex<Book>,
    /// The number of the last event that each rank has received.
    newest: [AtomicU64; SIZE as usize],
}

#[derive(Default)]
struct Book {
    /// Numbers of events whose publisher was answered.
    published: BTreeSet<u32>,
    n_refused: u64,
    /// Events received over each connection.
    heard: Vec<(u32, Vec<u32>)>,
    wrong: Complaints,
}

impl Events {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self, what: &'static str, complaint: String) {
        self.book().wrong.add(what, complaint);
    }

    /// Adds it to the figures.
    pub fn add_up(&self, tally: &mut Tally) {
        let mut book = self.book();
        let heard = std::mem::take(&mut book.heard);
        let n_heard: usize = heard.iter().map(|(_, numbers)| numbers.len()).sum();
        for (rank, numbers) in &heard {
            let missing = book.missing(numbers);
            if !missing.is_empty() {
                let complaint = format!("rank {rank} has not heard {missing:?}");
                book.wrong.add("events lost", complaint);
            }
        }
        tally.figure("tree", "events published", book.published.len() as u64);
        tally.figure(
            "tree",
            "publications refused over touched branches",
            book.n_refused,
        );
        tally.figure("tree", "connections of listeners", heard.len() as u64);
        tally.figure("tree", "events heard", n_heard as u64);
        let kinds = [
            "events lost",
            "events out of order",
            "publishers refused",
            "listeners cut off",
        ];
        book.wrong.add_up(kinds, tally);
    }
}

impl Book {
    /// Events published between the first and the last of these numbers and not received.
    fn missing(&self, heard: &[u32]) -> Vec<u32> {
        let (Some(first), Some(last)) = (heard.first(), heard.last()) else {
            return Vec::new();
        };
        let there: BTreeSet<&u32> = heard.iter().collect();
        let published = self.published.range(first..=last);
        published.filter(|n| !there.contains(n)).copied().collect()
    }
}

/// Publishes until everything has ended.
pub fn publish(fire: &Fire, rank: u32) {
    while !fire.is_over() {
        let Some(mut handle) = fire.hosts.open(rank) else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let mut used = Instant::now();
        let mut is_of_use = true;
        while is_of_use && !fire.is_over() {
            is_of_use = publish_one(fire, &mut handle, rank, used);
            used = Instant::now();
            std::thread::sleep(PAUSE);
        }
    }
}

/// One event; false if the connection is of no use any more.
fn publish_one(fire: &Fire, handle: &mut Handle, rank: u32, used: Instant) -> bool {
    let event = Handle::event(&format!("{TOPIC}{rank}"), Default::default(), false);
    let began = Instant::now();
    match handle.publish(&event) {
        Ok(number) => {
            fire.events.book().published.insert(number);
            true
        }
        Err(refusal) => {
            fire.events.book().n_refused += 1;
            let is_of_use = is_on_the_way(&refusal);
            // The loss of the own broker is found by the next request.
            let since = if is_of_use { began } else { used };
            if !is_excused(fire, rank, 0, since, Instant::now()) {
                let complaint = format!("rank {rank}: {refusal}");
                fire.events.wrong("publishers refused", complaint);
            }
            is_of_use
        }
    }
}

/// Listens until everything has ended.
pub fn listen(fire: &Fire, rank: u32) {
    while !fire.is_over() {
        let Some(mut handle) = fire.hosts.open(rank) else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let began = Instant::now();
        let mut heard = Vec::new();
        let end = listen_to(fire, &mut handle, rank, &mut heard);
        fire.events.book().heard.push((rank, heard));
        if let Err(refusal) = end
            && !is_excused(fire, rank, 0, began, Instant::now())
        {
            let complaint = format!("rank {rank}: {refusal}");
            fire.events.wrong("listeners cut off", complaint);
        }
    }
}

fn listen_to(
    fire: &Fire,
    handle: &mut Handle,
    rank: u32,
    heard: &mut Vec<u32>,
) -> Result<(), Refusal> {
    handle.subscribe(TOPIC)?;
    while !fire.is_over() {
        let Some(event) = handle.next_event(Some(Instant::now() + TURN))? else {
            continue;
        };
        let Kind::Event { sequence } = event.kind else {
            continue;
        };
        if heard.last().is_some_and(|last| *last >= sequence) {
            let complaint = format!("rank {rank} hears {sequence} after {:?}", heard.last());
            fire.events.wrong("events out of order", complaint);
        }
        heard.push(sequence);
        let newest = &fire.events.newest[rank as usize];
        newest.fetch_max(u64::from(sequence), Ordering::Relaxed);
    }
    Ok(())
}

/// Waits until an event that is published now is received everywhere.
pub fn rest(fire: &Fire) {
    let newest = fire.events.book().published.last().copied();
    let newest = u64::from(newest.unwrap_or(0));
    let end = Instant::now() + PATIENCE;
    let is_heard = |n: &AtomicU64| n.load(Ordering::Relaxed) > newest;
    while !fire.events.newest.iter().all(is_heard) {
        if Instant::now() > end {
            let silent = (0..SIZE).filter(|n| !is_heard(&fire.events.newest[*n as usize]));
            let complaint = format!("{:?} hear nothing in the end", silent.collect::<Vec<_>>());
            return fire.events.wrong("listeners cut off", complaint);
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_between_the_first_and_the_last() {
        let book = Book {
            published: [1, 3, 5, 7].into(),
            ..Book::default()
        };
        for (heard, expect) in [
            (vec![], vec![]),
            (vec![3], vec![]),
            (vec![3, 4, 5], vec![]),
            (vec![2, 4, 7], vec![3, 5]),
        ] {
            assert_eq!(book.missing(&heard), expect, "{heard:?}");
        }
    }
}
