//! Faults between brokers, and of brokers.

use std::time::Duration;

use super::{Brokers, Due, links::Way};

/// Longest pause of a broker, in milliseconds.
const PAUSE_MAX_MS: usize = 45_000;
/// Ranks that an island takes at most, and how long it stays one.
const ISLAND_MAX: usize = 3;

impl Brokers {
    /// One thing that can happen. Rank 0 dies only where it is started again.
    pub(super) fn break_something(&mut self) {
        let faults: &[fn(&mut Brokers, usize)] = &[
            Brokers::kill,
            Brokers::pause,
            Brokers::cut_both_ends,
            Brokers::cut_parent_end,
            Brokers::cut_child_end,
            Brokers::go_dead,
            Brokers::part_island,
        ];
        let at = self.rng.below(faults.len());
        let first = usize::from(!self.restarts || !self.rng.chance(20));
        let rank = first + self.rng.below(self.sites.len() - first);
        if self.sites[rank].is_running {
            self.faults += 1;
            self.note(|| format!("fault {at} at broker {rank}"));
            faults[at](self, rank);
        }
    }

    pub(super) fn kill(&mut self, rank: usize) {
        self.ended(rank, None);
    }

    fn pause(&mut self, rank: usize) {
        self.sites[rank].is_paused = true;
        let wait = self.up_to(PAUSE_MAX_MS);
        self.later(wait, Due::Resume(rank));
    }

    /// Ends the link of a rank to its parent, for the end or the ends to which these lead.
    pub(super) fn cut(&mut self, rank: usize, ways: &[Way]) {
        if let Some(id) = self.links.of_child(rank) {
            for way in ways {
                let wait = self.up_to(1000);
                self.later(wait, Due::LinkEnds(id, *way));
            }
        }
    }

    fn cut_both_ends(&mut self, rank: usize) {
        self.cut(rank, &[Way::Up, Way::Down]);
    }

    fn cut_parent_end(&mut self, rank: usize) {
        self.cut(rank, &[Way::Up]);
    }

    fn cut_child_end(&mut self, rank: usize) {
        self.cut(rank, &[Way::Down]);
    }

    /// The connection is dead, and neither end has been notified: one that is still
    /// waiting for its parent makes another.
    fn go_dead(&mut self, rank: usize) {
        let link = self.links.of_child(rank);
        if let Some(link) = link.and_then(|id| self.links.get_mut(id)) {
            link.is_dead = link.parent_life.is_some();
        }
    }

    /// Some ranks can reach no others for a while.
    fn part_island(&mut self, rank: usize) {
        let n = 1 + self.rng.below(ISLAND_MAX);
        let others = (1..n).map(|_| self.rng.below(self.sites.len()));
        self.island = std::iter::once(rank).chain(others).collect();
        for child in 1..self.sites.len() {
            if self.is_cut(child) {
                self.go_dead(child);
            }
        }
    }

    /// True if a rank is on the other side than its parent.
    pub(super) fn is_cut(&self, child: usize) -> bool {
        let is_on = |rank| self.island.contains(&rank);
        self.parent(child)
            .is_some_and(|parent| is_on(parent) != is_on(child))
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        self.island.clear();
        for rank in 0..self.sites.len() {
            if self.sites[rank].is_paused {
                self.later(Duration::ZERO, Due::Resume(rank));
            }
        }
    }
}
