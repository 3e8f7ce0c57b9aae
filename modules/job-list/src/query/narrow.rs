//! Narrowing of a query without visiting each job: the lists, groups of inactive jobs and times
//! among which matches may be.

use std::ops::RangeInclusive;

use job_fold::List;
use proto::data::job::{JobResult, State};

use super::{Compare, Query, USERID_ANY};
use crate::attrs::Attr;

/// Values common to inactive jobs of a group.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// User id of their submitter.
    pub userid: u32,
    /// Result of the jobs.
    pub result: JobResult,
    /// Queue.
    pub queue: Option<&'a str>,
}

/// True if jobs of a group may match; `false` only if none does.
pub fn possible(query: &Query, facts: &Facts<'_>) -> bool {
    known(query, facts) != Some(false)
}

/// `Some(true)` if all jobs of a group match, `Some(false)` if none does; `None` if each
/// must be checked.
fn known(query: &Query, facts: &Facts<'_>) -> Option<bool> {
    match query {
        Query::Userid(ids) => {
            let userid = i64::from(facts.userid);
            Some(ids.contains(&userid) || ids.contains(&USERID_ANY))
        }
        Query::Queue(queues) => Some(facts.queue.is_some_and(|queue| queues.contains(queue))),
        Query::States(mask) => Some(mask & State::Inactive.bit() != 0),
        Query::Results(mask) => Some(mask & facts.result.bit() != 0),
        Query::And(all) => known_of_all(all, facts),
        Query::Not(all) => known_of_all(all, facts).map(|all| !all),
        Query::Or(any) if any.is_empty() => Some(true),
        Query::Or(any) => {
            let mut is_known = true;
            for query in any {
                match known(query, facts) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => is_known = false,
                }
            }
            is_known.then_some(false)
        }
        Query::Name(_) | Query::Hosts(_) | Query::Ranks(_) | Query::Time(..) => None,
    }
}

fn known_of_all(all: &[Query], facts: &Facts<'_>) -> Option<bool> {
    let mut is_known = true;
    for query in all {
        match known(query, facts) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(true)
}

/// The times of `t_inactive` outside of which no inactive job matches. `lead` is how much later
/// than that any other time of a job may be.
pub fn between(query: &Query, lead: f64) -> RangeInclusive<f64> {
    let always = 0.0..=f64::INFINITY;
    let overlap = |a: RangeInclusive<f64>, b: RangeInclusive<f64>| {
        a.start().max(*b.start())..=a.end().min(*b.end())
    };
    let hull = |a: RangeInclusive<f64>, b: RangeInclusive<f64>| {
        a.start().min(*b.start())..=a.end().max(*b.end())
    };
    match query {
        Query::Time(attr, Compare::Greater | Compare::GreaterOrEqual, time) => match attr {
            Attr::TInactive => *time..=f64::INFINITY,
            _ => time - lead..=f64::INFINITY,
        },
        Query::Time(Attr::TInactive, Compare::Less | Compare::LessOrEqual, time) => 0.0..=*time,
        Query::And(all) => all.iter().map(|q| between(q, lead)).fold(always, overlap),
        Query::Or(any) => {
            let ranges = any.iter().map(|q| between(q, lead));
            ranges.reduce(hull).unwrap_or(always)
        }
        _ => always,
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
