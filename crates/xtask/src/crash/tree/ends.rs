//! Agreement of the two ends of each link: a parent reports the same of a child as the
//! child of itself, and reports nobody online who does not run. For a moment they may
//! differ.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{Call, Handle};
use proto::overlay::{Health, HealthReply, Status};
use proto::state_machine;

use super::ping::call;
use super::{Fire, SIZE, parent};
use crate::crash::Tally;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// A check that takes longer says nothing: a broker was paused.
const LOOK_MAX: Duration = Duration::from_millis(500);
/// Two keepalives, which come once a second, and the time to look.
const DIFFER_MAX: Duration = Duration::from_millis(2_500);

/// Results of the checks.
#[derive(Default)]
pub struct Ends(Mutex<Book>);

#[derive(Default)]
struct Book {
    looks: u64,
    differences: u64,
    longest: Duration,
    wrong: Vec<String>,
}

/// Report of a broker.
#[derive(Debug, Clone)]
struct Said {
    /// The parent has taken it in.
    has_joined: bool,
    health: HealthReply,
}

impl Ends {
    /// Adds it to the figures.
    pub fn add_up(&self, tally: &mut Tally) {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.figure("tree", "looks at both ends of all links", book.looks);
        tally.figure("tree", "differences seen for a moment", book.differences);
        let longest = u64::try_from(book.longest.as_millis()).unwrap_or(u64::MAX);
        tally.figure("tree", "ms that two ends differed at most", longest);
        tally.wrong("tree", "links whose ends do not agree", book.wrong.clone());
    }
}

/// Checks all links until everything has ended.
pub fn watch(fire: &Fire) {
    let mut handles: BTreeMap<u32, (u32, Handle)> = BTreeMap::new();
    let mut since: BTreeMap<u32, Instant> = BTreeMap::new();
    while !fire.is_over() {
        std::thread::sleep(PAUSE);
        let began = Instant::now();
        let said: Vec<Option<Said>> = (0..SIZE)
            .map(|rank| ask(fire, &mut handles, rank))
            .collect();
        if began.elapsed() > LOOK_MAX {
            since.clear();
            continue;
        }
        fire.ends
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .looks += 1;
        for child in 1..SIZE {
            let above = parent(child).unwrap_or(0);
            let is_paused = fire.branches.is_paused(&[above, child]);
            let difference = difference(
                said[above as usize].as_ref(),
                said[child as usize].as_ref(),
                child,
            );
            match difference.filter(|_| !is_paused) {
                None => fire.ends.agree(since.remove(&child)),
                Some(what) => {
                    let first = since.entry(child).or_insert(began);
                    if first.elapsed() > DIFFER_MAX {
                        let complaint = format!(
                            "for {:?}: {what}; touched: {}",
                            first.elapsed(),
                            fire.branches.history(*first),
                        );
                        let mut book = fire.ends.0.lock().unwrap_or_else(PoisonError::into_inner);
                        book.wrong.push(complaint);
                        *first = began;
                    }
                }
            }
        }
    }
}

impl Ends {
    fn agree(&self, since: Option<Instant>) {
        if let Some(since) = since {
            let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            book.differences += 1;
            book.longest = book.longest.max(since.elapsed());
        }
    }
}

/// Contradiction between a parent and its child, if any.
fn difference(parent: Option<&Said>, child: Option<&Said>, rank: u32) -> Option<String> {
    let above = parent?;
    let of_child = above
        .health
        .children
        .iter()
        .find(|seen| seen.rank == rank)?;
    let own = child.filter(|child| child.has_joined);
    let own = own.map_or(Status::Offline, |child| child.health.status);
    let agree = match own {
        Status::Offline => !of_child.status.is_online(),
        own => own == of_child.status,
    };
    (!agree).then(|| {
        let above = above.health.rank;
        format!(
            "{above} says that {rank} is {:?}, and it is {own:?}",
            of_child.status
        )
    })
}

/// Asks a broker, if it runs and answers.
fn ask(fire: &Fire, handles: &mut BTreeMap<u32, (u32, Handle)>, rank: u32) -> Option<Said> {
    let pid = fire.hosts.pid(rank)?;
    if fire.branches.is_paused(&[rank]) {
        return None;
    }
    if handles.get(&rank).is_none_or(|(of, _)| *of != pid) {
        handles.insert(rank, (pid, fire.hosts.open(rank)?));
    }
    let (_, handle) = handles.get_mut(&rank)?;
    let said = say(handle);
    if said.is_none() {
        handles.remove(&rank);
    }
    said
}

fn say(handle: &mut Handle) -> Option<Said> {
    let state = call(handle, Call::new(&state_machine::Get)).ok()?;
    let health = call(handle, Call::new(&Health)).ok()?;
    let has_joined = !["load-builtins", "join"].contains(&&*state.state);
    Some(Said { has_joined, health })
}

#[cfg(test)]
mod tests {
    use proto::overlay::ChildHealth;

    use super::*;

    fn said(has_joined: bool, status: Status, child: Status) -> Said {
        let child = ChildHealth {
            rank: 3,
            status: child,
            duration: 0.0,
            error: None,
        };
        let health = HealthReply {
            rank: 1,
            status,
            duration: 0.0,
            children: vec![child],
        };
        Said { has_joined, health }
    }

    #[test]
    fn a_parent_is_wrong_about_one_that_does_not_run_or_says_otherwise() {
        use Status::{Degraded, Full, Lost, Offline};
        for (seen, own, agrees) in [
            (Full, Some((true, Full)), true),
            (Degraded, Some((true, Full)), false),
            (Lost, Some((true, Full)), false),
            (Full, None, false),
            (Lost, None, true),
            (Offline, Some((false, Full)), true),
            (Full, Some((false, Full)), false),
        ] {
            let child = own.map(|(has_joined, status)| said(has_joined, status, Offline));
            let parent = said(true, Full, seen);
            let difference = difference(Some(&parent), child.as_ref(), 3);
            assert_eq!(
                difference.is_none(),
                agrees,
                "{seen:?} {own:?}: {difference:?}"
            );
        }
        assert_eq!(difference(None, None, 3), None);
    }
}
