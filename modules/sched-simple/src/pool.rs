//! All resources, and which of them are free. The order in which nodes are tried is kept
//! as it changes, so that placing a job never looks at what is in use.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proto::data::rset::Node;
use proto::data::{Constraint, IdSet, Rset};

/// Number of nodes with this number of cores and GPUs.
pub type Shapes = BTreeMap<(u64, u64), u64>;

/// One rank.
#[derive(Debug, Clone)]
pub struct PoolNode {
    /// All that it has.
    pub all: Node,
    /// What no job has.
    pub free_cores: IdSet,
    /// What no job has.
    pub free_gpus: IdSet,
    /// Whether jobs may start here.
    pub is_up: bool,
    n_free: u64,
}

/// The resources of the instance.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    set: Rset,
    nodes: BTreeMap<u32, PoolNode>,
    /// Nodes that are up: most free cores first, then lowest rank.
    order: BTreeSet<(Reverse<u64>, u32)>,
    shapes: Shapes,
    /// Of the nodes that are up.
    n_free_cores: u64,
    expiration: f64,
}

impl Pool {
    /// Everything free and, but for the ranks in `up`, down.
    pub fn new(set: Rset, up: &IdSet) -> Pool {
        let mut pool = Pool {
            expiration: set.expiration(),
            ..Pool::default()
        };
        for (rank, all) in set.nodes() {
            let node = PoolNode {
                free_cores: all.cores.clone(),
                free_gpus: all.gpus.clone(),
                n_free: all.cores.count(),
                is_up: false,
                all: all.clone(),
            };
            *pool.shapes.entry(shape(&node)).or_default() += 1;
            pool.nodes.insert(rank, node);
        }
        pool.set = set;
        pool.set_up(up, true);
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

    /// What jobs may not use now, as R.
    pub fn down(&self) -> Rset {
        let down = self.nodes.iter().filter(|(_, node)| !node.is_up);
        let down: IdSet = down.map(|(rank, _)| *rank).collect();
        let mut set = self.set.clone();
        set.keep_ranks(&down);
        set
    }

    /// Whether jobs may start on these ranks from now on.
    pub fn set_up(&mut self, ranks: &IdSet, up: bool) {
        let known: Vec<u32> = self.ranks_in(ranks).collect();
        for rank in known {
            self.change(rank, |node| node.is_up = up);
        }
    }

    /// Ranks that a constraint allows.
    pub fn matching(&self, constraint: &Constraint) -> IdSet {
        let matching = self.nodes.iter().filter(|(rank, node)| {
            let has = |name: &str| self.set.has_property(**rank, name);
            constraint.matches(**rank, &node.all.host, &has)
        });
        matching.map(|(rank, _)| *rank).collect()
    }

    /// How many nodes there are of each shape, of all or of these ranks.
    pub fn shapes(&self, ranks: Option<&IdSet>) -> Shapes {
        let Some(ranks) = ranks else {
            return self.shapes.clone();
        };
        let mut shapes = Shapes::new();
        for rank in self.ranks_in(ranks) {
            *shapes.entry(shape(&self.nodes[&rank])).or_default() += 1;
        }
        shapes
    }

    /// Cores that are free on nodes that are up.
    pub fn n_free_cores(&self) -> u64 {
        self.n_free_cores
    }

    /// Nodes that are up and have free cores, in the order in which they are tried, with
    /// the number of free cores.
    pub fn by_free(&self) -> impl Iterator<Item = (u32, u64, &PoolNode)> {
        self.order
            .iter()
            .take_while(|(Reverse(n_free), _)| *n_free > 0)
            .filter_map(|(Reverse(n_free), rank)| {
                let node = self.nodes.get(rank)?;
                Some((*rank, *n_free, node))
            })
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

    /// Takes what a job has already; refused with the name of the node, and nothing
    /// changed, unless all of it is here and free.
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
        for (rank, wanted) in set.nodes() {
            self.change(rank, |node| {
                node.free_cores.subtract(&wanted.cores);
                node.free_gpus.subtract(&wanted.gpus);
            });
        }
        Ok(())
    }

    /// Gives back what a job had.
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
        let ranks: IdSet = taken.keys().copied().collect();
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
            let with = with.intersection(&ranks);
            if !with.is_empty() && !name.starts_with('+') {
                let added = set.add_property(name, &with);
                debug_assert!(added.is_ok(), "{name} was in the whole set");
            }
        }
        set
    }

    /// Walks the cross-references and panics on one that is broken.
    pub fn check_invariants(&self) {
        let up = self.nodes.iter().filter(|(_, node)| node.is_up);
        let order: BTreeSet<_> = up
            .clone()
            .map(|(rank, node)| (Reverse(node.free_cores.count()), *rank))
            .collect();
        assert_eq!(order, self.order);
        let n_free: u64 = up.map(|(_, node)| node.n_free).sum();
        assert_eq!(n_free, self.n_free_cores);
        for node in self.nodes.values() {
            assert!(node.free_cores.is_subset(&node.all.cores));
            assert!(node.free_gpus.is_subset(&node.all.gpus));
        }
    }

    /// Those of `ranks` that there are; a huge set costs no more than the nodes.
    fn ranks_in<'a>(&'a self, ranks: &'a IdSet) -> impl Iterator<Item = u32> + 'a {
        let last = self.nodes.keys().next_back().copied().unwrap_or_default();
        ranks
            .iter()
            .take_while(move |rank| *rank <= last)
            .filter(|rank| self.nodes.contains_key(rank))
    }

    /// Changes one node and keeps the order and the sums right.
    fn change(&mut self, rank: u32, change: impl FnOnce(&mut PoolNode)) {
        let Some(node) = self.nodes.get_mut(&rank) else {
            return;
        };
        if node.is_up {
            self.order.remove(&(Reverse(node.n_free), rank));
            self.n_free_cores -= node.n_free;
        }
        change(node);
        node.n_free = node.free_cores.count();
        if node.is_up {
            self.order.insert((Reverse(node.n_free), rank));
            self.n_free_cores += node.n_free;
        }
    }
}

impl PoolNode {
    /// Whether no job has anything here.
    pub fn is_whole(&self) -> bool {
        self.free_cores == self.all.cores && self.free_gpus == self.all.gpus
    }
}

fn shape(node: &PoolNode) -> (u64, u64) {
    (node.all.cores.count(), node.all.gpus.count())
}
