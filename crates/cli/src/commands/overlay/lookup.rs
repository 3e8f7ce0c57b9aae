//! `flux overlay lookup` and `parentof`: ranks, hosts and parents.

use proto::data::{Hostlist, IdSet};
use proto::overlay::Tree;

use super::{hosts, not_a_rank, tree};
use command::error::CliError;
use command::flux::Flux;

/// Translate ranks to host names, or host names to ranks
#[derive(clap::Args)]
pub(super) struct Lookup {
    /// Idset of ranks, or hostlist
    #[arg(allow_hyphen_values = true)]
    target: String,
}

impl Lookup {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let hosts = hosts(&mut handle)?;
        let answer = match self.target.parse::<IdSet>() {
            Ok(ranks) => hosts_of(&ranks, &hosts)?,
            Err(_) => ranks_of(&self.target, &hosts)?.to_string(),
        };
        flux.line(&answer)?;
        Ok(())
    }
}

fn hosts_of(ranks: &IdSet, hosts: &Hostlist) -> Result<String, CliError> {
    match ranks.last() {
        Some(last) if last as usize >= hosts.len() => {
            Err(CliError::new(format!("rank {last} is not in host map")))
        }
        _ => Ok(hosts.select(ranks).to_string()),
    }
}

/// All ranks on these hosts.
pub(super) fn ranks_of(target: &str, hosts: &Hostlist) -> Result<IdSet, CliError> {
    let bad = |_| CliError::new("target must be a valid idset or hostlist");
    let targets: Hostlist = target.parse().map_err(bad)?;
    let mut ranks = IdSet::new();
    for target in targets.iter() {
        let found = hosts.iter().zip(0..).filter(|(host, _)| *host == target);
        let before = ranks.count();
        found.for_each(|(_, rank)| ranks.insert(rank));
        if ranks.count() == before && hosts.find(target).is_none() {
            return Err(CliError::new(format!(
                "host {target} not found in host map"
            )));
        }
    }
    Ok(ranks)
}

/// Print the parent of a rank
#[derive(clap::Args)]
pub(super) struct Parentof {
    /// Rank
    #[arg(value_name = "RANK")]
    rank: Option<u32>,
}

impl Parentof {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let rank = self.rank.ok_or_else(|| CliError::new("RANK is required"))?;
        let mut handle = flux.connect()?;
        if rank == 0 {
            return Err(CliError::new("0 has no parent"));
        }
        let tree = tree(&mut handle, 0)?;
        let parent = parent_of(rank, &tree).ok_or_else(|| not_a_rank(rank))?;
        flux.line(parent)?;
        Ok(())
    }
}

/// Parent of a rank in a tree that contains it.
pub(super) fn parent_of(rank: u32, tree: &Tree) -> Option<u32> {
    if tree.children.iter().any(|child| child.rank == rank) {
        return Some(tree.rank);
    }
    let mut children = tree.children.iter();
    children.find_map(|child| parent_of(rank, child))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, expect: &str) {
        let hosts: Hostlist = "a[0-2],b,a0".parse().unwrap();
        let outcome = match target.parse::<IdSet>() {
            Ok(ranks) => hosts_of(&ranks, &hosts),
            Err(_) => ranks_of(target, &hosts).map(|ranks| ranks.to_string()),
        };
        let outcome = outcome.unwrap_or_else(|error| error.text().to_owned());
        assert_eq!(outcome, expect, "{target}");
    }

    #[test]
    fn ranks_and_hosts_are_translated() {
        check("0", "a0");
        check("1-3", "a[1-2],b");
        check("b", "3");
        check("a[0-1]", "0-1,4");
        check("5", "rank 5 is not in host map");
        check("c", "host c not found in host map");
        check("a[", "target must be a valid idset or hostlist");
    }

    #[test]
    fn a_parent_is_found_in_the_tree() {
        let tree = super::super::tree_of_four();
        assert_eq!(
            [1, 2, 3, 4].map(|rank| parent_of(rank, &tree)),
            [Some(0), Some(0), Some(1), None]
        );
    }
}
