use proto::data::Constraint;
use proto::data::rset::Node;

use super::*;
use crate::shape::{Range, Shape};

/// Ranks with this number of cores and GPUs each, all up.
fn pool(nodes: &[(u32, u32)]) -> Pool {
    let mut set = Rset::new();
    for (rank, (cores, gpus)) in (0..).zip(nodes) {
        let mut node = Node::with_cores(&format!("h{rank}"), IdSet::first_n(*cores));
        node.gpus = IdSet::first_n(*gpus);
        set.add_rank(rank, node).unwrap();
    }
    let ranks = set.ranks();
    set.add_property("odd", &ranks.iter().filter(|r| r % 2 == 1).collect())
        .unwrap();
    Pool::new(set, &ranks)
}

/// `[N nodes] S slots, C cores, G GPUs[, x]`: slots on all nodes together.
fn request(nnodes: u64, nslots: u64, slot_cores: u64, slot_gpus: u64, exclusive: bool) -> Request {
    let shape = Shape {
        nnodes: Range::exactly(nnodes),
        nslots: Range::exactly(nslots / nnodes.max(1)),
        slot_cores,
        slot_gpus,
        exclusive,
    };
    Request {
        shape,
        duration: 0.0,
        constraint: None,
    }
}

fn slots(nslots: u64, slot_cores: u64) -> Request {
    request(0, nslots, slot_cores, 0, false)
}

fn free_cores(pool: &Pool) -> u64 {
    pool.view(None).unwrap().n_free_cores()
}

fn check_place(pool: &mut Pool, request: &Request, expect: &str) {
    let placed = place(pool, request);
    pool.check_invariants();
    let outcome = placed.map_or("not now".to_owned(), |set| set.to_string());
    assert_eq!(outcome, expect);
}

#[test]
fn slots_go_where_most_cores_are_free() {
    let mut pool = pool(&[(4, 0), (4, 0)]);
    check_place(&mut pool, &slots(1, 1), "rank0/core0");
    check_place(&mut pool, &slots(1, 1), "rank1/core0");
    check_place(&mut pool, &slots(4, 1), "rank0/core[1-3] rank1/core1");
    check_place(&mut pool, &slots(1, 3), "not now");
    check_place(&mut pool, &slots(1, 2), "rank1/core[2-3]");
    check_place(&mut pool, &slots(1, 1), "not now");
}

#[test]
fn many_slots_fill_the_emptiest_nodes() {
    let mut pool = pool(&[(8, 0), (5, 0), (7, 0)]);
    check_place(&mut pool, &slots(4, 3), "rank[0,2]/core[0-5]");
    check_place(&mut pool, &slots(3, 2), "rank0/core[6-7] rank1/core[0-3]");
}

#[test]
fn what_does_not_fit_takes_nothing() {
    let mut pool = pool(&[(3, 0), (3, 0)]);
    check_place(&mut pool, &slots(3, 2), "not now");
    assert_eq!(free_cores(&pool), 6);
    check_place(&mut pool, &request(2, 2, 4, 0, false), "not now");
    assert_eq!(free_cores(&pool), 6);
}

#[test]
fn nodes_are_distinct_and_the_emptiest() {
    let mut pool = pool(&[(4, 0), (4, 0), (4, 0)]);
    check_place(&mut pool, &slots(1, 1), "rank0/core0");
    check_place(
        &mut pool,
        &request(2, 4, 1, 0, false),
        "rank[1-2]/core[0-1]",
    );
    check_place(&mut pool, &request(1, 1, 1, 0, true), "not now");
}

#[test]
fn exclusive_nodes_are_taken_whole() {
    let mut pool = pool(&[(4, 2), (4, 2)]);
    check_place(&mut pool, &slots(1, 1), "rank0/core0");
    check_place(
        &mut pool,
        &request(1, 1, 1, 0, true),
        "rank1/core[0-3],gpu[0-1]",
    );
    check_place(&mut pool, &request(1, 1, 1, 0, true), "not now");
}

/// The same with a range of nodes and of slots.
fn ranged(nnodes: (u64, u64), nslots: (u64, u64), slot_cores: u64) -> Request {
    let range = |(min, max)| Range { min, max };
    let mut request = request(1, 1, slot_cores, 0, false);
    (request.shape.nnodes, request.shape.nslots) = (range(nnodes), range(nslots));
    request
}

#[test]
fn as_many_slots_as_fit_are_given() {
    let check = |request: &Request, expect: &str| {
        let mut pool = pool(&[(8, 0), (5, 0), (7, 0)]);
        let placed = place(&mut pool, request);
        let outcome = placed.map(|set| format!("{:?} {set}", set.nslots().unwrap_or(0)));
        assert_eq!(outcome.unwrap_or_default(), expect, "{request:?}");
        pool.check_invariants();
    };
    check(&ranged((0, 0), (2, 4), 3), "4 rank[0,2]/core[0-5]");
    check(
        &ranged((0, 0), (2, 9), 3),
        "5 rank[0,2]/core[0-5] rank1/core[0-2]",
    );
    check(&ranged((0, 0), (2, u64::MAX), 8), "");
    check(&ranged((0, 0), (1, u64::MAX), 8), "1 rank0/core[0-7]");
    check(&ranged((0, 0), (6, 9), 3), "");
    check(&ranged((1, 2), (1, 1), 6), "2 rank[0,2]/core[0-5]");
    check(&ranged((1, 9), (1, 1), 7), "2 rank[0,2]/core[0-6]");
    check(&ranged((3, 9), (1, 1), 6), "");
    check(&ranged((2, 2), (1, 9), 2), "6 rank[0,2]/core[0-5]");
    check(&ranged((2, 2), (1, 2), 2), "4 rank[0,2]/core[0-3]");
    check(&ranged((1, 9), (2, 9), 2), "6 rank[0-2]/core[0-3]");
}

#[test]
fn gpus_are_counted_with_their_cores() {
    let mut pool = pool(&[(8, 0), (4, 2)]);
    check_place(
        &mut pool,
        &request(0, 2, 1, 1, false),
        "rank1/core[0-1],gpu[0-1]",
    );
    check_place(&mut pool, &request(0, 1, 1, 1, false), "not now");
}

/// The request for nodes or slots with this constraint.
fn of(request: Request, constraint: serde_json::Value) -> Request {
    let constraint = Constraint::parse(&constraint).unwrap();
    Request {
        constraint: Some(constraint),
        ..request
    }
}

#[test]
fn only_ranks_that_will_do_are_used() {
    let mut pool = pool(&[(8, 0), (2, 0), (4, 0)]);
    let odd = serde_json::json!({"properties": ["odd"]});
    let placed = place(&mut pool, &of(slots(2, 1), odd.clone())).unwrap();
    assert_eq!(placed.to_string(), "rank1/core[0-1]");
    assert!(placed.has_property(1, "odd"));
    check_place(&mut pool, &of(slots(1, 1), odd), "not now");
    let not_h0 = serde_json::json!({"not": [{"hostlist": ["h0"]}]});
    let two = request(2, 2, 1, 0, false);
    check_place(&mut pool, &of(two.clone(), not_h0), "not now");
    let ranks = serde_json::json!({"ranks": ["0,2,7"]});
    check_place(&mut pool, &of(two, ranks.clone()), "rank[0,2]/core0");
    let three = of(request(3, 3, 1, 0, false), ranks);
    let error = check(&mut pool, &three).unwrap_err().to_string();
    assert!(
        error.ends_with("need 3 node(s) with 1 cores each, only 2 eligible"),
        "{error}"
    );
}

#[test]
fn properties_can_change() {
    let mut pool = pool(&[(2, 0), (2, 0)]);
    let odd = |n| of(slots(n, 1), serde_json::json!({"properties": ["odd"]}));
    check_place(&mut pool, &odd(1), "rank1/core0");
    pool.set_property("odd", &"0,9".parse().unwrap(), true);
    check_place(&mut pool, &odd(3), "rank0/core[0-1] rank1/core1");
    pool.set_property("odd", &"0-1".parse().unwrap(), false);
    assert!(check(&mut pool, &odd(1)).is_err());
}

#[test]
fn constraints_beyond_the_number_that_is_kept_are_met_too() {
    let mut pool = pool(&[(64, 0), (64, 0)]);
    for rank in (0..2).cycle().take(4 * crate::limits::VIEWS_MAX) {
        // A different list each time, of which there is only one.
        for other in [7 + rank, 99] {
            let ranks = serde_json::json!({"ranks": [format!("{rank},{other}")]});
            let job = of(slots(1, 1), ranks);
            let placed = place(&mut pool, &job).unwrap();
            assert_eq!(placed.ranks(), IdSet::from(rank));
            pool.give(&placed);
        }
    }
    pool.check_invariants();
}

#[test]
fn lost_ranks_are_neither_used_nor_waited_for() {
    let mut pool = pool(&[(2, 0), (2, 0), (2, 0)]);
    let odd = of(slots(1, 1), serde_json::json!({"properties": ["odd"]}));
    check_place(&mut pool, &odd, "rank1/core0");
    let held = place(&mut pool, &request(2, 2, 2, 0, false)).unwrap();
    assert_eq!(held.to_string(), "rank[0,2]/core[0-1]");
    pool.shrink(&"1-2".parse().unwrap());
    pool.check_invariants();
    assert!(check(&mut pool, &odd).is_err());
    assert!(check(&mut pool, &request(2, 2, 1, 0, false)).is_err());
    pool.give(&held);
    check_place(&mut pool, &slots(2, 1), "rank0/core[0-1]");
}

/// A pool of many nodes looks at no more of them than a job takes.
#[test]
fn placing_on_many_nodes_is_the_same_as_on_few() {
    let mut few = pool(&[(4, 0); 8]);
    let mut many = pool(&[(4, 0); 20_000]);
    many.set_up(&IdSet::from_range(8, u32::MAX), false);
    let jobs = [
        slots(1, 1),
        request(3, 6, 1, 0, false),
        request(2, 2, 1, 0, true),
    ];
    for job in jobs.iter().cycle().take(12) {
        let (here, there) = (place(&mut few, job), place(&mut many, job));
        assert_eq!(here.map(|r| r.to_string()), there.map(|r| r.to_string()));
    }
}

#[test]
fn what_is_given_back_can_be_taken_again() {
    let mut pool = pool(&[(2, 1)]);
    let set = place(&mut pool, &request(0, 1, 2, 1, false)).unwrap();
    check_place(&mut pool, &slots(1, 1), "not now");
    pool.give(&set);
    pool.give(&set);
    pool.check_invariants();
    assert_eq!(pool.take(&set), Ok(()));
    assert_eq!(pool.take(&set), Err("h0 (rank 0)".to_owned()));
    pool.check_invariants();
}

#[test]
fn a_rank_that_is_down_keeps_what_it_has() {
    let mut pool = pool(&[(2, 0), (2, 0)]);
    pool.set_up(&IdSet::from_range(1, u32::MAX), false);
    check_place(&mut pool, &slots(3, 1), "not now");
    check_place(&mut pool, &slots(2, 1), "rank0/core[0-1]");
    assert_eq!(pool.down().to_string(), "rank1/core[0-1]");
    pool.set_up(&IdSet::from(1), true);
    check_place(&mut pool, &slots(1, 1), "rank1/core0");
}

fn check_feasible(request: &Request, expect: &str) {
    let mut pool = pool(&[(4, 2), (4, 0), (2, 0)]);
    let outcome = match check(&mut pool, request) {
        Ok(()) => "possible".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(outcome, expect);
}

#[test]
fn what_can_never_run_is_told_why() {
    check_feasible(&slots(10, 1), "possible");
    check_feasible(
        &slots(11, 1),
        "unsatisfiable request: need 11 slot(s) of 1 core(s), only 10 such slot(s) available (total cores: 10)",
    );
    check_feasible(
        &slots(3, 3),
        "unsatisfiable request: need 3 slot(s) of 3 core(s), only 2 such slot(s) available (total cores: 10)",
    );
    check_feasible(
        &request(0, 3, 1, 1, false),
        "unsatisfiable request: need 3 slot(s) with 1 GPU(s) each, only 2 available (total GPUs: 2)",
    );
    check_feasible(
        &request(3, 9, 1, 0, false),
        "unsatisfiable request: need 3 node(s) with 3 cores each, only 2 eligible",
    );
    check_feasible(
        &request(2, 2, 1, 1, false),
        "unsatisfiable request: need 2 node(s) with 1 cores and 1 GPUs each, only 1 eligible",
    );
    check_feasible(
        &request(4, 4, 1, 0, true),
        "unsatisfiable request: need 4 exclusive node(s), only 3 eligible",
    );
}

#[test]
fn huge_wishes_overflow_nothing() {
    let huge = request(0, u64::MAX, u64::MAX, u64::MAX, false);
    assert!(place(&mut pool(&[(1, 0)]), &huge).is_none());
    assert!(check(&mut pool(&[(1, 0)]), &huge).is_err());
    let huge = request(u64::MAX, u64::MAX, u64::MAX, 0, false);
    assert!(place(&mut pool(&[(1, 0)]), &huge).is_none());
    assert!(check(&mut pool(&[(1, 0)]), &huge).is_err());
}
