//! Hosts and ranks given by an operator: ranks as an idset, or hosts as a hostlist. Pure.

use std::collections::BTreeMap;

use proto::data::{Hostlist, IdSet};
use proto::resource::DrainError;

/// The ranks that there are, and their hosts.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    hosts: Vec<Box<str>>,
    by_host: BTreeMap<Box<str>, IdSet>,
}

impl Hosts {
    /// The host of each rank from 0 on.
    pub fn new<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Hosts {
        let mut names = Hosts::default();
        for (host, rank) in hosts.into_iter().zip(0_u32..) {
            names.hosts.push(host.into());
            names.by_host.entry(host.into()).or_default().insert(rank);
        }
        names
    }

    /// The ranks meant by `targets`.
    pub fn ranks(&self, targets: &str) -> Result<IdSet, DrainError> {
        if let Ok(ranks) = targets.parse::<IdSet>() {
            return match ranks.last() {
                None => Err(DrainError::Empty),
                Some(last) if last as usize >= self.hosts.len() => Err(DrainError::OutOfRange),
                Some(_) => Ok(ranks),
            };
        }
        let hosts: Hostlist = targets.parse().map_err(|_| DrainError::NotAHostlist)?;
        let mut ranks = IdSet::new();
        let mut unknown = Hostlist::new();
        for host in &hosts {
            match self.by_host.get(host) {
                Some(on) => ranks.add(on),
                // As many as were decoded, so there is room.
                None => unknown.push(host).unwrap_or_default(),
            }
        }
        if !unknown.is_empty() {
            return Err(DrainError::UnknownHosts(unknown.to_string()));
        }
        if ranks.is_empty() {
            return Err(DrainError::Empty);
        }
        Ok(ranks)
    }

    /// Maximum number of ranks in an event: no more than hosts can have.
    pub fn len_max(&self) -> usize {
        proto::data::limits::HOSTS_MAX
    }

    /// The hosts of some ranks, in order of rank.
    pub fn hosts(&self, ranks: &IdSet) -> Hostlist {
        let known = IdSet::first_n(self.hosts.len() as u32);
        let names = ranks.intersection(&known);
        Hostlist::from_names(names.iter().map(|rank| &self.hosts[rank as usize]))
            .unwrap_or_default()
    }

    /// Today's rank of a rank and host of an earlier day: the same if the host still has
    /// it, else the host's only one.
    pub fn today(&self, rank: u32, host: Option<&str>) -> Option<u32> {
        let Some(host) = host else {
            return ((rank as usize) < self.hosts.len()).then_some(rank);
        };
        let on = self.by_host.get(host)?;
        if on.contains(rank) {
            return Some(rank);
        }
        on.first().filter(|_| on.count() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(targets: &str, expect: &str) {
        let names = Hosts::new(["foo0", "foo1", "foo1", "bar"]);
        let outcome = match names.ranks(targets) {
            Ok(ranks) => ranks.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expect, "{targets:?}");
    }

    #[test]
    fn targets_are_ranks_or_hosts() {
        check("0", "0");
        check("0-1,3", "0-1,3");
        check("[1-2]", "1-2");
        check("foo0", "0");
        check("foo1,bar", "1-3");
    }

    #[test]
    fn bad_targets_are_refused() {
        check("", "idset is empty");
        check("4", "idset is out of range");
        check("0-4000000000", "idset is out of range");
        check("foo[", "invalid targets: Hostlist cannot be decoded");
        check("foo[0-2],x", "invalid targets: invalid hosts: foo2,x");
    }

    #[test]
    fn a_host_that_moved_is_found_again() {
        let names = Hosts::new(["b", "a", "c", "c"]);
        assert_eq!(names.today(0, Some("a")), Some(1));
        assert_eq!(names.today(0, Some("b")), Some(0));
        assert_eq!(names.today(0, Some("c")), None);
        assert_eq!(names.today(2, Some("c")), Some(2));
        assert_eq!(names.today(1, Some("gone")), None);
        assert_eq!(
            (names.today(3, None), names.today(4, None)),
            (Some(3), None)
        );
    }
}
