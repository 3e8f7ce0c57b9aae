//! Tests that the reported end of a job is its cause, and not the ends of tasks that were
//! killed for it.

mod stage;

use serde_json::{Value, json};
use stage::{Play, Stage};

const SEGV: i32 = 11;
const TERM: i32 = 15;
const KILL: i32 = 9;
const ALRM: i32 = 14;

/// Something that happens to the job.
#[derive(Clone, Copy)]
enum Act {
    /// A task ends with this wait status.
    Ends(usize, i32),
    /// Seconds pass.
    Pass(f64),
    /// job-exec has tasks signalled: the job is to end.
    Signal(i32),
}
use Act::{Ends, Pass, Signal};

/// Runs a job of three tasks. Gives the exceptions that its shell raised, and its exit code.
fn check(options: Value, acts: &[Act], raised: &[&str], code: u8) {
    let mut stage = Stage::running(Play {
        ntasks: 3,
        command: vec!["/bin/prog"],
        options,
        ..Play::default()
    });
    let mut seen = Vec::new();
    for act in acts {
        seen.extend(match *act {
            Ends(task, status) => stage.ends(task, status),
            Pass(seconds) => stage.pass(seconds),
            Signal(signum) => stage.order(&json!({"signal": signum})),
        });
    }
    seen.retain(|line| !line.starts_with("kill "));
    let mut expect: Vec<String> = raised.iter().map(|note| format!("raise {note}")).collect();
    expect.push(format!("exit {code}"));
    assert_eq!(seen, expect);
}

#[test]
fn the_first_task_that_ends_decides_with_exit_on_error() {
    let on = || json!({"exit-on-error": 1, "exit-timeout": "none"});
    let note = |how: &str, status: i32| {
        format!("prog: task rank 1 on host host0 failed ({how}) and exit-on-error is set {status}")
    };
    let rest = [Signal(TERM), Ends(0, TERM), Ends(2, KILL)];
    for (status, how, code) in [(SEGV, "Segmentation fault", 139), (3 << 8, "Exit 3", 3)] {
        let acts = [&[Ends(1, status)], &rest[..]].concat();
        check(on(), &acts, &[&note(how, status)], code);
    }
    // One that did well is no reason, and later ones are not looked at.
    check(on(), &[Ends(1, 0), Ends(0, 2 << 8), Ends(2, 0)], &[], 2);
}

#[test]
fn the_first_task_that_ends_decides_with_exit_timeout() {
    let note = |how: &str| {
        format!("prog: task rank 1 on host host0 exited ({how}) and exit-timeout=1s has expired")
    };
    let rest = [Pass(1.0), Signal(TERM), Ends(0, TERM), Ends(2, KILL)];
    for (status, how, code) in [
        (SEGV, "Segmentation fault", 139),
        (200 << 8, "Exit 200", 200),
        (1 << 8, "Exit 1", 1),
        // Nothing had failed before: what failed is that the others had to be ended.
        (0, "Exit 0", 143),
    ] {
        let acts = [&[Ends(1, status)], &rest[..]].concat();
        check(json!({"exit-timeout": "1s"}), &acts, &[&note(how)], code);
    }
}

#[test]
fn a_job_that_is_ended_from_outside_raises_nothing_of_its_own() {
    let both = || json!({"exit-on-error": 1, "exit-timeout": "1s"});
    // Its time is up, or it was cancelled.
    for (signum, code) in [(ALRM, 142), (TERM, 143)] {
        let acts = [
            Signal(signum),
            Ends(0, signum),
            Pass(5.0),
            Signal(KILL),
            Ends(1, KILL),
            Ends(2, signum),
        ];
        check(both(), &acts, &[], code);
    }
}

#[test]
fn without_a_reason_to_end_the_largest_code_counts() {
    let acts = [Ends(2, 4 << 8), Ends(0, 9 << 8), Ends(1, 1 << 8)];
    check(json!({}), &acts, &[], 9);
}
