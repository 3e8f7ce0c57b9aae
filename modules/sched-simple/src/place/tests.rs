use proto::data::Constraint;
use proto::data::rset::Node;

use super::*;

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

/// `[N nodes] S slots, C cores, G GPUs[, x]`
fn request(nnodes: u64, nslots: u64, slot_cores: u64, slot_gpus: u64, exclusive: bool) -> Request {
    Request {
        nnodes,
        nslots,
        slot_cores,
        slot_gpus,
        exclusive,
        duration: 0.0,
        constraint: None,
    }
}

fn slots(nslots: u64, slot_cores: u64) -> Request {
    request(0, nslots, slot_cores, 0, false)
}

fn check_place(pool: &mut Pool, request: &Request, expect: &str) {
    let placed = place(pool, request, None);
    pool.check_invariants();
    let outcome = placed.map_or("not now".to_owned(), |set| set.to_string());
    assert_eq!(outcome, expect);
}

#[test]
fn slots_go_where_most_cores_are_free() {
    let mut pool = pool(&[(4, 0), (4, 0)]);
    check_place(&mut pool, &slots(1, 1), "rank0/core0");
    check_place(&mut pool, &slots(1, 1), "rank1/core0");
    check_place(&mut pool, &slots(3, 1), "rank0/core[1-2] rank1/core1");
    check_place(&mut pool, &slots(1, 3), "not now");
    check_place(&mut pool, &slots(1, 2), "rank1/core[2-3]");
    check_place(&mut pool, &slots(1, 1), "rank0/core3");
    check_place(&mut pool, &slots(1, 1), "not now");
}

#[test]
fn many_slots_spread_as_if_they_came_one_by_one() {
    for (n, cores) in [(5, 1), (3, 2), (4, 3), (9, 1), (2, 5)] {
        let mut at_once = pool(&[(8, 0), (5, 0), (7, 0)]);
        let mut one_by_one = at_once.clone();
        let placed = place(&mut at_once, &slots(n, cores), None).unwrap();
        let mut sum = Rset::new();
        for _ in 0..n {
            let slot = place(&mut one_by_one, &slots(1, cores), None).unwrap();
            sum.add(&slot).unwrap();
        }
        assert_eq!(placed.to_string(), sum.to_string(), "{n} slots of {cores}");
    }
}

#[test]
fn what_does_not_fit_takes_nothing() {
    let mut pool = pool(&[(3, 0), (3, 0)]);
    check_place(&mut pool, &slots(3, 2), "not now");
    assert_eq!(pool.n_free_cores(), 6);
    check_place(&mut pool, &request(2, 2, 4, 0, false), "not now");
    assert_eq!(pool.n_free_cores(), 6);
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

#[test]
fn exclusive_slots_take_whole_nodes_too() {
    let mut pool = pool(&[(4, 0), (4, 0), (4, 0)]);
    check_place(&mut pool, &request(0, 6, 1, 0, true), "rank[0-1]/core[0-3]");
    check_place(&mut pool, &request(0, 5, 1, 0, true), "not now");
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

#[test]
fn only_ranks_that_will_do_are_used() {
    let mut pool = pool(&[(8, 0), (2, 0)]);
    let odd = serde_json::json!({"properties": ["odd"]});
    let ranks = pool.matching(&Constraint::parse(&odd).unwrap());
    assert_eq!(ranks.to_string(), "1");
    let placed = place(&mut pool, &slots(2, 1), Some(&ranks)).unwrap();
    assert_eq!(placed.to_string(), "rank1/core[0-1]");
    assert!(placed.has_property(1, "odd"));
    assert!(place(&mut pool, &slots(1, 1), Some(&ranks)).is_none());
}

#[test]
fn what_is_given_back_can_be_taken_again() {
    let mut pool = pool(&[(2, 1)]);
    let set = place(&mut pool, &request(0, 1, 2, 1, false), None).unwrap();
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
    let pool = pool(&[(4, 2), (4, 0), (2, 0)]);
    let outcome = match check(&pool, request, None) {
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
    assert!(place(&mut pool(&[(1, 0)]), &huge, None).is_none());
    assert!(check(&pool(&[(1, 0)]), &huge, None).is_err());
    let huge = request(u64::MAX, u64::MAX, u64::MAX, 0, false);
    assert!(place(&mut pool(&[(1, 0)]), &huge, None).is_none());
    assert!(check(&pool(&[(1, 0)]), &huge, None).is_err());
}
