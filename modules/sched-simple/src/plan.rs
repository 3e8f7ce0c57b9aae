//! Simulation of a pool: resources freed and taken, and all of it undone at the end. The
//! cost grows with the moved entries, not with the pool. Pure.

use std::borrow::Cow;

use proto::data::Rset;

use crate::held::Held;
use crate::place;
use crate::pool::Pool;
use crate::request::Request;

/// A pool in a future.
pub struct Plan<'p> {
    pool: &'p mut Pool,
    steps: Vec<Step<'p>>,
}

enum Step<'p> {
    Given(Cow<'p, Rset>),
    Taken(Rset),
}

impl<'p> Plan<'p> {
    /// A future that is the present.
    pub fn new(pool: &'p mut Pool) -> Plan<'p> {
        Plan {
            pool,
            steps: Vec::new(),
        }
    }

    /// Frees the resources of a job.
    pub fn give(&mut self, set: Cow<'p, Rset>) {
        self.pool.give(&set);
        self.steps.push(Step::Given(set));
    }

    /// True if a job fits.
    pub fn fits(&mut self, request: &Request) -> bool {
        place::fits(self.pool, request)
    }

    /// A job starts, if it fits.
    pub fn take(&mut self, request: &Request) -> Option<Rset> {
        let set = place::place(self.pool, request)?;
        self.steps.push(Step::Taken(set.clone()));
        Some(set)
    }

    /// Undoes all but the first N steps.
    pub fn undo_to(&mut self, n_steps: usize) {
        for step in self.steps.drain(n_steps.min(self.steps.len())..).rev() {
            match step {
                Step::Given(set) => self.pool.take_present(&set),
                Step::Taken(set) => self.pool.give(&set),
            }
        }
    }
}

impl Drop for Plan<'_> {
    fn drop(&mut self) {
        self.undo_to(0);
    }
}

/// When a job that does not fit now can start at the earliest, if nothing else starts and
/// running jobs end when they must; `None` if no end is known that makes room. Gives back twice
/// the jobs that must end, and looks for room a few times only.
pub fn earliest(pool: &mut Pool, held: &Held, request: &Request, now: f64) -> Option<f64> {
    let mut plan = Plan::new(pool);
    let mut ends: Vec<(f64, &Rset)> = Vec::new();
    // As many ends as do not suffice.
    let mut too_few = 0;
    for (end, set) in held.by_end() {
        ends.push((end, set));
        plan.give(Cow::Borrowed(set));
        if ends.len() >= 2 * too_few.max(1) || ends.len() == 1 {
            if plan.fits(request) {
                break;
            }
            too_few = ends.len();
        }
    }
    if ends.is_empty() || !plan.fits(request) {
        return None;
    }
    // The more ends, the more room: halve the distance.
    let mut enough = ends.len();
    let mut at = enough;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        plan.undo_to(middle);
        for (_, set) in ends.iter().take(middle).skip(at) {
            plan.give(Cow::Borrowed(set));
        }
        at = middle;
        match plan.fits(request) {
            true => enough = middle,
            false => too_few = middle,
        }
    }
    let (end, _) = ends.get(enough - 1)?;
    Some(end.max(now))
}

#[cfg(test)]
mod tests {
    use proto::data::rset::Node;
    use proto::data::{IdSet, JobId};

    use super::*;
    use crate::place::place;
    use crate::shape::{Range, Shape};

    /// Ranks with four cores each.
    fn pool(n_ranks: u32) -> Pool {
        let mut set = Rset::new();
        for rank in 0..n_ranks {
            let node = Node::with_cores("fox", IdSet::first_n(4));
            set.add_rank(rank, node).unwrap();
        }
        Pool::new(set, &IdSet::first_n(n_ranks))
    }

    fn nodes(nnodes: u64) -> Request {
        let shape = Shape {
            nnodes: Range::exactly(nnodes),
            nslots: Range::exactly(1),
            slot_cores: 4,
            ..Shape::default()
        };
        Request {
            shape,
            duration: 0.0,
            constraint: None,
        }
    }

    /// Jobs on one node each that end at these times run on eight nodes.
    fn check(ends: &[f64], wanted: u64, expect: Option<f64>) {
        let mut pool = pool(8);
        let mut held = Held::default();
        for (n, end) in (1..).zip(ends) {
            let mut set = place(&mut pool, &nodes(1)).unwrap();
            set.set_times(0.0, *end).unwrap();
            held.insert(JobId(n), set);
        }
        let before = format!("{pool:?}");
        assert_eq!(
            earliest(&mut pool, &held, &nodes(wanted), 5.0),
            expect,
            "{ends:?}"
        );
        pool.check_invariants();
        let views = |text: &str| text.split("views").next().map(str::to_owned);
        assert_eq!(views(&format!("{pool:?}")), views(&before));
    }

    #[test]
    fn the_first_moment_with_enough_room_is_found() {
        let ends = [30.0, 10.0, 20.0, 60.0, 50.0, 40.0, 70.0];
        for (wanted, end) in [
            (2, 10.0),
            (3, 20.0),
            (4, 30.0),
            (5, 40.0),
            (6, 50.0),
            (7, 60.0),
            (8, 70.0),
        ] {
            check(&ends, wanted, Some(end));
        }
    }

    #[test]
    fn an_end_that_is_past_is_now() {
        check(&[1.0; 8], 1, Some(5.0));
        check(&[1.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0], 3, Some(9.0));
    }

    #[test]
    fn without_known_ends_there_is_none() {
        check(&[0.0; 8], 1, None);
        check(&[10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 2, None);
        check(&[10.0; 8], 9, None);
    }
}
