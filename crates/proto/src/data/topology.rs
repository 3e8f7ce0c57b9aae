//! The tree of brokers: the parent of each rank (protocol/20 section 1).
//!
//! A tree is fixed for the life of an instance. Every rank computes all of it, once, from
//! the scheme and the size, so that a route to any rank needs no request to others.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Shape of a tree: the value of `tbon.topo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `kary:K`: each broker has up to K children. 1 makes a chain; 0 puts all under rank 0.
    Kary(u32),
    /// `mincrit[:K]`: ranks 1 to K are routers for all others. 0 picks K by the size.
    Mincrit(u32),
    /// `binomial`: a binomial tree, whose missing ranks are left out.
    Binomial,
    /// `custom`: defined by the hosts of `[bootstrap]`; see [`Topology::of_hosts`].
    Custom,
}

/// Errors of parsing a scheme or building a tree. Callers print it after `error creating
/// 'URI' topology: ` (PMI) or `Config file [bootstrap] hosts: ` (hosts).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the texts are the documentation")]
pub enum TopologyError {
    #[error("unknown topology scheme '{0}'")]
    UnknownScheme(String),
    #[error("{0} k value must be an integer >= 0")]
    BadK(&'static str),
    #[error("unknown {0} topology directive: '{1}'")]
    UnknownDirective(&'static str, String),
    #[error("rank 0 ({0}) may not have a parent in a tree topology")]
    RootHasParent(String),
    #[error("invalid parent \"{parent}\" for {host} (rank {rank})")]
    InvalidParent {
        parent: String,
        host: String,
        rank: u32,
    },
    #[error("parent \"{parent}\" for {host} (rank {rank}) violates rule against cycles")]
    Cycle {
        parent: String,
        host: String,
        rank: u32,
    },
}

impl FromStr for Scheme {
    type Err = TopologyError;

    fn from_str(text: &str) -> Result<Scheme, TopologyError> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let number = |scheme| {
            let k = argument.and_then(|argument| argument.parse().ok());
            k.ok_or(TopologyError::BadK(scheme))
        };
        let none = |scheme, value| match argument {
            Some(argument) => Err(TopologyError::UnknownDirective(scheme, argument.to_owned())),
            None => Ok(value),
        };
        match name {
            "kary" => number("kary").map(Scheme::Kary),
            "mincrit" if argument.is_none() => Ok(Scheme::Mincrit(0)),
            "mincrit" => number("mincrit").map(Scheme::Mincrit),
            "binomial" => none("binomial", Scheme::Binomial),
            "custom" => none("custom", Scheme::Custom),
            _ => Err(TopologyError::UnknownScheme(name.to_owned())),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scheme::Kary(k) => write!(f, "kary:{k}"),
            Scheme::Mincrit(0) => f.write_str("mincrit"),
            Scheme::Mincrit(k) => write!(f, "mincrit:{k}"),
            Scheme::Binomial => f.write_str("binomial"),
            Scheme::Custom => f.write_str("custom"),
        }
    }
}

impl Default for Scheme {
    /// Default of an instance.
    fn default() -> Scheme {
        Scheme::Kary(32)
    }
}

/// Maximum number of children of a router before `mincrit` adds another one.
const MINCRIT_CHILDREN_MAX: u32 = 1024;

impl Scheme {
    /// The same with the K for this size.
    fn settled(self, size: u32) -> Scheme {
        match self {
            Scheme::Mincrit(0) if size <= MINCRIT_CHILDREN_MAX + 1 => Scheme::Kary(0),
            Scheme::Mincrit(0) => {
                let fits = |k: &u32| (size - 1).saturating_sub(*k).div_ceil(*k) <= 1024;
                Scheme::Mincrit((2..size).find(fits).unwrap_or(size))
            }
            settled => settled,
        }
    }

    /// The parent of `rank`, which is not 0.
    fn parent(self, rank: u32) -> u32 {
        match self {
            Scheme::Kary(0) | Scheme::Mincrit(0) | Scheme::Custom => 0,
            Scheme::Kary(k) => (rank - 1) / k,
            Scheme::Mincrit(k) if rank <= k => 0,
            Scheme::Mincrit(k) => (rank - k - 1) % k + 1,
            // The children of a rank are at +1, +2, +4 ... below its own lowest bit.
            Scheme::Binomial => rank & (rank - 1),
        }
    }
}

/// A tree of brokers of at least one rank. Takes 20 bytes per rank; a clone takes
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Parent of each rank; 0 for rank 0 itself.
    parents: Arc<[u32]>,
    /// The children of all ranks, those of one together and ascending.
    children: Arc<[u32]>,
    /// Index of the first child of each rank, and at the end the total.
    starts: Arc<[u32]>,
    levels: Arc<[u32]>,
    descendants: Arc<[u32]>,
}

impl Topology {
    /// The tree of `size` ranks; of at least one.
    pub fn new(scheme: Scheme, size: u32) -> Topology {
        let scheme = scheme.settled(size);
        let others = (1..size).map(|rank| scheme.parent(rank));
        Topology::of_parents(std::iter::once(0).chain(others).collect())
    }

    /// The `custom` tree: the hosts in the order of their ranks, each with the name of
    /// its parent, or none to be below rank 0.
    pub fn of_hosts(hosts: &[(&str, Option<&str>)]) -> Result<Topology, TopologyError> {
        if let Some((host, Some(_))) = hosts.first() {
            return Err(TopologyError::RootHasParent((*host).to_owned()));
        }
        let names = hosts.iter().enumerate().rev();
        let ranks: std::collections::BTreeMap<&str, u32> = names
            .map(|(rank, (host, _))| (*host, rank as u32))
            .collect();
        let mut parents = vec![0];
        for (rank, (host, parent)) in (0..).zip(hosts).skip(1) {
            let known = parent.map_or(Some(0), |parent| ranks.get(parent).copied());
            let Some(known) = known.filter(|known| *known != rank) else {
                let (parent, host) = (parent.unwrap_or_default().to_owned(), (*host).to_owned());
                return Err(TopologyError::InvalidParent { parent, host, rank });
            };
            parents.push(known);
        }
        let topology = Topology::of_parents(parents);
        // Only what hangs below rank 0 has a level.
        match (1..topology.size()).find(|rank| topology.level(*rank) == 0) {
            None => Ok(topology),
            Some(rank) => {
                let (host, parent) = hosts[rank as usize];
                Err(TopologyError::Cycle {
                    parent: parent.unwrap_or_default().to_owned(),
                    host: host.to_owned(),
                    rank,
                })
            }
        }
    }

    fn of_parents(parents: Vec<u32>) -> Topology {
        let size = parents.len();
        let mut starts = vec![0_u32; size + 1];
        for parent in &parents[1..] {
            starts[*parent as usize + 1] += 1;
        }
        for rank in 0..size {
            starts[rank + 1] += starts[rank];
        }
        let mut next = starts.clone();
        let mut children = vec![0; size - 1];
        for (rank, parent) in (0..).zip(&parents).skip(1) {
            let at = &mut next[*parent as usize];
            children[*at as usize] = rank;
            *at += 1;
        }
        // Level by level down, then up again to count.
        let (mut levels, mut descendants) = (vec![0; size], vec![0; size]);
        let mut order = vec![0_u32];
        for at in 0..size {
            let Some(rank) = order.get(at).copied() else {
                break;
            };
            order.extend(
                &children[starts[rank as usize] as usize..starts[rank as usize + 1] as usize],
            );
            if rank != 0 {
                levels[rank as usize] = levels[parents[rank as usize] as usize] + 1;
            }
        }
        for rank in order[1..].iter().rev().map(|rank| *rank as usize) {
            descendants[parents[rank] as usize] += descendants[rank] + 1;
        }
        Topology {
            parents: parents.into(),
            children: children.into(),
            starts: starts.into(),
            levels: levels.into(),
            descendants: descendants.into(),
        }
    }

    /// Number of ranks.
    pub fn size(&self) -> u32 {
        self.parents.len() as u32
    }

    /// Parent of `rank`: `None` for rank 0 and for an unknown rank.
    pub fn parent(&self, rank: u32) -> Option<u32> {
        let parent = self.parents.get(rank as usize).copied();
        parent.filter(|_| rank != 0)
    }

    /// Children of `rank`, ascending.
    pub fn children(&self, rank: u32) -> &[u32] {
        let at = |rank: usize| self.starts.get(rank).map(|start| *start as usize);
        match (at(rank as usize), at(rank as usize + 1)) {
            (Some(start), Some(end)) => &self.children[start..end],
            _ => &[],
        }
    }

    /// Number of hops from rank 0 to `rank`.
    pub fn level(&self, rank: u32) -> u32 {
        self.levels.get(rank as usize).copied().unwrap_or(0)
    }

    /// The highest level of any rank.
    pub fn maxlevel(&self) -> u32 {
        self.levels.iter().copied().max().unwrap_or(0)
    }

    /// Number of ranks below `rank`, at any depth.
    pub fn descendants(&self, rank: u32) -> u32 {
        self.descendants.get(rank as usize).copied().unwrap_or(0)
    }

    /// The child of `from` through which `to` is reached: `None` if `to` is not below it.
    /// Takes one step per level between them.
    pub fn child_toward(&self, from: u32, to: u32) -> Option<u32> {
        let steps = self.level(to).checked_sub(self.level(from) + 1)?;
        let child = (0..steps).try_fold(to, |rank, _| self.parent(rank))?;
        (self.parent(child) == Some(from)).then_some(child)
    }

    /// Rank 0 and all ranks that have children: without them others are cut off.
    pub fn routers(&self) -> impl Iterator<Item = u32> {
        (0..self.size()).filter(|rank| *rank == 0 || !self.children(*rank).is_empty())
    }
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
