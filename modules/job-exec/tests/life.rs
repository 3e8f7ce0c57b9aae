//! The life of jobs that go well, and of those that cannot begin.

mod stage;

use node::{ChildEvent, StdioFd};
use proto::{Errno, Refusal};
use serde_json::json;
use stage::{JOB, Stage};

const NORESPONSE: u8 = wire::Flags::NORESPONSE;

#[test]
fn a_job_begins_runs_and_is_released() {
    let mut stage = Stage::start("{}", &[]);
    assert_eq!(
        stage.ask(&json!({}), false),
        ["spawn /libexec/flux-shell 1234 in job-1234"]
    );
    assert_eq!(stage.child_runs(), ["start"]);
    assert_eq!(stage.guest(), "symlink");
    assert_eq!(stage.hello(false), ["order job"]);
    assert_eq!(
        stage.log("job-1234:exec.eventlog"),
        "init starting recoverable"
    );
    assert_eq!(
        stage.exit(0),
        [
            "finish 0",
            "shell-exit: ok",
            "shell-hello: ENODATA",
            "namespace removed",
            "release all true"
        ]
    );
    assert_eq!(stage.guest(), "dirref");
    assert_eq!(stage.child_ends(0), [""; 0]);
}

#[test]
fn the_outcome_is_stored_before_anybody_hears_of_it() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    stage.is_kvs_silent = true;
    assert_eq!(stage.exit(3), [""; 0]);
    assert_eq!(stage.unanswered.len(), 1);
    let (topic, tag) = stage.unanswered.remove(0);
    stage.is_kvs_silent = false;
    let root = r#"{"rootref":"sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709","rootseq":9}"#;
    stage.probe.answer(&topic, tag, Ok(root));
    assert_eq!(stage.run()[..2], ["finish 768", "shell-exit: ok"]);
}

#[test]
fn a_shell_that_is_faster_than_its_namespace_waits_for_it() {
    let mut stage = Stage::start("{}", &[]);
    stage.is_kvs_silent = true;
    stage.ask(&json!({}), false);
    stage.child_runs();
    assert_eq!(stage.hello(false), [""; 0]);
    let (topic, tag) = stage.unanswered.remove(0);
    assert_eq!(topic, "kvs.namespace-create");
    stage.is_kvs_silent = false;
    stage.probe.answer(&topic, tag, Ok(""));
    assert_eq!(stage.run(), ["start", "order job"]);
    assert_eq!(
        stage.log("job-1234:exec.eventlog"),
        "init starting recoverable"
    );
}

#[test]
fn a_namespace_for_which_there_is_no_room_is_made_when_there_is() {
    let mut stage = Stage::start("{}", &[]);
    stage.is_kvs_silent = true;
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    let (topic, tag) = stage.unanswered.remove(0);
    assert_eq!(topic, "kvs.namespace-create");
    stage.is_kvs_silent = false;
    let full = Refusal::bare(Errno::ENOSPC);
    stage.probe.answer(&topic, tag, Err(full));
    assert_eq!(stage.run(), [""; 0]);
    assert_eq!(stage.pass(60.0), ["start", "order job"]);
}

#[test]
fn a_shell_that_says_nothing_is_judged_by_its_end() {
    let mut stage = Stage::start(r#"{"exec":{"job-shell":"/bin/mine"}}"#, &[]);
    assert_eq!(
        stage.ask(&json!({}), false),
        ["spawn /bin/mine 1234 in job-1234"]
    );
    stage.child_runs();
    let data = "what?\n".into();
    stage.child(ChildEvent::Output {
        stream: StdioFd::Stderr,
        data,
        eof: false,
    });
    let end = stage.child_ends(9);
    assert_eq!(end, ["finish 9", "namespace removed", "release all true"]);
}

#[test]
fn the_last_words_of_a_shell_are_waited_for_but_not_for_ever() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    assert_eq!(stage.child(ChildEvent::Exited { status: 256 }), [""; 0]);
    let data = "why\n".into();
    stage.child(ChildEvent::Output {
        stream: StdioFd::Stderr,
        data,
        eof: false,
    });
    assert_eq!(stage.pass(1.0)[0], "finish 256");
}

#[test]
fn a_shell_that_can_not_be_started_is_an_exception() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    let note = "job shell exec error on broker host0 (rank 0): No such file or directory";
    assert_eq!(
        stage.child(ChildEvent::Failed {
            errno: Errno::ENOENT
        }),
        [&format!("exception exec 0: {note}")[..], "release all true"]
    );
    assert_eq!(stage.kept_log(), "init starting done");
}

#[test]
fn a_job_may_ask_for_faults() {
    let mut stage = Stage::start("{}", &[]);
    let said = stage.ask(&json!({"bulkexec": {"mock_exception": "init"}}), false);
    let note = "exception exec 0: mock initialization exception generated";
    assert_eq!(said, [note, "release all true"]);
    let mut stage = Stage::start("{}", &[]);
    let said = stage.ask(&json!({"bulkexec": {"mock_exception": "starting"}}), false);
    let note = "exception exec 0: mock starting exception generated";
    assert_eq!(said[1..], [note, "kill 15"]);
}

#[test]
fn a_job_of_another_user_is_not_run_as_the_owner() {
    let mut stage = Stage::start("{}", &[]);
    let said = stage.ask_as(&json!({}), false, 101, 0.0, "manager");
    let note = "exception exec 0: cannot run jobs of other users: no IMP is configured";
    assert_eq!(said[0], note);
    assert_eq!(said.last().unwrap(), "release all true");
    assert!(!said.iter().any(|line| line.starts_with("spawn")));
}

#[test]
fn a_malformed_request_is_refused() {
    let mut stage = Stage::start("{}", &[]);
    stage.probe.request("job-exec.start", r#"{"id":1}"#);
    assert_eq!(stage.run(), ["start: EPROTO"]);
}

#[test]
fn a_simulated_job_runs_without_a_shell() {
    let mut stage = Stage::start("{}", &[]);
    let test = json!({"test": {"run_duration": "1s", "wait_status": 256}});
    assert_eq!(stage.ask(&test, false), ["start"]);
    let log = stage.primary_log();
    assert_eq!(stage.log(&log), "init starting");
    assert_eq!(stage.pass(0.9), [""; 0]);
    assert_eq!(stage.pass(0.1), ["finish 256", "release all true"]);
    assert_eq!(stage.log(&log), "init starting complete done");
}

#[test]
fn a_simulated_job_of_no_time_takes_one_commit() {
    let mut stage = Stage::start("{}", &[]);
    let said = stage.ask(&json!({"test": {}}), false);
    assert_eq!(said, ["start", "finish 0", "release all true"]);
    assert_eq!(
        stage.log(&stage.primary_log()),
        "init starting complete done"
    );
}

#[test]
fn simulations_may_fail() {
    let mut stage = Stage::start("{}", &[]);
    let said = stage.ask(&json!({"test": {"mock_exception": "init"}}), false);
    let note = "exception exec 0: mock initialization exception generated";
    assert_eq!(said, [note, "release all true"]);
    let mut stage = Stage::start("{}", &[]);
    let test = json!({"test": {"mock_exception": "run", "run_duration": "1m"}});
    let note = "exception exec 0: mock run exception generated";
    assert_eq!(
        stage.ask(&test, false),
        ["start", note, "finish 15", "release all true"]
    );
    let mut stage = Stage::start("{}", &[]);
    let said = stage.ask_as(&json!({"test": {}}), false, 101, 0.0, "manager");
    let note = "exception exec 0: guests may not use test exec implementation";
    assert_eq!(said, [note, "release all true"]);
}

#[test]
fn a_simulation_under_manual_control_obeys() {
    let mut stage = Stage::start("{}", &[]);
    let order = |stage: &mut Stage, event: &str, status: i32| {
        let request = json!({"event": event, "jobid": JOB, "status": status});
        stage.request("job-exec.override", &request, 0)
    };
    assert_eq!(
        order(&mut stage, "start", 0),
        ["override: ENOENT Job not found"]
    );
    assert_eq!(stage.ask(&json!({"test": {"override": 1}}), false), [""; 0]);
    assert_eq!(
        order(&mut stage, "finish", 0),
        ["override: EINVAL Job not running"]
    );
    assert_eq!(
        order(&mut stage, "pause", 0),
        ["override: EINVAL Invalid event"]
    );
    assert_eq!(order(&mut stage, "start", 0), ["start", "override: ok"]);
    assert_eq!(
        order(&mut stage, "start", 0),
        ["override: EINVAL Job already running"]
    );
    assert_eq!(
        order(&mut stage, "finish", 256),
        ["override: ok", "finish 256", "release all true"]
    );
}

#[test]
fn a_stop_waits_for_an_outcome_that_is_being_stored() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    stage.is_kvs_silent = true;
    stage.exit(0);
    let is_ending = |stage: &Stage| stage.probe.actor.cx.is_ending();
    stage
        .probe
        .request_as("job-exec.shutdown", "", 100, proto::Role::OWNER, NORESPONSE);
    assert!(!is_ending(&stage));
    stage.is_kvs_silent = false;
    let (topic, tag) = stage.unanswered.remove(0);
    let root = r#"{"rootref":"sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709","rootseq":9}"#;
    stage.probe.answer(&topic, tag, Ok(root));
    assert_eq!(stage.run()[..2], ["finish 0", "shell-exit: ok"]);
    assert!(is_ending(&stage));
}

#[test]
fn a_job_shell_that_is_no_program_is_refused() {
    let mut stage = Stage::start("{}", &[]);
    let note = "exception exec 0: attributes.system.exec.job_shell: not a string";
    assert_eq!(
        stage.ask(&json!({"job_shell": 7}), false),
        [note, "release all true"]
    );
}

#[test]
fn a_shell_is_answered_when_the_leading_one_has_taken_what_it_tells() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    let hear = |stage: &mut Stage, after: u64| {
        let lease = stage.last_lease.clone();
        let hear = json!({"id": JOB, "rank": 0, "lease": lease, "after": after});
        stage.request("job-exec.shell-hear", &hear, 0)
    };
    let tell = |stage: &mut Stage, seq: u64, word: &str| {
        let lease = stage.last_lease.clone();
        let tell = json!({"id": JOB, "rank": 0, "lease": lease, "seq": seq, "words": [word]});
        stage.request("job-exec.shell-tell", &tell, 0)
    };
    assert_eq!(hear(&mut stage, 0), [""; 0]);
    assert_eq!(tell(&mut stage, 1, "a"), ["shell-hear: 0.1 \"a\""]);
    // Not taken as long as the leading shell does not say so.
    assert_eq!(hear(&mut stage, 0), ["shell-hear: 0.1 \"a\""]);
    let at = stage.last_at;
    assert_eq!(hear(&mut stage, at), ["shell-tell: ok"]);
    assert_eq!(
        stage.exit(0)[..2],
        ["shell-hear: EPIPE the leading shell has ended", "finish 0"]
    );
}
