//! The whole resource set: how it is put together, checked against what was found, and
//! matched with the ranks of today. Pure.

use proto::data::rset::Node;
use proto::data::{Hostlist, IdSet, Rset};

use crate::machine::Found;

/// R and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// Everything, excluded ranks included.
    pub set: Rset,
    /// As `resource-define` says it.
    pub method: String,
}

/// What one rank found, as R.
pub fn fragment(rank: u32, host: &str, found: Found) -> Rset {
    let mut node = Node::with_cores(host, found.cores);
    node.gpus = found.gpus;
    let mut set = Rset::new();
    // One rank with a host name that the system allows is within every limit.
    if let Err(error) = set.add_rank(rank, node) {
        tracing::error!("discovery: {error}");
    }
    set
}

/// R with the ranks that today's brokers have, if every broker's host is in it exactly
/// once; else as it is.
pub fn rerank(set: Rset, hosts: &Hostlist) -> Rset {
    reranked(&set, hosts).unwrap_or(set)
}

fn reranked(set: &Rset, hosts: &Hostlist) -> Option<Rset> {
    let mut reranked = Rset::new();
    let mut ranks = Vec::new();
    for (host, rank) in hosts.iter().zip(0_u32..) {
        let on = set.ranks_on(host);
        let (Some(old), 1) = (on.first(), on.count()) else {
            return None;
        };
        ranks.push((old, rank));
    }
    let named: IdSet = ranks.iter().map(|(old, _)| *old).collect();
    if ranks.len() != set.nnodes() || named != set.ranks() {
        return None;
    }
    for (old, rank) in &ranks {
        reranked.add_rank(*rank, set.node(*old)?.clone()).ok()?;
    }
    for (name, with) in set.properties() {
        let today = ranks.iter().filter(|(old, _)| with.contains(*old));
        let today: IdSet = today.map(|(_, rank)| *rank).collect();
        reranked.add_property(name, &today).ok()?;
    }
    if let Some(starttime) = set.starttime() {
        reranked.set_times(starttime, set.expiration()).ok()?;
    }
    reranked.set_scheduling(set.scheduling().cloned());
    Some(reranked)
}

/// R of the job that an instance of `size` brokers is, with the ranks of its brokers:
/// `None` if it does not have one node for each.
pub fn renumber(job: &Rset, size: u32) -> Option<Rset> {
    if job.nnodes() != size as usize {
        return None;
    }
    let mut set = Rset::new();
    for ((_, node), rank) in job.nodes().zip(0_u32..) {
        set.add_rank(rank, node.clone()).ok()?;
    }
    let today = |with: &IdSet| -> IdSet {
        let all = job.nodes().zip(0_u32..);
        let have = all.filter(|((old, _), _)| with.contains(*old));
        have.map(|(_, rank)| rank).collect()
    };
    for (name, with) in job.properties() {
        set.add_property(name, &today(with)).ok()?;
    }
    let starttime = job.starttime().unwrap_or(0.0);
    set.set_times(starttime, job.expiration()).ok()?;
    Some(set)
}

/// What a rank should have and has not; why it is to be drained.
pub fn missing(set: &Rset, rank: u32, found: &Rset) -> Option<String> {
    let (wanted, found) = (set.node(rank)?, found.node(rank)?);
    let cores = wanted.cores.difference(&found.cores);
    let gpus = wanted.gpus.difference(&found.gpus);
    let name = |kind: &str, ids: &IdSet| match ids.count() {
        0 => None,
        _ => Some(format!("{kind}{}", ids.bracketed())),
    };
    let lost: Vec<String> = [name("core", &cores), name("gpu", &gpus)]
        .into_iter()
        .flatten()
        .collect();
    let lost = lost.join(",");
    let host = &wanted.host;
    (!lost.is_empty()).then(|| format!("rank {rank} ({host}) missing resources: {lost}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nodes: &[(u32, &str, &str)]) -> Rset {
        let mut set = Rset::new();
        for (rank, host, cores) in nodes {
            let node = Node::with_cores(host, cores.parse().unwrap());
            set.add_rank(*rank, node).unwrap();
        }
        set
    }

    #[test]
    fn ranks_follow_their_hosts() {
        let mut r = set(&[(0, "a", "0-1"), (1, "b", "0")]);
        r.add_property("big", &"0".parse().unwrap()).unwrap();
        let swapped = rerank(r.clone(), &"b,a".parse().unwrap());
        assert_eq!(swapped.to_string(), "rank0/core0 rank1/core[0-1]");
        assert!(swapped.has_property(1, "big"));
        assert_eq!(rerank(r.clone(), &"b,c".parse().unwrap()), r);
        assert_eq!(rerank(r.clone(), &"b,b".parse().unwrap()), r);
        assert_eq!(rerank(r.clone(), &"a".parse().unwrap()), r);
    }

    #[test]
    fn the_ranks_of_a_job_are_counted_from_0() {
        let mut job = set(&[(3, "a", "4-5"), (7, "b", "0")]);
        job.add_property("big", &"7".parse().unwrap()).unwrap();
        job.set_times(1.0, 9.0).unwrap();
        let own = renumber(&job, 2).unwrap();
        assert_eq!(own.to_string(), "rank0/core[4-5] rank1/core0");
        assert!(own.has_property(1, "big"));
        assert_eq!(own.expiration(), 9.0);
        assert_eq!(renumber(&job, 1), None);
    }

    fn check(wanted: &str, found: &str, expect: Option<&str>) {
        let (wanted, found) = (set(&[(1, "fox", wanted)]), set(&[(1, "fox", found)]));
        assert_eq!(missing(&wanted, 1, &found).as_deref(), expect);
    }

    #[test]
    fn what_is_missing_is_named() {
        check("0-3", "0-7", None);
        check("0-2", "0-1", Some("rank 1 (fox) missing resources: core2"));
        check(
            "0-3",
            "1",
            Some("rank 1 (fox) missing resources: core[0,2-3]"),
        );
        assert_eq!(missing(&set(&[(1, "fox", "0")]), 2, &Rset::new()), None);
    }
}
