//! Trees of brokers, over links that delay, break and fall silent.

use proto::data::topology::Scheme;
use sim::tree::{Plan, TreeReport};

/// Runs one seed and prints it if a checker fails.
fn check(seed: u64, fault_percent: u64, restarts: bool) -> TreeReport {
    let plan = Plan::of_seed(seed, fault_percent, restarts);
    let run = std::panic::catch_unwind(|| plan.run());
    run.unwrap_or_else(|_| panic!("{plan:?}"))
}

#[test]
fn without_faults_every_rank_reaches_every_rank_and_hears_every_event() {
    for seed in 0..5 {
        let report = check(seed, 0, true);
        assert!(report.answered > 500, "{seed}: {}", report.answered);
        assert_eq!((report.failed, report.faults), (0, 0), "seed {seed}");
    }
}

#[test]
fn with_faults_who_asks_is_told_and_those_that_come_again_are_one_tree() {
    let reports: Vec<_> = (1000..1012).map(|seed| check(seed, 40, true)).collect();
    let faults: u64 = reports.iter().map(|report| report.faults).sum();
    let failed: u64 = reports.iter().map(|report| report.failed).sum();
    assert!(faults > 60, "too few faults to mean anything: {faults}");
    assert!(failed > 100, "nobody was ever asked in vain: {failed}");
}

#[test]
fn what_is_lost_for_good_is_known_to_be_lost() {
    let reports: Vec<_> = (2000..2010).map(|seed| check(seed, 5, false)).collect();
    let faults: u64 = reports.iter().map(|report| report.faults).sum();
    assert!(faults > 10, "too few faults to mean anything: {faults}");
}

#[test]
fn one_seed_gives_one_trace() {
    for seed in [1, 3] {
        let [one, other] = [0, 1].map(|_| check(seed, 50, true).trace);
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len());
    }
}

/// Messages of each part: all of them, the most of one broker, and pulses a broker and second.
fn count(size: u32, n_cuts: usize) -> Vec<(String, u64, u64, f64)> {
    let mut parts = Vec::new();
    Plan::of_size(Scheme::Kary(4), size).count(50, n_cuts, |part, counts| {
        let (all, most) = counts.summary();
        let pulses = counts.pulses as f64 / f64::from(size) / counts.time.as_secs_f64();
        parts.push((part.to_owned(), all, most, pulses));
    });
    parts
}

#[test]
fn what_a_broker_hears_does_not_grow_with_the_instance() {
    let [small, large] = [60, 240].map(|size| count(size, 3));
    for (small, large) in small.into_iter().zip(large) {
        let (part, all, most, _) = small;
        assert!(
            large.1 < 5 * all,
            "{part}: all hear {all}, then {}",
            large.1
        );
        assert!(
            large.2 < 2 * most,
            "{part}: one hears {most}, then {}",
            large.2
        );
        assert!(
            large.3 < 1.5,
            "{part}: {} pulses a broker and second",
            large.3
        );
    }
}

#[test]
fn what_a_lost_link_costs_does_not_grow_with_the_instance() {
    let loss = |size, n_cuts| {
        let parts = count(size, n_cuts);
        let loss = parts.iter().find(|(part, ..)| part == "loss");
        loss.map_or(0, |(_, all, ..)| *all)
    };
    let of_10 = |size| loss(size, 10) - loss(size, 0);
    let (small, large) = (of_10(60), of_10(240));
    assert!(small > 0, "a loss is told");
    assert!(large < 3 * small, "10 links cost {small}, then {large}");
}
