//! Resource sets, "R" version 1 (RFC 20): cores and GPUs by rank.
//!
//! Contains the set and its sums; more arithmetic is in `ops.rs`, one rank's share in `node.rs`,
//! the JSON form in `wire.rs`, the form of the configuration in `config.rs`, checks of property
//! names in `property.rs`. Like ranks are grouped only when printed: here every rank has its node.

mod config;
mod node;
mod ops;
mod property;
mod wire;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::hostlist::Hostlist;
use super::idset::IdSet;
use super::limits::{HOST_NAME_BYTES_MAX, RSET_RANKS_MAX};

pub use node::Node;
pub use ops::RerankError;
pub use property::{InvalidProperty, check_property};

/// A resource set.
///
/// `Display` is the summary for users: `rank[0-1]/core[0-3],gpu0`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rset {
    nodes: BTreeMap<u32, Node>,
    properties: BTreeMap<Box<str>, IdSet>,
    nslots: Option<u64>,
    starttime: Option<f64>,
    expiration: f64,
    scheduling: Option<Value>,
}

/// Errors of parsing or changing a resource set. Services answer EINVAL or EPROTO.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RsetError {
    /// Not the JSON of a resource set.
    #[error("malformed R: {0}")]
    Malformed(String),
    /// A version other than 1.
    #[error("invalid version={0}")]
    Version(i64),
    /// The host list does not name one host per rank.
    #[error("R has {ranks} ranks but {hosts} hosts")]
    Hosts {
        /// Ranks in the set.
        ranks: u64,
        /// Names in the host list.
        hosts: u64,
    },
    /// More ranks than `RSET_RANKS_MAX`.
    #[error("R has more than {RSET_RANKS_MAX} ranks")]
    TooManyRanks,
    /// A host name longer than `HOST_NAME_BYTES_MAX`.
    #[error("host name is longer than {HOST_NAME_BYTES_MAX} bytes")]
    HostName,
    /// A property on a rank that is not in the set.
    #[error("property '{0}' is set on ranks that are not in R")]
    PropertyRanks(String),
    /// A rank that is not in the set.
    #[error("rank {0} not found in target resource list")]
    NoSuchRank(u32),
    /// A property name with a forbidden character.
    #[error(transparent)]
    Property(#[from] InvalidProperty),
    /// A time is negative or not a number.
    #[error("R has an invalid time")]
    Time,
}

impl Rset {
    /// The set without resources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one rank, or more resources of a rank; the last host given is used.
    pub fn add_rank(&mut self, rank: u32, node: Node) -> Result<(), RsetError> {
        if !self.nodes.contains_key(&rank) && self.nodes.len() as u64 >= RSET_RANKS_MAX {
            return Err(RsetError::TooManyRanks);
        }
        if node.host.len() > HOST_NAME_BYTES_MAX {
            return Err(RsetError::HostName);
        }
        self.nodes.entry(rank).or_default().add(&node);
        Ok(())
    }

    /// True if there is no rank.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The ranks.
    pub fn ranks(&self) -> IdSet {
        self.nodes.keys().copied().collect()
    }

    /// The highest rank.
    pub fn last_rank(&self) -> Option<u32> {
        self.nodes.keys().next_back().copied()
    }

    /// Number of ranks.
    pub fn nnodes(&self) -> usize {
        self.nodes.len()
    }

    /// Number of cores on all ranks.
    pub fn ncores(&self) -> u64 {
        self.nodes.values().map(|node| node.cores.count()).sum()
    }

    /// Number of GPUs on all ranks.
    pub fn ngpus(&self) -> u64 {
        self.nodes.values().map(|node| node.gpus.count()).sum()
    }

    /// Resources of one rank.
    pub fn node(&self, rank: u32) -> Option<&Node> {
        self.nodes.get(&rank)
    }

    /// The ranks in ascending order with their resources.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (u32, &Node)> + ExactSizeIterator {
        self.nodes.iter().map(|(rank, node)| (*rank, node))
    }

    /// The host of a rank.
    pub fn host(&self, rank: u32) -> Option<&str> {
        self.nodes.get(&rank).map(|node| &*node.host)
    }

    /// The hosts in order of rank.
    pub fn nodelist(&self) -> Hostlist {
        // The number of ranks is bounded as the number of hosts is; names were checked on entry.
        Hostlist::from_names(self.nodes.values().map(|node| &node.host)).unwrap_or_default()
    }

    /// Slots of the allocation, if set by the scheduler.
    pub fn nslots(&self) -> Option<u64> {
        self.nslots
    }

    /// Sets the number of slots.
    pub fn set_nslots(&mut self, nslots: Option<u64>) {
        self.nslots = nslots;
    }

    /// Time at which the resources were allocated, in seconds since the epoch.
    pub fn starttime(&self) -> Option<f64> {
        self.starttime
    }

    /// Time at which the resources expire, in seconds since the epoch; 0 for never.
    pub fn expiration(&self) -> f64 {
        self.expiration
    }

    /// Sets both times; expiration 0 for never.
    pub fn set_times(&mut self, starttime: f64, expiration: f64) -> Result<(), RsetError> {
        let starttime = check_time(starttime)?;
        self.expiration = check_time(expiration)?;
        self.starttime = Some(starttime);
        Ok(())
    }

    /// Sets the expiration, as a `resource-update` event does; 0 for never.
    pub fn set_expiration(&mut self, expiration: f64) -> Result<(), RsetError> {
        self.expiration = check_time(expiration)?;
        Ok(())
    }

    /// Data that the scheduler added for itself.
    pub fn scheduling(&self) -> Option<&Value> {
        self.scheduling.as_ref()
    }

    /// Sets or drops the data that the scheduler added for itself.
    pub fn set_scheduling(&mut self, scheduling: Option<Value>) {
        self.scheduling = scheduling;
    }

    /// Every property with its ranks, by name.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &IdSet)> {
        self.properties.iter().map(|(name, ranks)| (&**name, ranks))
    }

    /// True if a rank has a property.
    pub fn has_property(&self, rank: u32, name: &str) -> bool {
        self.properties
            .get(name)
            .is_some_and(|ranks| ranks.contains(rank))
    }

    /// The ranks that have a property.
    pub fn property(&self, name: &str) -> Option<&IdSet> {
        self.properties.get(name)
    }

    /// Removes a property from some ranks.
    pub fn remove_property(&mut self, name: &str, ranks: &IdSet) {
        if let Some(with) = self.properties.get_mut(name) {
            with.subtract(ranks);
            if with.is_empty() {
                self.properties.remove(name);
            }
        }
    }

    /// Removes all properties from all ranks.
    pub fn forget_properties(&mut self) {
        self.properties.clear();
    }

    /// Adds a property to more ranks, all of which must be in the set.
    pub fn add_property(&mut self, name: &str, ranks: &IdSet) -> Result<(), RsetError> {
        check_property(name)?;
        if !ranks.iter().all(|rank| self.nodes.contains_key(&rank)) {
            return Err(RsetError::PropertyRanks(name.to_owned()));
        }
        self.properties.entry(name.into()).or_default().add(ranks);
        Ok(())
    }

    /// Adds the ranks, resources and properties of another set. Times and scheduling are
    /// unchanged.
    pub fn add(&mut self, other: &Rset) -> Result<(), RsetError> {
        for (rank, node) in &other.nodes {
            self.add_rank(*rank, node.clone())?;
        }
        for (name, ranks) in &other.properties {
            self.properties.entry(name.clone()).or_default().add(ranks);
        }
        Ok(())
    }

    /// Removes the cores, GPUs and other ids of another set; a rank left without any is
    /// removed.
    pub fn subtract(&mut self, other: &Rset) {
        for (rank, taken) in &other.nodes {
            if let Some(node) = self.nodes.get_mut(rank) {
                node.subtract(taken);
                if node.is_empty() {
                    self.nodes.remove(rank);
                }
            }
        }
        self.forget_lost_ranks();
    }

    /// Keeps only these ranks.
    pub fn keep_ranks(&mut self, ranks: &IdSet) {
        self.nodes.retain(|rank, _| ranks.contains(*rank));
        self.forget_lost_ranks();
    }

    /// Removes these ranks.
    pub fn remove_ranks(&mut self, ranks: &IdSet) {
        self.nodes.retain(|rank, _| !ranks.contains(*rank));
        self.forget_lost_ranks();
    }

    /// Groups of ranks with the same ids of all kinds, by lowest rank.
    pub fn groups(&self) -> Vec<(IdSet, &Node)> {
        let mut index: BTreeMap<node::Children<'_>, usize> = BTreeMap::new();
        let mut groups: Vec<(Vec<u32>, &Node)> = Vec::new();
        for (rank, node) in &self.nodes {
            let group = *index.entry(node.children()).or_insert_with(|| {
                groups.push((Vec::new(), node));
                groups.len() - 1
            });
            groups[group].0.push(*rank);
        }
        groups
            .into_iter()
            .map(|(ranks, node)| (ranks.into_iter().collect(), node))
            .collect()
    }

    fn forget_lost_ranks(&mut self) {
        let ranks = self.ranks();
        self.properties.retain(|_, with| {
            *with = with.intersection(&ranks);
            !with.is_empty()
        });
    }
}

impl fmt::Display for Rset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (ranks, node)) in self.groups().into_iter().enumerate() {
            let gap = if n > 0 { " " } else { "" };
            write!(f, "{gap}rank{}/{node}", ranks.bracketed())?;
        }
        Ok(())
    }
}

fn check_time(time: f64) -> Result<f64, RsetError> {
    if time >= 0.0 && time.is_finite() {
        Ok(time)
    } else {
        Err(RsetError::Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(json: &str) -> Rset {
        serde_json::from_str(json).unwrap()
    }

    const TWO_GROUPS: &str = r#"{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0-3","gpu":"0"}},{"rank":"2","children":{"core":"0-1"}}],"nodelist":["a[0-1],b"],"properties":{"fast":"0-1","+x":"2"},"starttime":10.0,"expiration":20.0}}"#;

    #[test]
    fn a_set_is_counted_and_summarised() {
        let r = set(TWO_GROUPS);
        assert_eq!(r.to_string(), "rank[0-1]/core[0-3],gpu0 rank2/core[0-1]");
        assert_eq!((r.nnodes(), r.ncores(), r.ngpus()), (3, 10, 2));
        assert_eq!(r.ranks().to_string(), "0-2");
        assert_eq!(r.nodelist().to_string(), "a[0-1],b");
        assert_eq!((r.host(2), r.host(3)), (Some("b"), None));
        assert!(r.has_property(0, "fast") && !r.has_property(2, "fast"));
        assert_eq!(Rset::new().to_string(), "");
    }

    #[test]
    fn like_ranks_group_even_when_they_are_apart() {
        let mut r = Rset::new();
        for (rank, cores) in [(0, "0-1"), (1, "0"), (2, "0-1")] {
            r.add_rank(rank, Node::with_cores("h", cores.parse().unwrap()))
                .unwrap();
        }
        assert_eq!(r.to_string(), "rank[0,2]/core[0-1] rank1/core0");
    }

    #[test]
    fn subtraction_takes_cores_and_then_ranks() {
        let mut r = set(TWO_GROUPS);
        let mut taken = Rset::new();
        taken
            .add_rank(0, Node::with_cores("a0", "0-1".parse().unwrap()))
            .unwrap();
        taken
            .add_rank(2, Node::with_cores("b", "0-7".parse().unwrap()))
            .unwrap();
        taken
            .add_rank(9, Node::with_cores("z", "0".parse().unwrap()))
            .unwrap();
        r.subtract(&taken);
        assert_eq!(r.to_string(), "rank0/core[2-3],gpu0 rank1/core[0-3],gpu0");
        assert_eq!(
            r.properties().map(|(name, _)| name).collect::<Vec<_>>(),
            ["fast"]
        );
        r.add(&taken).unwrap();
        assert_eq!(
            r.to_string(),
            "rank[0-1]/core[0-3],gpu0 rank2/core[0-7] rank9/core0"
        );
        r.remove_ranks(&"0,9".parse().unwrap());
        assert_eq!(r.nodelist().to_string(), "a1,b");
        r.keep_ranks(&"2".parse().unwrap());
        assert_eq!(r.to_string(), "rank2/core[0-7]");
        assert_eq!(r.properties().count(), 0);
    }

    #[test]
    fn times_can_be_changed() {
        let mut r = set(TWO_GROUPS);
        r.set_expiration(0.0).unwrap();
        assert_eq!((r.starttime(), r.expiration()), (Some(10.0), 0.0));
        assert_eq!(r.set_expiration(-1.0), Err(RsetError::Time));
        assert_eq!(r.set_times(f64::NAN, 0.0), Err(RsetError::Time));
    }

    #[test]
    fn properties_are_checked() {
        let mut r = set(TWO_GROUPS);
        r.add_property("slow", &"2".parse().unwrap()).unwrap();
        r.remove_property("fast", &"1-9".parse().unwrap());
        assert_eq!(r.property("fast"), Some(&IdSet::from(0)));
        r.remove_property("fast", &IdSet::from(0));
        assert_eq!(r.property("fast"), None);
        let missing = r.add_property("slow", &"3".parse().unwrap());
        assert_eq!(missing, Err(RsetError::PropertyRanks("slow".to_owned())));
        assert!(matches!(
            r.add_property("a|b", &IdSet::new()),
            Err(RsetError::Property(_))
        ));
    }
}
