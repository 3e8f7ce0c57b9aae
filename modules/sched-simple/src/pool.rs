//! All resources, and which of them are free.

use std::collections::BTreeMap;

use proto::data::constraint::Universe;
use proto::data::rset::Node;
use proto::data::{Constraint, IdSet, Rset};

use crate::limits::VIEWS_MAX;
use crate::view::{State, View};

/// One rank.
#[derive(Debug, Clone)]
pub struct PoolNode {
    /// All that it has.
    pub all: Node,
    /// Cores that no job has.
    pub free_cores: IdSet,
    /// GPUs that no job has.
    pub free_gpus: IdSet,
    /// Number of its cores and GPUs.
    shape: (u64, u64),
    state: State,
}

/// The resources of the instance.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    set: Rset,
    ranks: IdSet,
    by_host: BTreeMap<Box<str>, IdSet>,
    nodes: BTreeMap<u32, PoolNode>,
    all: View,
    /// Views of nodes that constraints allow, the one that was used last at the end.
    views: Vec<(Constraint, View)>,
    expiration: f64,
}

impl Pool {
    /// Everything free and, but for the ranks in `up`, down.
    pub fn new(set: Rset, up: &IdSet) -> Pool {
        let mut pool = Pool {
            expiration: set.expiration(),
            ranks: set.ranks(),
            ..Pool::default()
        };
        for (rank, node) in set.nodes() {
            let node = PoolNode::new(node.clone(), up.contains(rank));
            pool.all.add(rank, node.shape, node.state);
            let on_host = pool.by_host.entry(node.all.host.clone());
            on_host.or_default().insert(rank);
            pool.nodes.insert(rank, node);
        }
        pool.set = set;
        pool
    }

    /// Everything, as R.
    pub fn set(&self) -> &Rset {
        &self.set
    }

    /// When the instance's resources end, in seconds since the epoch; 0 for never.
    pub fn expiration(&self) -> f64 {
        self.expiration
    }

    /// Changes the end of the instance's resources.
    pub fn set_expiration(&mut self, expiration: f64) {
        self.expiration = expiration;
    }

    /// The ranks that jobs may use now.
    pub fn up(&self) -> IdSet {
        let up = self.nodes.iter().filter(|(_, node)| node.state.is_up);
        up.map(|(rank, _)| *rank).collect()
    }

    /// Resources that jobs may not use now, as R.
    pub fn down(&self) -> Rset {
        let up = self.up();
        let mut set = self.set.clone();
        set.remove_ranks(&up);
        set
    }

    /// Sets whether jobs may start on these ranks.
    pub fn set_up(&mut self, ranks: &IdSet, up: bool) {
        for rank in ranks.intersection(&self.ranks).iter() {
            self.change(rank, |node| node.state.is_up = up);
        }
    }

    /// Takes ranks out for good.
    pub fn shrink(&mut self, ranks: &IdSet) {
        for rank in ranks.intersection(&self.ranks).iter() {
            let Some(node) = self.nodes.remove(&rank) else {
                continue;
            };
            let views = self.views.iter_mut().map(|(_, view)| view);
            for view in views.chain([&mut self.all]).filter(|view| view.has(rank)) {
                view.remove(rank, node.shape, node.state);
            }
            if let Some(on_host) = self.by_host.get_mut(&node.all.host) {
                on_host.remove(rank);
            }
        }
        self.ranks.subtract(ranks);
        self.set.remove_ranks(ranks);
    }

    /// Ranks have a property from now on, or not any more.
    pub fn set_property(&mut self, name: &str, ranks: &IdSet, has: bool) {
        let ranks = ranks.intersection(&self.ranks);
        if !has {
            self.set.remove_property(name, &ranks);
        } else if let Err(error) = self.set.add_property(name, &ranks) {
            tracing::error!("property {name}: {error}");
        }
        self.views.clear();
    }

    /// The view of the nodes that a constraint allows, if it was made; of all without one.
    pub fn view(&self, constraint: Option<&Constraint>) -> Option<&View> {
        let Some(constraint) = constraint else {
            return Some(&self.all);
        };
        let mut views = self.views.iter().rev();
        let found = views.find(|(other, _)| other == constraint);
        found.map(|(_, view)| view)
    }

    /// Makes the view of a constraint, unless it is there. The one that was not used for
    /// the longest time makes room.
    pub fn make_view(&mut self, constraint: Option<&Constraint>) {
        let Some(constraint) = constraint else {
            return;
        };
        let found = self.views.iter().position(|(other, _)| other == constraint);
        let view = match found {
            Some(at) => self.views.remove(at),
            None => (constraint.clone(), self.view_of(constraint)),
        };
        if self.views.len() >= VIEWS_MAX {
            self.views.remove(0);
        }
        self.views.push(view);
    }

    fn view_of(&self, constraint: &Constraint) -> View {
        let ranks = constraint.ranks(self);
        let mut view = View::new(Some(ranks.clone()));
        for rank in ranks.iter() {
            if let Some(node) = self.nodes.get(&rank) {
                view.add(rank, node.shape, node.state);
            }
        }
        view
    }

    /// A node.
    pub fn node(&self, rank: u32) -> Option<&PoolNode> {
        self.nodes.get(&rank)
    }

    /// Takes the lowest N free cores and GPUs of a node.
    pub fn take_lowest(&mut self, rank: u32, cores: u64, gpus: u64) -> (IdSet, IdSet) {
        let Some(node) = self.nodes.get(&rank) else {
            return Default::default();
        };
        let cores = node.free_cores.lowest(cores);
        let gpus = node.free_gpus.lowest(gpus);
        self.change(rank, |node| {
            node.free_cores.subtract(&cores);
            node.free_gpus.subtract(&gpus);
        });
        (cores, gpus)
    }

    /// Takes the resources that a job has already; refused with the name of the node, and
    /// nothing changed, unless all of them are here and free.
    pub fn take(&mut self, set: &Rset) -> Result<(), String> {
        for (rank, wanted) in set.nodes() {
            let is_free = self.nodes.get(&rank).is_some_and(|node| {
                wanted.cores.is_subset(&node.free_cores) && wanted.gpus.is_subset(&node.free_gpus)
            });
            if !is_free {
                let host = set.host(rank).unwrap_or_default();
                return Err(format!("{host} (rank {rank})"));
            }
        }
        self.take_present(set);
        Ok(())
    }

    /// The same, but passes over resources that are not here.
    pub fn take_present(&mut self, set: &Rset) {
        for (rank, wanted) in set.nodes() {
            self.change(rank, |node| {
                node.free_cores.subtract(&wanted.cores);
                node.free_gpus.subtract(&wanted.gpus);
            });
        }
    }

    /// Gives back the resources of a job.
    pub fn give(&mut self, set: &Rset) {
        for (rank, back) in set.nodes() {
            self.change(rank, |node| {
                node.free_cores
                    .add(&back.cores.intersection(&node.all.cores));
                node.free_gpus.add(&back.gpus.intersection(&node.all.gpus));
            });
        }
    }

    /// A resource set without times: these cores and GPUs, and the properties of their
    /// ranks.
    pub fn rset(&self, taken: BTreeMap<u32, (IdSet, IdSet)>) -> Rset {
        let mut set = Rset::new();
        let ranks: Vec<u32> = taken.keys().copied().collect();
        for (rank, (cores, gpus)) in taken {
            let host = self.set.host(rank).unwrap_or_default();
            let mut node = Node::with_cores(host, cores);
            node.gpus = gpus;
            if let Err(error) = set.add_rank(rank, node) {
                // All ranks are those of a set that was within the limits.
                tracing::error!("R: {error}");
            }
        }
        for (name, with) in self.set.properties() {
            // A job has few ranks, a property may have many.
            let with = ranks.iter().copied().filter(|rank| with.contains(*rank));
            let with: IdSet = with.collect();
            if !with.is_empty() && !name.starts_with('+') {
                let added = set.add_property(name, &with);
                debug_assert!(added.is_ok(), "{name} was in the whole set");
            }
        }
        set
    }

    /// Walks the cross-references and panics on one that is broken.
    pub fn check_invariants(&self) {
        let whole = (None, &self.all);
        let views = self.views.iter().map(|(of, view)| (Some(of), view));
        for (constraint, view) in views.chain([whole]) {
            let ranks = constraint.map(|constraint| constraint.ranks(self));
            let mut fresh = View::new(ranks.clone());
            for (rank, node) in &self.nodes {
                if fresh.has(*rank) {
                    fresh.add(*rank, node.shape, node.state);
                }
            }
            assert!(view.is_like(&fresh), "{constraint:?}");
        }
        for node in self.nodes.values() {
            assert!(node.free_cores.is_subset(&node.all.cores));
            assert!(node.free_gpus.is_subset(&node.all.gpus));
        }
        assert_eq!(self.ranks, self.nodes.keys().copied().collect());
        assert_eq!(self.ranks, self.set.ranks());
    }

    /// Changes one node, in all views that it is in.
    fn change(&mut self, rank: u32, change: impl FnOnce(&mut PoolNode)) {
        let Some(node) = self.nodes.get_mut(&rank) else {
            return;
        };
        let before = node.state;
        change(node);
        node.count();
        let after = node.state;
        if before == after {
            return;
        }
        self.all.moved(rank, before, after);
        for (_, view) in &mut self.views {
            if view.has(rank) {
                view.moved(rank, before, after);
            }
        }
    }
}

impl Universe for Pool {
    fn all(&self) -> &IdSet {
        &self.ranks
    }

    fn on_host(&self, host: &str) -> Option<&IdSet> {
        self.by_host.get(host)
    }

    fn with_property(&self, name: &str) -> Option<&IdSet> {
        self.set.property(name)
    }
}

impl PoolNode {
    fn new(all: Node, is_up: bool) -> PoolNode {
        let shape = (all.cores.count(), all.gpus.count());
        PoolNode {
            free_cores: all.cores.clone(),
            free_gpus: all.gpus.clone(),
            shape,
            state: State {
                is_up,
                is_whole: true,
                cores: shape.0,
                gpus: shape.1,
            },
            all,
        }
    }

    /// Number of cores and GPUs that no job has.
    pub fn free(&self) -> (u64, u64) {
        (self.state.cores, self.state.gpus)
    }

    fn count(&mut self) {
        let (cores, gpus) = (self.free_cores.count(), self.free_gpus.count());
        self.state = State {
            is_whole: (cores, gpus) == self.shape,
            cores,
            gpus,
            ..self.state
        };
    }
}
