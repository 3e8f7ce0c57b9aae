//! Which jobs a `list` is after (protocol/12 section 5): a constraint as a tree, with the
//! sentences for one that is malformed in `parse.rs`.

mod parse;

use std::collections::BTreeSet;
use std::rc::Rc;

use proto::data::{Hostlist, IdSet};
use rustc_hash::FxHashMap;

use crate::attrs::{Attr, time};
use crate::job::{Job, List};

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

/// How a time is compared with a number.
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

/// One walk over jobs: counts comparisons and remembers what it found of shared texts.
#[derive(Debug)]
pub struct Walk {
    /// Comparisons left; `None` for no limit.
    budget: Option<u64>,
    /// Whether a node list, or a text of ranks, matched at a leaf; by both addresses.
    /// Never iterated.
    seen: FxHashMap<(usize, usize), bool>,
}

impl Walk {
    /// A walk that may make `budget` comparisons, or any number.
    pub fn new(budget: Option<u64>) -> Walk {
        Walk {
            budget,
            seen: FxHashMap::default(),
        }
    }

    /// Whether a job matches.
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

    /// Whether a job matches an operand. One without operands costs as much as a comparison.
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
                let name = job.wish.name.as_deref();
                name.is_some_and(|name| names.contains(name))
            }
            Query::Queue(queues) => {
                let queue = job.wish.queue.as_deref();
                queue.is_some_and(|queue| queues.contains(queue))
            }
            Query::States(mask) => mask & job.state.bit() != 0,
            Query::Results(mask) => job.result.is_some_and(|r| mask & r.bit() != 0),
            Query::Time(attr, compare, number) => {
                time(job, *attr).is_some_and(|time| holds(*compare, time, *number))
            }
            Query::Hosts(hosts) => {
                let nodelist = job.got.as_ref().map(|got| &got.nodelist);
                let matches = |text: &str| {
                    let nodes: Hostlist = text.parse().unwrap_or_default();
                    nodes.iter().any(|node| hosts.contains(node))
                };
                nodelist.is_some_and(|text| self.once(leaf, text, matches))
            }
            Query::Ranks(ranks) => {
                let text = job.got.as_ref().map(|got| &got.ranks);
                let matches = |text: &str| {
                    let has: IdSet = text.parse().unwrap_or_default();
                    has.intersects(ranks)
                };
                text.is_some_and(|text| self.once(leaf, text, matches))
            }
            Query::And(_) | Query::Or(_) | Query::Not(_) => false,
        }
    }

    /// What `matches` says of a shared text at a leaf, asked once for all jobs that
    /// share it. Both live as long as the walk, so that their addresses name them.
    fn once(&mut self, leaf: &Query, text: &Rc<str>, matches: impl FnOnce(&str) -> bool) -> bool {
        let key = (
            std::ptr::from_ref(leaf).addr(),
            Rc::as_ptr(text).cast::<u8>().addr(),
        );
        *self.seen.entry(key).or_insert_with(|| matches(text))
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

/// The lists on which a query may match a job, as bits: pending 1, running 2, inactive 4.
pub fn lists(query: &Query) -> u8 {
    const RUNNING: u8 = 2;
    const INACTIVE: u8 = 4;
    const ALL: u8 = 7;
    match query {
        Query::States(mask) => states_lists(*mask),
        Query::Results(_) => INACTIVE,
        Query::Hosts(_) | Query::Ranks(_) => RUNNING | INACTIVE,
        Query::Time(Attr::TInactive, ..) => INACTIVE,
        Query::Time(Attr::TRun | Attr::TCleanup, ..) => RUNNING | INACTIVE,
        Query::And(all) => all.iter().fold(ALL, |lists_, q| lists_ & lists(q)),
        Query::Or(any) if any.is_empty() => ALL,
        Query::Or(any) => any.iter().fold(0, |lists_, q| lists_ | lists(q)),
        // Only of states is the complement known without looking.
        Query::Not(all) => match all.as_slice() {
            [Query::States(mask)] => states_lists(!mask),
            _ => ALL,
        },
        Query::Userid(_) | Query::Name(_) | Query::Queue(_) | Query::Time(..) => ALL,
    }
}

fn states_lists(mask: u32) -> u8 {
    use proto::data::job::States;
    let has = |states: States, bit: u8| if mask & states.bits() != 0 { bit } else { 0 };
    let inactive = States::from_bits(64).unwrap_or_default();
    has(States::PENDING, 1) | has(States::RUNNING, 2) | has(inactive, 4)
}

/// The bit of a list in [`lists`].
pub fn list_bit(list: List) -> u8 {
    match list {
        List::Pending => 1,
        List::Running => 2,
        List::Inactive => 4,
        List::Processing => 0,
    }
}

#[cfg(test)]
mod tests;
