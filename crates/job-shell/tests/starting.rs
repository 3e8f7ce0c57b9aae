//! Many tasks are started some at a time: events in between.

mod stage;

use node::ChildEvent;
use serde_json::json;
use stage::{JOB, Play, Stage};

/// Tasks that are started before other work gets its turn.
const TURN: usize = 64;

/// A shell that has started the first of its tasks.
fn starting(ntasks: u64) -> Stage {
    let mut stage = Stage::start(Play {
        ntasks,
        ..Play::default()
    });
    stage.notify_job();
    assert_eq!(stage.spawned.len(), TURN);
    stage
}

#[test]
fn the_start_is_told_when_all_tasks_are_started() {
    let mut stage = starting(130);
    let names = |stage: &Stage| stage.log("exec.eventlog").join(" ");
    assert!(!names(&stage).contains("shell.start"), "{}", names(&stage));
    assert_eq!(stage.pass(0.001).len(), TURN);
    assert_eq!(stage.pass(0.001).len(), 2);
    stage.pass(0.1);
    assert!(names(&stage).contains("shell.start"));
    assert_eq!(stage.pass(60.0), [""; 0]);
}

#[test]
fn a_signal_reaches_those_that_run_and_those_that_will() {
    let mut stage = starting(65);
    let event = json!({"signum": 10});
    let topic = format!("shell-{JOB}.kill");
    assert_eq!(stage.event(&topic, &event).len(), TURN);
    assert_eq!(stage.event(&topic, &event).len(), TURN);
    assert_eq!(stage.pass(0.001), ["spawn prog", "kill 64 10"]);
}

#[test]
fn a_job_that_is_to_end_starts_no_more_tasks() {
    let mut stage = starting(1000);
    assert_eq!(stage.order(&json!({"signal": 15})).len(), TURN);
    assert_eq!(stage.pass(1.0), [""; 0]);
    for task in 0..TURN - 1 {
        assert_eq!(stage.ends(task, 15), [""; 0]);
    }
    assert_eq!(stage.ends(TURN - 1, 15), ["exit 143"]);
}

#[test]
fn tasks_that_all_ended_are_not_the_end_while_others_are_to_start() {
    let mut stage = starting(65);
    for task in 0..TURN {
        assert_eq!(stage.ends(task, 0), [""; 0]);
    }
    assert_eq!(stage.pass(0.001), ["spawn prog"]);
    assert_eq!(stage.ends(TURN, 0), ["exit 0"]);
}

#[test]
fn one_that_can_not_be_started_tells_for_those_to_come() {
    let mut stage = starting(1000);
    let errno = proto::Errno::ENOENT;
    let note = "raise task 0 (host host0): start failed: prog: No such file or directory";
    let seen = stage.child(0, ChildEvent::Failed { errno });
    assert_eq!((seen.len(), &seen[0][..]), (TURN, note));
    assert_eq!(stage.pass(1.0), [""; 0]);
}

#[test]
fn input_waits_for_the_task() {
    let mut stage = starting(65);
    let data = json!({"stream": "stdin", "rank": "64", "data": "hi"});
    assert_eq!(stage.request("stdin", &data), ["stdin: ok"]);
    assert_eq!(stage.pass(0.001), ["spawn prog", "input 64 \"hi\""]);
}

#[test]
fn a_shell_that_is_not_wanted_starts_no_more_tasks() {
    let mut stage = starting(1000);
    assert_eq!(stage.orders_end(proto::Errno::ESRCH).len(), TURN);
    let seen = stage.pass(1.0);
    assert!(
        seen.iter().all(|line| !line.starts_with("spawn")),
        "{seen:?}"
    );
}

#[test]
fn the_time_after_the_first_end_begins_when_all_are_started() {
    let mut stage = starting(65);
    assert_eq!(stage.ends(0, 0), [""; 0]);
    assert_eq!(stage.pass(29.0), ["spawn prog"]);
    assert_eq!(stage.pass(29.0), [""; 0]);
    let note = "raise prog: task rank 0 on host host0 exited (Exit 0) and exit-timeout=30s has \
                expired";
    assert_eq!(stage.pass(1.0), [note]);
}
