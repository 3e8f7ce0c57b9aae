//! Resources of one rank of a resource set.

use std::collections::BTreeMap;
use std::fmt;

use crate::data::idset::IdSet;

/// Resources of one rank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Host name; empty if the set does not name hosts.
    pub host: Box<str>,
    /// Logical core ids.
    pub cores: IdSet,
    /// Logical GPU ids.
    pub gpus: IdSet,
    /// Ids of any other kind of resource, by kind.
    pub others: BTreeMap<Box<str>, IdSet>,
}

/// Key by which ranks are grouped: the ranges of each kind.
pub(super) type Children<'a> = Vec<(&'a str, Vec<(u32, u32)>)>;

/// Form such as `core[0-3],gpu0`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (kind, ids)) in self.kinds().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{kind}{}", ids.bracketed())?;
        }
        Ok(())
    }
}

impl Node {
    /// A node with cores only.
    pub fn with_cores(host: &str, cores: IdSet) -> Self {
        Self {
            host: host.into(),
            cores,
            ..Self::default()
        }
    }

    /// True if there is no core, GPU or other resource.
    pub fn is_empty(&self) -> bool {
        self.kinds().next().is_none()
    }

    /// The ids of every kind that is present: cores, then GPUs, then others by name.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &IdSet)> {
        let others = self.others.iter().map(|(kind, ids)| (&**kind, ids));
        [("core", &self.cores), ("gpu", &self.gpus)]
            .into_iter()
            .chain(others)
            .filter(|(_, ids)| !ids.is_empty())
    }

    pub(super) fn children(&self) -> Children<'_> {
        self.kinds()
            .map(|(kind, ids)| (kind, ids.ranges().collect()))
            .collect()
    }

    pub(super) fn add(&mut self, more: &Node) {
        if !more.host.is_empty() {
            self.host = more.host.clone();
        }
        self.cores.add(&more.cores);
        self.gpus.add(&more.gpus);
        for (kind, ids) in &more.others {
            self.others.entry(kind.clone()).or_default().add(ids);
        }
    }

    pub(super) fn intersect(&mut self, other: &Node) {
        self.cores = self.cores.intersection(&other.cores);
        self.gpus = self.gpus.intersection(&other.gpus);
        for (kind, ids) in &mut self.others {
            let both = other.others.get(kind);
            *ids = both.map_or_else(IdSet::new, |both| ids.intersection(both));
        }
    }

    /// Resources of this node that another lacks, by name; the host stays.
    pub fn without(&self, other: &Node) -> Node {
        let mut rest = self.clone();
        rest.subtract(other);
        rest
    }

    pub(super) fn subtract(&mut self, taken: &Node) {
        self.cores.subtract(&taken.cores);
        self.gpus.subtract(&taken.gpus);
        for (kind, ids) in &taken.others {
            if let Some(mine) = self.others.get_mut(kind) {
                mine.subtract(ids);
            }
        }
    }
}
