//! Jobs selected by a `list` (protocol/12 section 5): a constraint as a tree; the errors for
//! malformed ones are in `parse.rs`. Facts known without visiting each job, so that not all are
//! visited, are in `narrow.rs`.

mod narrow;
mod parse;

use std::collections::BTreeSet;

use job_fold::{Job, Part};
use proto::data::job::Given;
use proto::data::{Hostlist, IdSet};
use rustc_hash::FxHashMap;

use crate::attrs::{Attr, time};
use crate::limits::SEEN_MAX;

pub use narrow::{Facts, between, list_bit, lists, possible};
pub use parse::{Instance, parse};

/// Stands for every user.
pub const USERID_ANY: i64 = 0xffff_ffff;

/// A constraint. Leaves match a job if one of their values does.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// User ids.
    Userid(BTreeSet<i64>),
    /// Job names.
    Name(BTreeSet<String>),
    /// Queues; their virtual children were added when it was read.
    Queue(BTreeSet<String>),
    /// Bits of states.
    States(u32),
    /// Bits of results; only inactive jobs have one.
    Results(u32),
    /// Hosts.
    Hosts(BTreeSet<Box<str>>),
    /// Ranks.
    Ranks(IdSet),
    /// A time, compared.
    Time(Attr, Compare, f64),
    /// All of them.
    And(Vec<Query>),
    /// One of them; without any, everything.
    Or(Vec<Query>),
    /// Not all of them.
    Not(Vec<Query>),
}

/// Comparison of a time with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as they are")]
pub enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// One walk over jobs: counts comparisons and remembers its results for shared texts.
#[derive(Debug)]
pub struct Walk {
    /// Comparisons left; `None` for no limit.
    budget: Option<u64>,
    /// Match of a part of the allocations at a leaf; by the addresses of the leaf and of the part,
    /// which is kept so that no other gets its address. Never iterated.
    seen: FxHashMap<(usize, usize), (bool, Part)>,
}

impl Walk {
    /// A walk that may make `budget` comparisons, or any number.
    pub fn new(budget: Option<u64>) -> Walk {
        Walk {
            budget,
            seen: FxHashMap::default(),
        }
    }

    /// True if a job matches.
    pub fn matches(&mut self, query: &Query, job: &Job) -> Result<bool, TooMany> {
        match query {
            Query::And(all) => self.all(all, job),
            Query::Not(all) => self.all(all, job).map(|all| !all),
            Query::Or(any) => {
                for query in any {
                    if self.below(query, job)? {
                        return Ok(true);
                    }
                }
                Ok(any.is_empty())
            }
            leaf => {
                self.charge()?;
                Ok(self.leaf(leaf, job))
            }
        }
    }

    fn charge(&mut self) -> Result<(), TooMany> {
        if let Some(budget) = &mut self.budget {
            *budget = budget.checked_sub(1).ok_or(TooMany)?;
        }
        Ok(())
    }

    /// True if a job matches an operand. One without operands costs as much as a comparison.
    fn below(&mut self, query: &Query, job: &Job) -> Result<bool, TooMany> {
        if let Query::And(none) | Query::Or(none) | Query::Not(none) = query
            && none.is_empty()
        {
            self.charge()?;
        }
        self.matches(query, job)
    }

    fn all(&mut self, all: &[Query], job: &Job) -> Result<bool, TooMany> {
        for query in all {
            if !self.below(query, job)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn leaf(&mut self, leaf: &Query, job: &Job) -> bool {
        match leaf {
            Query::Userid(ids) => {
                let userid = i64::from(job.userid);
                ids.contains(&userid) || ids.contains(&USERID_ANY)
            }
            Query::Name(names) => {
                let name = job.name();
                name.is_some_and(|name| names.contains(name))
            }
            Query::Queue(queues) => {
                let queue = job.queue();
                queue.is_some_and(|queue| queues.contains(queue))
            }
            Query::States(mask) => mask & job.state.bit() != 0,
            Query::Results(mask) => job.result.is_some_and(|r| mask & r.bit() != 0),
            Query::Time(attr, compare, number) => {
                time(job, *attr).is_some_and(|time| holds(*compare, time, *number))
            }
            Query::Hosts(hosts) => self.once(leaf, job, |given| {
                let nodes: Hostlist = given.nodelist.parse().unwrap_or_default();
                nodes.iter().any(|node| hosts.contains(node))
            }),
            Query::Ranks(ranks) => self.once(leaf, job, |given| {
                let has: IdSet = given.ranks.parse().unwrap_or_default();
                has.intersects(ranks)
            }),
            Query::And(_) | Query::Or(_) | Query::Not(_) => false,
        }
    }

    /// Result of `matches` on a job's allocation, computed once at a leaf for all jobs with the
    /// same one. Leaves live as long as the walk, so that their addresses name them.
    fn once(&mut self, leaf: &Query, job: &Job, matches: impl FnOnce(Given<'_>) -> bool) -> bool {
        let Some(part) = &job.given else {
            return false;
        };
        let key = (
            std::ptr::from_ref(leaf).addr(),
            Part::as_ptr(part).cast::<u8>().addr(),
        );
        if let Some((is_match, _)) = self.seen.get(&key) {
            return *is_match;
        }
        let is_match = job.given().is_some_and(matches);
        if self.seen.len() < SEEN_MAX {
            self.seen.insert(key, (is_match, part.clone()));
        }
        is_match
    }
}

fn holds(compare: Compare, time: f64, number: f64) -> bool {
    match compare {
        Compare::Less => time < number,
        Compare::LessOrEqual => time <= number,
        Compare::Greater => time > number,
        Compare::GreaterOrEqual => time >= number,
    }
}

#[cfg(test)]
mod tests;
