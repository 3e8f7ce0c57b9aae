//! The book that the leading shell keeps of an array: which elements wait, which shell has
//! which, and how the others ended. It decides which elements to hand out, and the consequence
//! when an element ends, is cancelled, or is lost with its shell. Pure.
//!
//! An element is in one place: it waits, is out, has failed, or is good. Once it is one of the
//! latter two it is not handed out again, unless it has failed and that is asked for.

use std::collections::BTreeMap;

use proto::data::IdSet;
use proto::data::array::{ArraySpec, Ended, History, How};

/// An element to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Index.
    pub index: u32,
    /// Number of earlier starts.
    pub tries: u32,
}

/// Number of starts of an element, in all and since it was last requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tries {
    all: u32,
    round: u32,
}

/// An element that a shell has.
#[derive(Debug, Clone, Copy)]
struct Out {
    shell: u32,
    before: Tries,
    is_canceled: bool,
}

/// One that has failed.
#[derive(Debug, Clone, Copy)]
struct Failed {
    code: u8,
    tries: u32,
}

/// Consequence of the end of an element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The end was reported before, or the element is unknown to this shell.
    Unknown,
    /// The element is run again.
    Again,
    /// This was its last end.
    Final(Ended),
}

/// Effect of cancelling elements.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Canceled {
    /// Elements that had not been handed out.
    pub waiting: IdSet,
    /// Shells that are to end some.
    pub out: BTreeMap<u32, IdSet>,
}

/// Progress of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Elements of the array.
    pub all: u64,
    /// Elements that ended well.
    pub good: u64,
    /// Elements that ended otherwise.
    pub failed: u64,
    /// Elements that shells have.
    pub out: u64,
}

/// The book of an array.
#[derive(Debug, Default)]
pub struct Book {
    all: IdSet,
    waiting: IdSet,
    /// Of elements that wait again.
    tries: BTreeMap<u32, Tries>,
    out: BTreeMap<u32, Out>,
    /// Number of elements in each shell.
    n_out: BTreeMap<u32, u64>,
    failed: BTreeMap<u32, Failed>,
    /// Number of failures with each exit code.
    codes: BTreeMap<u8, u64>,
    good: IdSet,
    limit: u64,
    retry: u32,
    is_stopped: bool,
}

impl Book {
    /// Of an array of which nothing is out.
    pub fn new(spec: &ArraySpec) -> Book {
        Book {
            all: spec.indices.clone(),
            waiting: spec.indices.clone(),
            limit: spec.limit.map_or(u64::MAX, u64::from),
            retry: spec.retry,
            ..Book::default()
        }
    }

    /// Restores the state from before the job's shells were restarted: elements that ended
    /// are not run.
    pub fn recall(&mut self, history: &History) {
        for element in history.ended.values() {
            if self.all.contains(element.index) {
                self.waiting.remove(element.index);
                self.settle(element);
            }
        }
        self.leave_out(&history.before);
    }

    /// Leaves out elements that are done already.
    pub fn leave_out(&mut self, done: &IdSet) {
        let done = self.waiting.intersection(done);
        self.waiting.subtract(&done);
        self.good.add(&done);
    }

    /// Hands out up to `want` elements to a shell, the lowest first. More than the `free` ones
    /// that it can run at once are a supply: at most its share of the rest, as one of
    /// `shells`, and none if there is a limit.
    pub fn hand_out(&mut self, shell: u32, free: u64, want: u64, shells: u64) -> Vec<Item> {
        if self.is_stopped {
            return Vec::new();
        }
        let share = self.waiting.count() / shells.max(1) / 2;
        let room = self.limit.saturating_sub(self.out.len() as u64);
        let most = match self.limit {
            u64::MAX => free.max(want.min(share)),
            _ => free.min(room),
        };
        let taken = self.waiting.lowest(most);
        self.waiting.subtract(&taken);
        let hand = |index: u32| {
            let before = self.tries.remove(&index).unwrap_or_default();
            let out = Out {
                shell,
                before,
                is_canceled: false,
            };
            self.out.insert(index, out);
            *self.n_out.entry(shell).or_default() += 1;
            let tries = before.all;
            Item { index, tries }
        };
        taken.iter().map(hand).collect()
    }

    /// An element has ended on a shell.
    pub fn ended(&mut self, mut element: Ended) -> Verdict {
        let is_theirs = |out: &Out| out.shell == element.shell;
        let Some(out) = self.out.get(&element.index).copied().filter(is_theirs) else {
            return Verdict::Unknown;
        };
        self.out.remove(&element.index);
        if let Some(n) = self.n_out.get_mut(&out.shell) {
            *n -= 1;
        }
        let is_new = u32::from(element.how != How::NeverRan);
        element.tries = out.before.all.saturating_add(is_new);
        let may_again = match element.how {
            How::Exited(_) | How::TimedOut(_) | How::Lost | How::NotStarted(_) => {
                !element.how.is_good()
            }
            How::Canceled(_) | How::NeverRan => false,
        };
        if may_again && out.before.round < self.retry && !out.is_canceled && !self.is_stopped {
            let tries = Tries {
                all: element.tries,
                round: out.before.round + 1,
            };
            self.tries.insert(element.index, tries);
            self.waiting.insert(element.index);
            return Verdict::Again;
        }
        self.settle(&element);
        Verdict::Final(element)
    }

    fn settle(&mut self, element: &Ended) {
        if element.how.is_good() {
            self.good.insert(element.index);
            return;
        }
        let failed = Failed {
            code: element.how.code(),
            tries: element.tries,
        };
        self.failed.insert(element.index, failed);
        *self.codes.entry(failed.code).or_default() += 1;
    }

    /// Handles the loss of a shell with its elements: returns the consequence for each.
    pub fn lost(&mut self, shell: u32, now: f64) -> Vec<Verdict> {
        let had = self.out.iter().filter(|(_, out)| out.shell == shell);
        let had: Vec<u32> = had.map(|(index, _)| *index).collect();
        let lose = |index| {
            self.ended(Ended {
                index,
                shell,
                tries: 0,
                start: now,
                runtime: 0.0,
                how: How::Lost,
            })
        };
        had.into_iter().map(lose).collect()
    }

    /// Cancels elements. Those that wait have ended with that.
    pub fn cancel(&mut self, set: &IdSet) -> Canceled {
        let mut canceled = Canceled {
            waiting: self.waiting.intersection(set),
            ..Canceled::default()
        };
        self.waiting.subtract(&canceled.waiting);
        for index in canceled.waiting.iter() {
            let tries = self.tries.remove(&index).unwrap_or_default().all;
            let how = How::NeverRan;
            let code = how.code();
            self.failed.insert(index, Failed { code, tries });
            *self.codes.entry(code).or_default() += 1;
        }
        for (index, out) in &mut self.out {
            if set.contains(*index) {
                out.is_canceled = true;
                canceled.out.entry(out.shell).or_default().insert(*index);
            }
        }
        canceled
    }

    /// Has elements of this set that have failed wait again; gives them.
    pub fn retry(&mut self, set: &IdSet) -> IdSet {
        let among = self.failed.keys().filter(|index| set.contains(**index));
        let again: IdSet = among.copied().collect();
        if self.is_stopped {
            return IdSet::new();
        }
        for index in again.iter() {
            let Some(failed) = self.failed.remove(&index) else {
                continue;
            };
            if let Some(count) = self.codes.get_mut(&failed.code) {
                *count -= 1;
            }
            let tries = Tries {
                all: failed.tries,
                round: 0,
            };
            self.tries.insert(index, tries);
        }
        self.waiting.add(&again);
        again
    }

    /// Hands out nothing more: waiting elements never run.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Number of elements in a shell.
    pub fn n_out_of(&self, shell: u32) -> u64 {
        self.n_out.get(&shell).copied().unwrap_or(0)
    }

    /// True if something can be handed out.
    pub fn has_waiting(&self) -> bool {
        !self.is_stopped && !self.waiting.is_empty()
    }

    /// True if every element has ended, or never will begin.
    pub fn is_done(&self) -> bool {
        self.out.is_empty() && (self.is_stopped || self.waiting.is_empty())
    }

    /// Elements that shells have.
    #[cfg(test)]
    fn out(&self) -> IdSet {
        self.out.keys().copied().collect()
    }

    /// The same by shell.
    pub fn out_by_shell(&self) -> impl Iterator<Item = (u32, IdSet)> {
        let mut shells: BTreeMap<u32, IdSet> = BTreeMap::new();
        for (index, out) in &self.out {
            shells.entry(out.shell).or_default().insert(*index);
        }
        shells.into_iter()
    }

    /// True if nothing is handed out any more.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// All elements.
    pub fn all(&self) -> &IdSet {
        &self.all
    }

    /// Progress.
    pub fn counts(&self) -> Counts {
        Counts {
            all: self.all.count(),
            good: self.good.count(),
            failed: self.failed.len() as u64,
            out: self.out.len() as u64,
        }
    }

    /// The largest exit code of all elements that ended for good.
    pub fn code(&self) -> u8 {
        let some = self.codes.iter().rev().find(|(_, count)| **count > 0);
        some.map_or(0, |(code, _)| *code)
    }

    /// Every element is in one place.
    #[cfg(test)]
    fn check(&self) {
        let failed: IdSet = self.failed.keys().copied().collect();
        let places = [&self.waiting, &self.out(), &failed, &self.good];
        let n: u64 = places.iter().map(|set| set.count()).sum();
        let mut all = IdSet::new();
        places.iter().for_each(|set| all.add(set));
        assert_eq!(all, self.all, "elements are missing or strange");
        assert_eq!(n, all.count(), "an element is in two places");
        for (shell, n) in &self.n_out {
            let out = self.out.values().filter(|out| out.shell == *shell);
            assert_eq!(out.count() as u64, *n, "elements of a shell");
        }
    }
}

#[cfg(test)]
mod tests;
