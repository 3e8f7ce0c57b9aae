//! Many seeds, each a run of its own. A failure names the seed to run again.

use sim::{Play, World};

/// Runs one seed and prints it if a checker fails.
fn check(play: Play, seed: u64, kill_percent: u64) -> sim::Report {
    let run = std::panic::catch_unwind(|| World::new(play, seed, kill_percent).run());
    run.unwrap_or_else(|_| {
        let name = play.name();
        panic!("cargo xtask sim {name} --seed {seed} --kill-percent {kill_percent}")
    })
}

#[test]
fn without_faults_every_request_is_answered_and_none_fails() {
    for seed in 0..100 {
        let report = check(Play::Echo, seed, 0);
        assert!(
            report.answered > 100,
            "seed {seed} did nothing: {}",
            report.answered
        );
        assert_eq!((report.failed, report.kills), (0, 0), "seed {seed}");
    }
}

#[test]
fn with_modules_killed_every_request_is_answered_and_no_ping_fails() {
    let reports: Vec<_> = (1000..1150)
        .map(|seed| check(Play::Echo, seed, 50))
        .collect();
    let kills: u64 = reports.iter().map(|report| report.kills).sum();
    let failed: u64 = reports.iter().map(|report| report.failed).sum();
    assert!(kills > 300, "too few kills to mean anything: {kills}");
    assert!(
        failed > 0,
        "no request was ever lost with its module: the faults do nothing"
    );
}

#[test]
fn one_seed_gives_one_trace() {
    for seed in [1, 2] {
        for play in Play::ALL {
            if matches!(play, Play::Jobs | Play::JobsPolicy | Play::JobsTree) && seed > 1 {
                continue;
            }
            let [one, other] = [0, 1].map(|_| check(play, seed, 50).trace);
            let differs = one.iter().zip(&other).find(|(one, other)| one != other);
            assert_eq!(differs, None, "seed {seed}");
            assert_eq!(one.len(), other.len());
        }
    }
}

#[test]
fn without_faults_the_store_keeps_its_word() {
    for seed in 0..4 {
        let report = check(Play::Kvs, seed, 0);
        assert!(report.answered > 100, "seed {seed} did nothing");
    }
}

#[test]
fn whatever_is_killed_or_cut_the_store_keeps_its_word() {
    let seeds = (1000..1010).map(|seed| check(Play::Kvs, seed, 60));
    let files = (1000..1005).map(|seed| check(Play::KvsFiles, seed, 60));
    let reports: Vec<_> = seeds.chain(files).collect();
    let kills: u64 = reports.iter().map(|report| report.kills).sum();
    let failed: u64 = reports.iter().map(|report| report.failed).sum();
    assert!(kills > 40, "too few kills to mean anything: {kills}");
    assert!(
        failed > 50,
        "nothing was ever lost with its module: the faults do nothing"
    );
}

#[test]
fn without_faults_every_job_ends_as_its_task_does() {
    for seed in 0..3 {
        let report = check(Play::Jobs, seed, 0);
        assert!(report.answered > 80, "seed {seed}: {}", report.answered);
    }
}

#[test]
fn without_faults_every_job_runs_when_it_may_and_no_sooner() {
    for seed in 0..3 {
        check(Play::JobsPolicy, seed, 0);
    }
}

#[test]
fn whatever_is_killed_or_changed_every_job_runs_when_it_may_and_no_sooner() {
    let reports: Vec<_> = (1002..1006)
        .map(|seed| check(Play::JobsPolicy, seed, 60))
        .collect();
    let kills: u64 = reports.iter().map(|report| report.kills).sum();
    let passed: u64 = reports.iter().map(|report| report.passed).sum();
    assert!(passed > 0, "no job ever passed the first one");
    assert!(kills > 60, "too few kills to mean anything: {kills}");
}

#[test]
fn without_faults_every_job_on_many_nodes_ends_as_its_tasks_do() {
    for seed in 0..2 {
        let report = check(Play::JobsTree, seed, 0);
        assert!(report.answered > 80, "seed {seed}: {}", report.answered);
    }
}

#[test]
fn whatever_is_killed_or_lost_each_job_on_many_nodes_runs_once_and_names_what_it_lost() {
    let reports: Vec<_> = (1000..1004)
        .map(|seed| check(Play::JobsTree, seed, 60))
        .collect();
    let kills: u64 = reports.iter().map(|report| report.kills).sum();
    assert!(kills > 100, "too few kills to mean anything: {kills}");
}

#[test]
fn whatever_is_killed_or_cut_each_job_runs_once_and_is_told_as_it_was() {
    let reports: Vec<_> = (1000..1006)
        .map(|seed| check(Play::Jobs, seed, 60))
        .collect();
    let kills: u64 = reports.iter().map(|report| report.kills).sum();
    assert!(kills > 100, "too few kills to mean anything: {kills}");
}
