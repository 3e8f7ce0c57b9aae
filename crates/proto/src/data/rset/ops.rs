//! Arithmetic of whole resource sets: intersections, and renumbering of ranks.

use std::collections::{BTreeMap, VecDeque};

use super::{Rset, RsetError};
use crate::data::hostlist::Hostlist;
use crate::data::idset::IdSet;

/// Errors of ordering ranks by a list of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RerankError {
    /// More hosts than ranks.
    #[error("Too many hosts specified (expected {0})")]
    TooMany(usize),
    /// Fewer hosts than ranks.
    #[error("Too few hosts specified (expected {0})")]
    TooFew(usize),
    /// A host without a rank, or without a further rank.
    #[error("failed to find one or more provided hosts in R")]
    UnknownHost,
}

impl Rset {
    /// Keeps the cores, GPUs and other ids that another set has too; a rank left without any
    /// is removed.
    pub fn intersect(&mut self, other: &Rset) {
        self.nodes.retain(|rank, node| {
            let both = other.nodes.get(rank);
            both.is_some_and(|both| {
                node.intersect(both);
                !node.is_empty()
            })
        });
        self.forget_lost_ranks();
    }

    /// True if some core, GPU or other id is in both sets.
    pub fn overlaps(&self, other: &Rset) -> bool {
        let mut both = self.clone();
        both.intersect(other);
        !both.is_empty()
    }

    /// Gives a property to these ranks and removes it from all others. The name is not
    /// checked.
    pub fn replace_property(&mut self, name: &str, ranks: IdSet) -> Result<(), RsetError> {
        if let Some(rank) = ranks.iter().find(|rank| !self.nodes.contains_key(rank)) {
            return Err(RsetError::NoSuchRank(rank));
        }
        self.properties.remove(name);
        if !ranks.is_empty() {
            self.properties.insert(name.into(), ranks);
        }
        Ok(())
    }

    /// The set with ranks counted from 0, in their order.
    pub fn remapped(&self) -> Rset {
        let ranks = self.nodes.keys().copied().zip(0..).collect();
        self.with_ranks(&ranks)
    }

    /// The set with each rank replaced by the position of its host in `hosts`. Several ranks on
    /// one host keep their order.
    pub fn reranked(&self, hosts: &Hostlist) -> Result<Rset, RerankError> {
        let expected = self.nodes.len();
        match hosts.len() {
            n if n > expected => return Err(RerankError::TooMany(expected)),
            n if n < expected => return Err(RerankError::TooFew(expected)),
            _ => {}
        }
        let mut on_host: BTreeMap<&str, VecDeque<u32>> = BTreeMap::new();
        for (rank, node) in &self.nodes {
            on_host.entry(&node.host).or_default().push_back(*rank);
        }
        let mut ranks = BTreeMap::new();
        for (host, position) in hosts.iter().zip(0..) {
            let rank = on_host.get_mut(host).and_then(VecDeque::pop_front);
            ranks.insert(rank.ok_or(RerankError::UnknownHost)?, position);
        }
        Ok(self.with_ranks(&ranks))
    }

    /// The set with other ranks; a rank that is not in `ranks` is removed.
    fn with_ranks(&self, ranks: &BTreeMap<u32, u32>) -> Rset {
        let rank = |old: u32| ranks.get(&old).copied();
        let nodes = self.nodes.iter();
        let nodes = nodes.filter_map(|(old, node)| Some((rank(*old)?, node.clone())));
        let properties = self.properties.iter();
        let properties =
            properties.map(|(name, with)| (name.clone(), with.iter().filter_map(rank).collect()));
        Rset {
            nodes: nodes.collect(),
            properties: properties.collect(),
            nslots: self.nslots,
            starttime: self.starttime,
            expiration: self.expiration,
            scheduling: self.scheduling.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = r#"{"version":1,"execution":{"R_lite":[{"rank":"1,4","children":{"core":"0-3","gpu":"0"}},{"rank":"6","children":{"core":"0-1","nic":"0"}}],"nodelist":["a,b,a"],"properties":{"fast":"4,6"}}}"#;

    fn set(json: &str) -> Rset {
        serde_json::from_str(json).unwrap()
    }

    fn shown(set: &Rset) -> String {
        let properties: Vec<String> = set
            .properties()
            .map(|(name, ranks)| format!(" {name}:{ranks}"))
            .collect();
        format!("{set} {}{}", set.nodelist(), properties.concat())
    }

    #[test]
    fn what_two_sets_share_is_left() {
        let check = |other: &str, expect: &str| {
            let (mut left, other) = (set(THREE), set(other));
            assert_eq!(left.overlaps(&other), !expect.is_empty(), "{other}");
            left.intersect(&other);
            let outcome = if left.is_empty() {
                String::new()
            } else {
                shown(&left)
            };
            assert_eq!(outcome, expect);
        };
        let other = |ranks: &str, children: &str| {
            format!(
                r#"{{"version":1,"execution":{{"R_lite":[{{"rank":"{ranks}","children":{children}}}]}}}}"#
            )
        };
        let one_and_six = other("1,6", r#"{"core":"1-9"}"#);
        check(&one_and_six, "rank1/core[1-3] rank6/core1 a,a fast:6");
        check(&other("6", r#"{"nic":"0-3"}"#), "rank6/nic0 a fast:6");
        check(&other("1", r#"{"core":"7"}"#), "");
        check(&other("2", r#"{"core":"0"}"#), "");
    }

    #[test]
    fn ranks_are_counted_from_0() {
        let expect = "rank[0-1]/core[0-3],gpu0 rank2/core[0-1],nic0 a,b,a fast:1-2";
        assert_eq!(shown(&set(THREE).remapped()), expect);
        assert!(Rset::new().remapped().is_empty());
    }

    #[test]
    fn ranks_follow_a_list_of_hosts() {
        let check = |hosts: &str, expect: &str| {
            let outcome = set(THREE).reranked(&hosts.parse().unwrap());
            let outcome = outcome.map_or_else(|error| error.to_string(), |set| shown(&set));
            assert_eq!(outcome, expect, "{hosts}");
        };
        check(
            "b,a,a",
            "rank[0-1]/core[0-3],gpu0 rank2/core[0-1],nic0 b,a,a fast:0,2",
        );
        check("a,b", "Too few hosts specified (expected 3)");
        check("a,b,a,c", "Too many hosts specified (expected 3)");
        check("a,b,b", "failed to find one or more provided hosts in R");
        check("a,b,c", "failed to find one or more provided hosts in R");
    }

    #[test]
    fn a_property_is_replaced_and_its_ranks_must_be_there() {
        let mut set = set(THREE);
        let mut check = |name: &str, ranks: &str, expect: &str| {
            let outcome = set.replace_property(name, ranks.parse().unwrap());
            let outcome = outcome.map_or_else(|error| error.to_string(), |()| shown(&set));
            assert!(outcome.ends_with(expect), "{outcome}");
        };
        check("fast", "1", " fast:1");
        check("a&b", "4", " a&b:4 fast:1");
        check("fast", "", " a&b:4");
        let missing = "rank 5 not found in target resource list";
        check("fast", "4-6", missing);
    }
}
