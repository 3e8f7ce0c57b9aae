//! Resources of jobs, and the order in which they are freed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use proto::data::{IdSet, JobId, Rset, rset::RsetError};

/// The resources of running jobs.
#[derive(Debug, Default)]
pub struct Held {
    jobs: BTreeMap<JobId, Rset>,
    /// Jobs that end, by time. Times are not negative, so their bits are in the same order.
    ends: BTreeSet<(u64, JobId)>,
}

/// Resources freed by a job.
#[derive(Debug, PartialEq)]
pub struct Freed {
    /// Resources that are free now.
    pub set: Rset,
    /// Resources that do not fit, in words.
    pub complaint: Option<String>,
}

impl Held {
    /// Resources of all jobs, by id.
    pub fn sets(&self) -> impl Iterator<Item = &Rset> {
        self.jobs.values()
    }

    /// Allocations that end, the soonest first, and the times.
    pub fn by_end(&self) -> impl Iterator<Item = (f64, &Rset)> {
        let ends = self.ends.iter();
        ends.filter_map(|(end, id)| Some((f64::from_bits(*end), self.jobs.get(id)?)))
    }

    /// A job has this.
    pub fn insert(&mut self, id: JobId, set: Rset) {
        self.remove(id);
        if let Some(end) = end_of(&set) {
            self.ends.insert((end, id));
        }
        self.jobs.insert(id, set);
    }

    /// Takes a job out.
    pub fn remove(&mut self, id: JobId) -> Option<Rset> {
        let set = self.jobs.remove(&id)?;
        if let Some(end) = end_of(&set) {
            self.ends.remove(&(end, id));
        }
        Some(set)
    }

    /// A job that is known gives something back, at the end everything. It cannot free
    /// resources that it does not hold.
    pub fn free(&mut self, id: JobId, back: &Rset, is_final: bool) -> Option<Freed> {
        let mut held = self.remove(id)?;
        let mut rest = held.clone();
        rest.subtract(back);
        let complaint = complaint(&held, back, is_final);
        if is_final || rest.is_empty() {
            return Some(Freed {
                set: held,
                complaint,
            });
        }
        held.subtract(&rest);
        self.insert(id, rest);
        Some(Freed {
            set: held,
            complaint,
        })
    }

    /// A job ends at another time; 0 for never.
    pub fn set_expiration(&mut self, id: JobId, expiration: f64) -> Result<(), RsetError> {
        let Some(mut set) = self.remove(id) else {
            return Ok(());
        };
        let outcome = set.set_expiration(expiration);
        self.insert(id, set);
        outcome
    }

    /// Forgets all jobs.
    pub fn clear(&mut self) {
        self.jobs.clear();
        self.ends.clear();
    }

    /// Walks the cross-references and panics on one that is broken.
    pub fn check_invariants(&self) {
        let ends = self.jobs.iter();
        let ends = ends.filter_map(|(id, set)| Some((end_of(set)?, *id)));
        assert_eq!(self.ends, ends.collect());
    }
}

fn end_of(set: &Rset) -> Option<u64> {
    (set.expiration() > 0.0).then(|| set.expiration().to_bits())
}

/// Error for a job that has `held` and frees this.
fn complaint(held: &Rset, back: &Rset, is_final: bool) -> Option<String> {
    let unknown: IdSet = back.ranks().difference(&held.ranks());
    if !unknown.is_empty() {
        return Some(format!("R contains ranks not in job allocation: {unknown}"));
    }
    let (got, expected) = (back.to_string(), held.to_string());
    let mismatch = is_final && got != expected;
    mismatch.then(|| format!("final R mismatch: got {got}, expected {expected}"))
}

#[cfg(test)]
mod tests {
    use proto::data::rset::Node;

    use super::*;

    /// Rank 0 to N with these cores each.
    fn set(ranks: &str, cores: &str, end: f64) -> Rset {
        let mut set = Rset::new();
        let ranks: IdSet = ranks.parse().unwrap();
        for rank in ranks.iter() {
            let node = Node::with_cores("fox", cores.parse().unwrap());
            set.add_rank(rank, node).unwrap();
        }
        set.set_times(1.0, end).unwrap();
        set
    }

    fn id(n: u64) -> JobId {
        JobId(n)
    }

    #[test]
    fn jobs_end_in_order() {
        let mut held = Held::default();
        for (n, end) in [(1, 30.0), (2, 0.0), (3, 10.5), (4, 30.0)] {
            held.insert(id(n), set(&n.to_string(), "0", end));
        }
        let check = |held: &Held, expect: &str| {
            held.check_invariants();
            let ends = held
                .by_end()
                .map(|(end, set)| format!("{}@{end}", set.ranks()));
            assert_eq!(ends.collect::<Vec<_>>().join(" "), expect);
        };
        check(&held, "3@10.5 1@30 4@30");
        held.set_expiration(id(1), 5.0).unwrap();
        held.set_expiration(id(2), 7.0).unwrap();
        held.set_expiration(id(9), 7.0).unwrap();
        held.remove(id(4));
        check(&held, "1@5 2@7 3@10.5");
        assert!(held.set_expiration(id(1), -1.0).is_err());
        held.set_expiration(id(1), 0.0).unwrap();
        check(&held, "2@7 3@10.5");
    }

    #[test]
    fn a_job_gives_back_what_it_has() {
        let check = |back: Rset, is_final: bool, expect: &str, rest: &str| {
            let mut held = Held::default();
            held.insert(id(1), set("0-2", "0-1", 9.0));
            let freed = held.free(id(1), &back, is_final).unwrap();
            held.check_invariants();
            let complaint = freed.complaint.map(|text| format!(": {text}"));
            let outcome = format!("{}{}", freed.set, complaint.unwrap_or_default());
            assert_eq!(outcome, expect);
            let left: Vec<String> = held.sets().map(ToString::to_string).collect();
            assert_eq!(left.concat(), rest);
        };
        let all = "rank[0-2]/core[0-1]";
        check(set("0-2", "0-1", 9.0), true, all, "");
        check(
            set("1", "0-1", 9.0),
            false,
            "rank1/core[0-1]",
            "rank[0,2]/core[0-1]",
        );
        check(set("0-2", "0-1", 9.0), false, all, "");
        let mismatch = format!("{all}: final R mismatch: got rank1/core[0-1], expected {all}");
        check(set("1", "0-1", 9.0), true, &mismatch, "");
        let unknown = ": R contains ranks not in job allocation: 3,7";
        check(
            set("2-3,7", "0-1", 9.0),
            false,
            &format!("rank2/core[0-1]{unknown}"),
            "rank[0-1]/core[0-1]",
        );
        assert_eq!(Held::default().free(id(1), &Rset::new(), true), None);
    }
}
