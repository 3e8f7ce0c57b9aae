//! The children of a broker as it sees them: which are there, how their subtrees are, and
//! which are silent (protocol/20 sections 6 to 8). Pure: time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::overlay::Status;

use super::link::{self, Step};

/// One child.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Status of its subtree.
    pub status: Status,
    /// Since when.
    pub since: Duration,
    /// Reason why it is offline, or was not admitted.
    pub error: Option<String>,
    /// Time of its last message.
    pub heard: Duration,
    /// True if it has been silent for too long.
    pub is_torpid: bool,
}

/// All children of a broker.
#[derive(Debug)]
pub struct Children {
    children: BTreeMap<u32, Child>,
    /// Last status of the whole subtree, and its time.
    own: (Status, Duration),
    /// Until when nobody is called silent: we ourselves were not there before.
    amnesty: Duration,
}

/// A child that begins or ceases to be silent for too long.
#[derive(Debug, PartialEq, Eq)]
pub struct Silence {
    /// Rank.
    pub rank: u32,
    /// True if the silence begins.
    pub is_torpid: bool,
    /// Length of the silence.
    pub lasted: Duration,
}

impl Children {
    /// Children that have not come yet.
    pub fn new(ranks: &[u32]) -> Children {
        let child = Child {
            status: Status::Offline,
            since: Duration::ZERO,
            error: None,
            heard: Duration::ZERO,
            is_torpid: false,
        };
        let children = ranks.iter().map(|rank| (*rank, child.clone()));
        let children: BTreeMap<u32, Child> = children.collect();
        let own = match children.is_empty() {
            true => Status::Full,
            false => Status::Partial,
        };
        Children {
            children,
            own: (own, Duration::ZERO),
            amnesty: Duration::ZERO,
        }
    }

    /// A child.
    pub fn get(&self, rank: u32) -> Option<&Child> {
        self.children.get(&rank)
    }

    /// All children by rank.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Child)> {
        self.children.iter().map(|(rank, child)| (*rank, child))
    }

    /// Ranks of the children that are online.
    pub fn online(&self) -> impl Iterator<Item = u32> {
        let online = self.iter().filter(|(_, child)| child.status.is_online());
        online.map(|(rank, _)| rank)
    }

    /// Something happens to a child. Returns true if that is news; a step that does not
    /// fit is none.
    pub fn step(&mut self, rank: u32, step: Step, now: Duration) -> bool {
        let Some(child) = self.children.get_mut(&rank) else {
            return false;
        };
        let Some((status, error)) = link::next(child.status, step) else {
            return false;
        };
        if status.is_online() && !child.status.is_online() {
            child.heard = now;
        }
        if !status.is_online() {
            child.is_torpid = false;
        }
        let error = error.map(str::to_owned);
        let is_news = child.status != status || child.error != error;
        if child.status != status {
            child.since = now;
        }
        child.status = status;
        child.error = error;
        is_news
    }

    /// Notes why a child that is not there was not let in.
    pub fn note_refusal(&mut self, rank: u32, why: &str) {
        if let Some(child) = self.children.get_mut(&rank)
            && !child.status.is_online()
        {
            child.error = Some(why.to_owned());
        }
    }

    /// Something came from a child. Says whether it was silent for too long before.
    pub fn receive(&mut self, rank: u32, now: Duration) -> Option<Silence> {
        let child = self.children.get_mut(&rank)?;
        let lasted = now.saturating_sub(child.heard);
        child.heard = now;
        std::mem::take(&mut child.is_torpid).then_some(Silence {
            rank,
            is_torpid: false,
            lasted,
        })
    }

    /// We were not there for a while, so that we could not receive anything: all clocks
    /// begin again.
    pub fn forgive(&mut self, now: Duration) {
        self.amnesty = now;
    }

    /// Children that begin to be silent for longer than `max`.
    pub fn find_silent(&mut self, max: Duration, now: Duration) -> Vec<Silence> {
        if max.is_zero() {
            return Vec::new();
        }
        let mut silent = Vec::new();
        for (rank, child) in &mut self.children {
            let lasted = now.saturating_sub(child.heard.max(self.amnesty));
            if child.status.is_online() && !child.is_torpid && lasted >= max {
                child.is_torpid = true;
                silent.push(Silence {
                    rank: *rank,
                    is_torpid: true,
                    lasted,
                });
            }
        }
        silent
    }

    /// Status of the broker's own subtree, if it has changed.
    pub fn changed(&mut self, now: Duration) -> Option<Status> {
        let status = self.subtree();
        if status == self.own.0 {
            return None;
        }
        self.own = (status, now);
        Some(status)
    }

    /// Status of the broker's own subtree, and its time.
    pub fn own(&self) -> (Status, Duration) {
        self.own
    }

    fn subtree(&self) -> Status {
        let any = |wanted: &[Status]| {
            let mut children = self.children.values();
            children.any(|child| wanted.contains(&child.status))
        };
        if any(&[Status::Degraded, Status::Lost]) {
            Status::Degraded
        } else if any(&[Status::Partial, Status::Offline]) {
            Status::Partial
        } else {
            Status::Full
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Children 1 and 2 of rank 0 are like this: so is rank 0.
    fn check(one: Status, two: Status, expect: Status) {
        let mut children = Children::new(&[1, 2]);
        for (rank, status) in [(1, one), (2, two)] {
            children.step(rank, Step::Hello(Status::Full), at(1));
            let step = match status {
                Status::Lost => Step::Break,
                Status::Offline => Step::Goodbye,
                online => Step::Says(online),
            };
            children.step(rank, step, at(1));
        }
        children.changed(at(2));
        assert_eq!(children.own().0, expect, "{one:?} {two:?}");
    }

    #[test]
    fn a_subtree_is_as_the_worst_child() {
        check(Status::Full, Status::Full, Status::Full);
        check(Status::Full, Status::Partial, Status::Partial);
        check(Status::Full, Status::Offline, Status::Partial);
        check(Status::Partial, Status::Degraded, Status::Degraded);
        check(Status::Offline, Status::Lost, Status::Degraded);
        assert_eq!(Children::new(&[]).own().0, Status::Full);
        assert_eq!(Children::new(&[1]).own().0, Status::Partial);
    }

    #[test]
    fn a_change_is_told_once() {
        let mut children = Children::new(&[1]);
        assert!(children.step(1, Step::Hello(Status::Full), at(5)));
        assert!(!children.step(1, Step::Says(Status::Full), at(6)));
        assert_eq!(children.changed(at(5)), Some(Status::Full));
        assert_eq!(children.changed(at(6)), None);
        assert_eq!(children.own(), (Status::Full, at(5)));
        assert_eq!(children.get(1).unwrap().since, at(5));
        assert!(children.step(1, Step::Break, at(7)));
        assert_eq!(children.changed(at(7)), Some(Status::Degraded));
        assert!(!children.step(9, Step::Hello(Status::Full), at(8)));
    }

    #[test]
    fn a_silent_child_is_told_once_and_so_is_its_return() {
        let mut children = Children::new(&[1, 2]);
        children.step(1, Step::Hello(Status::Full), at(0));
        assert_eq!(children.find_silent(at(30), at(29)), []);
        let silent = children.find_silent(at(30), at(31));
        assert_eq!(
            (silent.len(), silent[0].rank, silent[0].lasted),
            (1, 1, at(31))
        );
        assert_eq!(children.find_silent(at(30), at(40)), []);
        assert_eq!(children.receive(1, at(50)).map(|s| s.lasted), Some(at(50)));
        assert_eq!(children.receive(1, at(51)), None);
        assert_eq!(children.find_silent(Duration::ZERO, at(500)), []);
    }

    #[test]
    fn nobody_is_silent_while_we_were_not_there() {
        let mut children = Children::new(&[1]);
        children.step(1, Step::Hello(Status::Full), at(0));
        children.forgive(at(100));
        assert_eq!(children.find_silent(at(30), at(101)), []);
        assert_eq!(children.find_silent(at(30), at(131)).len(), 1);
    }
}
