//! Jobs that are ended against their will.

mod stage;

use serde_json::json;
use stage::{JOB, Stage};

fn running(expiration: f64) -> Stage {
    let mut stage = Stage::start("{}", &[]);
    stage.ask_as(&json!({}), false, 100, expiration, "manager");
    stage.child_runs();
    assert_eq!(stage.hello(false), ["order job"]);
    stage
}

#[test]
fn a_fatal_exception_has_the_tasks_signalled() {
    let mut stage = running(0.0);
    let cancel = json!({"id": JOB, "type": "cancel", "severity": 0});
    assert_eq!(stage.exception(&cancel), ["order signal 15"]);
    assert_eq!(stage.exception(&cancel), [""; 0]);
    assert_eq!(stage.exit(143)[..2], ["finish 36608", "shell-exit: ok"]);
}

#[test]
fn an_exception_that_is_not_fatal_changes_nothing() {
    let mut stage = running(0.0);
    let note = json!({"id": JOB, "type": "misc", "severity": 2});
    assert_eq!(stage.exception(&note), [""; 0]);
    assert_eq!(stage.exit(0)[0], "finish 0");
}

#[test]
fn a_job_that_succeeds_under_an_exception_has_failed() {
    let mut stage = running(0.0);
    stage.exception(&json!({"id": JOB, "type": "cancel", "severity": 0}));
    assert_eq!(stage.exit(0)[0], "finish 256");
}

#[test]
fn an_exception_may_say_how_the_job_ends() {
    let mut stage = running(0.0);
    let error = json!({"id": JOB, "type": "exec", "severity": 0, "wait_status": 9});
    stage.exception(&error);
    assert_eq!(stage.exit(143)[0], format!("finish {}", 137 << 8));
}

#[test]
fn the_first_exception_decides_how_the_job_ends() {
    let cancel = json!({"id": JOB, "type": "cancel", "severity": 0});
    let error = json!({"id": JOB, "type": "exec", "severity": 0, "wait_status": 139 << 8});
    for (first, second, status) in [(&cancel, &error, 143), (&error, &cancel, 139)] {
        let mut stage = running(0.0);
        stage.exception(first);
        stage.exception(second);
        assert_eq!(stage.exit(143)[0], format!("finish {}", status << 8));
    }
}

#[test]
fn tasks_that_stay_are_killed_and_then_their_shell() {
    let mut stage = running(0.0);
    stage.exception(&json!({"id": JOB, "type": "cancel", "severity": 0}));
    for _ in 0..4 {
        assert_eq!(stage.pass(5.0), ["order signal 9"]);
    }
    assert_eq!(stage.pass(5.0), ["kill 9"]);
    let end = stage.child_ends(9);
    assert_eq!(end[0], "finish 9");
}

#[test]
fn a_job_that_can_not_be_killed_is_given_up_and_its_rank_drained() {
    let mut stage = running(0.0);
    stage.exception(&json!({"id": JOB, "type": "cancel", "severity": 0}));
    let mut seen = Vec::new();
    for _ in 0..640 {
        seen.extend(stage.pass(1.0));
    }
    let kills = seen.iter().filter(|line| *line == "kill 9").count();
    // Once more when nothing is wanted of it any more.
    assert_eq!(kills, 8);
    let drained = seen
        .iter()
        .position(|line| line.starts_with("drain"))
        .unwrap();
    assert_eq!(
        seen[drained],
        "drain 0 \"unkillable user processes for job ƒNH\""
    );
    let end = [
        "finish 9",
        "shell-hello: ENODATA",
        "kill 9",
        "namespace removed",
        "release all true",
    ];
    assert_eq!(seen[drained + 1..], end);
    assert_eq!(stage.child_ends(9), [""; 0]);
}

#[test]
fn a_job_that_is_ended_before_its_shell_reports_is_not_begun() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    let cancel = json!({"id": JOB, "type": "cancel", "severity": 0});
    assert_eq!(stage.exception(&cancel), ["kill 15"]);
    assert_eq!(
        stage.hello(false),
        ["shell-hello: ECANCELED the job is being ended"]
    );
    assert_eq!(stage.child_ends(256)[0], "finish 256");
}

#[test]
fn a_shell_that_never_reports_is_given_up() {
    let mut stage = Stage::start(r#"{"exec":{"barrier-timeout":"1m"}}"#, &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    assert_eq!(stage.pass(59.0), [""; 0]);
    assert_eq!(
        stage.pass(1.0),
        [
            "exception exec 0: start barrier timeout waiting for 1/1 nodes (rank 0)",
            "drain 0 \"job ƒNH start timeout: possible node hang\"",
            "kill 15"
        ]
    );
}

#[test]
fn time_is_up_at_the_expiration() {
    let mut stage = running(1010.0);
    assert_eq!(stage.pass(9.5), [""; 0]);
    let note = "exception timeout 0: resource allocation expired";
    assert_eq!(stage.pass(0.5), [note, "order signal 14"]);
    assert_eq!(stage.pass(5.0), ["order signal 9"]);
    assert_eq!(stage.exit(142)[0], format!("finish {}", 142 << 8));
}

#[test]
fn the_expiration_can_be_moved() {
    let mut stage = running(1010.0);
    let moved = json!({"id": JOB, "expiration": 1020.0});
    assert_eq!(
        stage.request("job-exec.expiration", &moved, 0),
        ["order", "expiration: ok"]
    );
    assert_eq!(stage.pass(19.5), [""; 0]);
    let never = json!({"id": JOB, "expiration": 0.0});
    assert_eq!(stage.request("job-exec.expiration", &never, 0).len(), 2);
    assert_eq!(stage.pass(100.0), [""; 0]);
    let unknown = json!({"id": 7, "expiration": 0.0});
    assert_eq!(
        stage.request("job-exec.expiration", &unknown, 0),
        ["expiration: ENOENT Job not found"]
    );
}

#[test]
fn a_simulated_job_obeys_the_first_signal() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({"test": {"run_duration": "1h"}}), false);
    let cancel = json!({"id": JOB, "type": "cancel", "severity": 0});
    assert_eq!(stage.exception(&cancel), ["finish 15", "release all true"]);
}

#[test]
fn a_simulated_job_has_no_barriers() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({"test": {"run_duration": "1h"}}), false);
    assert_eq!(
        stage.request("job-exec.shell-barrier", &json!({"id": JOB, "rank": 0}), 0),
        ["shell-barrier: ENOSYS testexec does not support shell barrier"]
    );
}

#[test]
fn barriers_and_critical_ranks_are_granted_on_one_rank() {
    let mut stage = running(0.0);
    let barrier = json!({"id": JOB, "rank": 0});
    assert_eq!(
        stage.request("job-exec.shell-barrier", &barrier, 0),
        ["shell-barrier: {}"]
    );
    let ranks = json!({"id": JOB, "ranks": "0"});
    assert_eq!(
        stage.request("job-exec.critical-ranks", &ranks, 0),
        ["critical-ranks: ok"]
    );
    let ranks = json!({"id": JOB, "ranks": "x"});
    assert_eq!(
        stage.request("job-exec.critical-ranks", &ranks, 0),
        ["critical-ranks: EINVAL"]
    );
    let stats = stage.request("job-exec.stats-get", &json!({}), 0);
    assert_eq!(stats, ["stats-get: ok"]);
}
