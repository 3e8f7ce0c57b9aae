//! Nodes in the order in which they are tried: of all, or of those that a constraint allows.
//! Every change of a node moves it here, so that placing a job looks at no more nodes than
//! it takes. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proto::data::IdSet;

/// Number of nodes with this number of cores and GPUs.
pub type Shapes = BTreeMap<(u64, u64), u64>;

/// State of a node that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// True if jobs may start on it.
    pub is_up: bool,
    /// True if no job has anything of it.
    pub is_whole: bool,
    /// Free cores.
    pub cores: u64,
    /// Free GPUs.
    pub gpus: u64,
}

/// Nodes that a job may be content with: whole or not, and by free GPUs. There are few such
/// classes, and within one the first node is the best.
type Class = (bool, u64);

/// Most free cores first, then most free GPUs, then the lowest rank.
type Key = (Reverse<u64>, Reverse<u64>, u32);

/// A view of the nodes.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The nodes that belong here; `None` for all.
    ranks: Option<IdSet>,
    classes: BTreeMap<Class, BTreeSet<Key>>,
    n_free_cores: u64,
    shapes: Shapes,
}

impl View {
    /// Of these ranks, or of all, without any node yet.
    pub fn new(ranks: Option<IdSet>) -> View {
        View {
            ranks,
            ..View::default()
        }
    }

    /// True if the view has a rank.
    pub fn has(&self, rank: u32) -> bool {
        self.ranks.as_ref().is_none_or(|ranks| ranks.contains(rank))
    }

    /// Number of nodes of each shape, up or not.
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// Cores that are free on nodes that are up.
    pub fn n_free_cores(&self) -> u64 {
        self.n_free_cores
    }

    /// Adds a node with this number of cores and GPUs.
    pub fn add(&mut self, rank: u32, shape: (u64, u64), state: State) {
        *self.shapes.entry(shape).or_default() += 1;
        self.show(rank, state);
    }

    /// Takes a node out.
    pub fn remove(&mut self, rank: u32, shape: (u64, u64), state: State) {
        self.hide(rank, state);
        if let Some(n) = self.shapes.get_mut(&shape) {
            *n -= 1;
            if *n == 0 {
                self.shapes.remove(&shape);
            }
        }
    }

    /// A node that was in one state is in another.
    pub fn moved(&mut self, rank: u32, before: State, after: State) {
        self.hide(rank, before);
        self.show(rank, after);
    }

    /// Nodes with at least one free core and this many free GPUs, and whole ones alone if
    /// `whole`: in order, with the number of free cores.
    pub fn candidates(&self, gpus: u64, whole: bool) -> impl Iterator<Item = (u32, u64)> + '_ {
        let of_class = |((is_whole, free), _): &(&Class, _)| *free >= gpus && (*is_whole || !whole);
        let classes = self.classes.iter().filter(of_class);
        let mut heads: Vec<_> = classes.map(|(_, keys)| keys.iter().peekable()).collect();
        std::iter::from_fn(move || {
            let best = heads
                .iter_mut()
                .filter_map(|head| head.peek().copied().copied())
                .min()?;
            for head in &mut heads {
                head.next_if(|key| **key == best);
            }
            Some((best.2, best.0.0))
        })
    }

    /// True if another view has the same nodes in the same order.
    pub fn is_like(&self, other: &View) -> bool {
        let this = (&self.classes, self.n_free_cores, &self.shapes);
        this == (&other.classes, other.n_free_cores, &other.shapes)
    }

    fn show(&mut self, rank: u32, state: State) {
        if state.is_up && state.cores > 0 {
            self.n_free_cores += state.cores;
            let class = self.classes.entry((state.is_whole, state.gpus));
            class.or_default().insert(key(rank, state));
        }
    }

    fn hide(&mut self, rank: u32, state: State) {
        if !state.is_up || state.cores == 0 {
            return;
        }
        self.n_free_cores -= state.cores;
        let class = (state.is_whole, state.gpus);
        if let Some(keys) = self.classes.get_mut(&class) {
            keys.remove(&key(rank, state));
            if keys.is_empty() {
                self.classes.remove(&class);
            }
        }
    }
}

fn key(rank: u32, state: State) -> Key {
    (Reverse(state.cores), Reverse(state.gpus), rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(cores: u64, gpus: u64, is_whole: bool) -> State {
        State {
            is_up: true,
            is_whole,
            cores,
            gpus,
        }
    }

    fn check(view: &View, gpus: u64, whole: bool, expect: &[(u32, u64)]) {
        let candidates: Vec<(u32, u64)> = view.candidates(gpus, whole).collect();
        assert_eq!(candidates, expect);
    }

    #[test]
    fn nodes_come_in_order_whatever_their_class() {
        let mut view = View::new(None);
        view.add(0, (4, 0), state(4, 0, true));
        view.add(1, (4, 2), state(4, 2, true));
        view.add(2, (8, 2), state(6, 1, false));
        view.add(3, (8, 0), state(0, 0, false));
        check(&view, 0, false, &[(2, 6), (1, 4), (0, 4)]);
        check(&view, 1, false, &[(2, 6), (1, 4)]);
        check(&view, 2, false, &[(1, 4)]);
        check(&view, 0, true, &[(1, 4), (0, 4)]);
        assert_eq!(view.n_free_cores(), 14);
        let down = State {
            is_up: false,
            ..state(4, 2, true)
        };
        view.moved(1, state(4, 2, true), down);
        check(&view, 1, false, &[(2, 6)]);
        assert_eq!(view.shapes()[&(4, 2)], 1);
        view.remove(1, (4, 2), down);
        assert!(!view.shapes().contains_key(&(4, 2)));
    }
}
