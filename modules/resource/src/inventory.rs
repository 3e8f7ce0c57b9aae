//! The whole resource set: its construction, ranks lost for good, and its match with the
//! ranks of today. Pure.

use std::collections::{BTreeMap, VecDeque};

use proto::data::rset::Node;
use proto::data::{Hostlist, IdSet, Rset, rset::RsetError};

use crate::machine::Found;

/// The method by which R was made of the resources found by ranks.
pub const DISCOVERED: &str = "dynamic-discovery";
/// The method by which R was configured.
pub const CONFIGURED: &str = "configuration";
/// The method by which R is that of the job that the instance is.
pub const OF_JOB: &str = "job-info";
/// The method by which R was read from a file that the operator named.
pub const RELOADED: &str = "reload";
/// The method by which R was known from an earlier life.
pub const STORED: &str = "kvs";

/// R and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// Everything, lost ranks and excluded ones included: the stored form.
    whole: Rset,
    /// Everything but lost ranks.
    set: Rset,
    ranks: IdSet,
    lost: IdSet,
    /// As `resource-define` says it.
    pub method: String,
    /// The method by which R was made first: `method` unless that is `kvs`.
    pub origin: String,
    /// Counts the changes of `set`, except those of its times.
    pub version: u64,
}

impl Inventory {
    /// An inventory that nothing is lost of.
    pub fn new(set: Rset, method: &str, origin: &str) -> Inventory {
        Inventory {
            ranks: set.ranks(),
            whole: set.clone(),
            set,
            lost: IdSet::new(),
            method: method.to_owned(),
            origin: origin.to_owned(),
            version: 0,
        }
    }

    /// Everything but lost ranks.
    pub fn set(&self) -> &Rset {
        &self.set
    }

    /// Resource set to store.
    pub fn whole(&self) -> &Rset {
        &self.whole
    }

    /// The ranks that are not lost.
    pub fn ranks(&self) -> &IdSet {
        &self.ranks
    }

    /// True if a rank that is not in R is added as soon as it reports its resources.
    pub fn grows(&self) -> bool {
        self.origin == DISCOVERED
    }

    /// True if R was configured.
    pub fn is_configured(&self) -> bool {
        self.origin == CONFIGURED
    }

    /// True if a rank that goes offline is lost. Configured ones are only down.
    pub fn shrinks(&self) -> bool {
        !self.is_configured()
    }

    /// Changes the end of all.
    pub fn set_expiration(&mut self, expiration: f64) -> Result<(), RsetError> {
        self.whole.set_expiration(expiration)?;
        self.set.set_expiration(expiration)
    }

    /// Gives ranks the properties that they have in another set of the same nodes. True if
    /// they had others.
    pub fn set_properties(&mut self, like: &Rset) -> bool {
        if like.properties().eq(self.whole.properties()) {
            return false;
        }
        self.whole.forget_properties();
        for (name, ranks) in like.properties() {
            if let Err(error) = self.whole.add_property(name, ranks) {
                tracing::error!("property {name}: {error}");
            }
        }
        self.refresh(&self.whole.ranks());
        true
    }

    /// Takes ranks out for good; the ones that were there.
    pub fn lose(&mut self, ranks: &IdSet) -> IdSet {
        let gone = ranks.intersection(&self.ranks);
        self.lost.add(&gone);
        self.refresh(&gone);
        gone
    }

    /// Puts lost ranks back; the ones that were lost.
    pub fn find(&mut self, ranks: &IdSet) -> IdSet {
        let found = ranks.intersection(&self.lost);
        self.lost.subtract(&found);
        self.refresh(&found);
        found
    }

    /// Adds ranks that were not known.
    pub fn grow(&mut self, more: &Rset) -> Result<(), RsetError> {
        self.whole.add(more)?;
        self.refresh(&more.ranks());
        Ok(())
    }

    fn refresh(&mut self, changed: &IdSet) {
        if changed.is_empty() {
            return;
        }
        self.set = self.whole.clone();
        self.set.remove_ranks(&self.lost);
        self.ranks = self.set.ranks();
        self.version += 1;
    }
}

/// Resources found by one rank, as R. A rank that found nothing is in it with nothing.
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
    if hosts.len() != set.nnodes() {
        return None;
    }
    let mut of_host: BTreeMap<&str, u32> = BTreeMap::new();
    for (rank, node) in set.nodes() {
        if of_host.insert(&node.host, rank).is_some() {
            return None;
        }
    }
    let mut today: BTreeMap<u32, u32> = BTreeMap::new();
    for (host, rank) in hosts.iter().zip(0_u32..) {
        today.insert(of_host.remove(host)?, rank);
    }
    renamed(set, &today)
}

/// R of the job that an instance is, with the ranks of its brokers: each node goes to the
/// first broker on its host that has none, so that of several on one host one has it. Where
/// brokers have other names for their hosts, one for each node, nodes go in order.
pub fn of_job(job: &Rset, hosts: &Hostlist) -> Option<Rset> {
    let mut brokers: BTreeMap<&str, VecDeque<u32>> = BTreeMap::new();
    for (host, rank) in hosts.iter().zip(0_u32..) {
        brokers.entry(host).or_default().push_back(rank);
    }
    let by_host: Option<BTreeMap<u32, u32>> = job
        .nodes()
        .map(|(rank, node)| Some((rank, brokers.get_mut(&*node.host)?.pop_front()?)))
        .collect();
    let in_order = || -> Option<BTreeMap<u32, u32>> {
        let fits = job.nnodes() == hosts.len();
        fits.then(|| job.nodes().map(|(rank, _)| rank).zip(0..).collect())
    };
    renamed(job, &by_host.or_else(in_order)?)
}

/// R with other ranks for all of its ranks.
fn renamed(set: &Rset, today: &BTreeMap<u32, u32>) -> Option<Rset> {
    let mut renamed = Rset::new();
    for (rank, node) in set.nodes() {
        renamed.add_rank(*today.get(&rank)?, node.clone()).ok()?;
    }
    for (name, with) in set.properties() {
        let ranks: IdSet = with
            .iter()
            .filter_map(|rank| today.get(&rank).copied())
            .collect();
        renamed.add_property(name, &ranks).ok()?;
    }
    if set.starttime().is_some() || set.expiration() > 0.0 {
        let starttime = set.starttime().unwrap_or(0.0);
        renamed.set_times(starttime, set.expiration()).ok()?;
    }
    renamed.set_scheduling(set.scheduling().cloned());
    Some(renamed)
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
        let own = of_job(&job, &"a,b".parse().unwrap()).unwrap();
        assert_eq!(own.to_string(), "rank0/core[4-5] rank1/core0");
        assert!(own.has_property(1, "big"));
        assert_eq!(own.expiration(), 9.0);
        let check = |brokers: &str, expect: &str| {
            let own = of_job(&job, &brokers.parse().unwrap());
            let own = own.map_or("none".to_owned(), |own| own.to_string());
            assert_eq!(own, expect, "{brokers}");
        };
        check("b,a", "rank0/core0 rank1/core[4-5]");
        check("a,a,b,b", "rank0/core[4-5] rank2/core0");
        check("x,y", "rank0/core[4-5] rank1/core0");
        check("x", "none");
        check("a,x,y", "none");
    }

    #[test]
    fn lost_ranks_come_back_as_they_were_and_new_ones_are_added() {
        let mut all = set(&[(0, "a", "0-1"), (1, "b", "0")]);
        all.add_property("big", &"1".parse().unwrap()).unwrap();
        let mut inventory = Inventory::new(all, STORED, DISCOVERED);
        let one = IdSet::from(1);
        assert_eq!(inventory.lose(&"1-9".parse().unwrap()), one);
        assert_eq!(inventory.lose(&one), IdSet::new());
        assert_eq!(
            (inventory.version, inventory.ranks().to_string()),
            (1, "0".to_owned())
        );
        assert_eq!(inventory.set().to_string(), "rank0/core[0-1]");
        inventory.grow(&set(&[(2, "c", "7")])).unwrap();
        assert_eq!(inventory.set().to_string(), "rank0/core[0-1] rank2/core7");
        assert_eq!(inventory.find(&"0-1".parse().unwrap()), one);
        assert_eq!(inventory.set(), inventory.whole());
        assert!(inventory.set().has_property(1, "big"));
        assert!(inventory.grows() && inventory.shrinks());
    }
}
