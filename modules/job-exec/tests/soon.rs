//! Tests of jobs that end soon: they need no namespace, and no commit before they begin. It is
//! noted elsewhere that they have begun.

mod stage;

use serde_json::json;
use stage::{JOB, Stage};

/// Guest log of a job that goes on.
const BEGUN: &str = "init starting recoverable";

fn begun() -> Stage {
    begun_with(false)
}

/// A running job, of a job manager that does or does not store the data of a job that ended
/// soon.
fn begun_with(together: bool) -> Stage {
    let mut stage = Stage::start_noting("{}");
    stage.together = together;
    stage.ask(&json!({}), false);
    assert_eq!(stage.child_runs(), [""; 0]);
    assert_eq!(stage.hello(false), ["order job"]);
    assert_eq!(stage.values.len(), 0, "nothing is stored");
    stage
}

#[test]
fn a_job_that_is_over_soon_is_stored_and_told_at_once() {
    let mut stage = begun();
    stage.is_kvs_silent = true;
    assert_eq!(stage.exit(0), [""; 0]);
    assert_eq!(stage.unanswered.len(), 1);
    stage.is_kvs_silent = false;
    let (topic, tag) = stage.unanswered.remove(0);
    let root = r#"{"rootref":"sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709","rootseq":9}"#;
    stage.probe.answer(&topic, tag, Ok(root));
    assert_eq!(
        stage.run(),
        [
            "shell-exit: ok",
            "shell-hello: ENODATA",
            "start",
            "finish 0",
            "release all true"
        ]
    );
}

#[test]
fn its_log_is_put_in_its_place_as_a_whole() {
    let mut stage = begun();
    stage.exit(0);
    let expect = format!("{BEGUN} shell.task-exit shell-exit complete done");
    assert_eq!(stage.kept_log(), expect);
    assert!(!stage.values.contains_key("job-1234:"));
}

#[test]
fn a_job_that_goes_on_gets_a_namespace_and_is_told_of() {
    let mut stage = begun();
    assert_eq!(stage.pass(0.02), ["start", "order namespace"]);
    assert_eq!(stage.guest(), "symlink");
    assert_eq!(stage.log("job-1234:exec.eventlog"), BEGUN);
    assert_eq!(stage.exit(0)[0], "finish 0");
    assert_eq!(stage.guest(), "dirref");
}

#[test]
fn who_wants_to_use_the_namespace_gets_it_at_once() {
    let make = json!({ "id": JOB });
    let mut stage = begun();
    let said = stage.request("job-exec.make-namespace", &make, 0);
    assert_eq!(said, ["make-namespace: ok", "start", "order namespace"]);
    let said = stage.request("job-exec.make-namespace", &make, 0);
    assert_eq!(said, ["make-namespace: ok"]);
    let said = stage.request("job-exec.make-namespace", &json!({"id": 1}), 0);
    assert_eq!(said, ["make-namespace: ENOENT"]);
    stage.exit(0);
    let said = stage.request("job-exec.make-namespace", &make, 0);
    assert_eq!(said, ["make-namespace: ENOENT"]);
}

#[test]
fn a_critical_rank_is_stored_at_once_and_before_it_is_granted() {
    let mut stage = begun();
    let ranks = json!({"id": JOB, "ranks": "0"});
    let said = stage.request("job-exec.critical-ranks", &ranks, 0);
    assert_eq!(said, ["critical-ranks: ok", "start", "order namespace"]);
    assert_eq!(stage.guest(), "symlink");
}

#[test]
fn nothing_is_begun_twice_although_nothing_was_stored() {
    for reattach in [false, true] {
        let mut stage = begun();
        let lease = stage.last_lease.clone();
        let mut heir = stage.heir();
        assert_eq!(heir.ask(&json!({}), reattach), [""; 0]);
        let start = if reattach { "reattached" } else { "start" };
        assert_eq!(heir.hello_as(&lease, true), ["order", start]);
        let log = format!("{BEGUN} reattach");
        assert_eq!(heir.log("job-1234:exec.eventlog"), log);
        let end = heir.exit_as(&lease, 3);
        assert_eq!(end[..2], ["finish 768", "shell-exit: ok"]);
        stage = heir;
        assert_eq!(stage.guest(), "dirref");
    }
}

#[test]
fn a_shell_that_has_ended_meanwhile_is_missed() {
    let stage = begun();
    stage.table.put(job_exec::Seen::Gone);
    let mut heir = stage.heir();
    let said = heir.ask(&json!({}), false);
    let note = "exception exec 0: job is not recoverable: no job shell on host0 (rank 0)";
    assert_eq!(said, [note, "namespace removed", "release all true"]);
}

#[test]
fn where_it_cannot_be_noted_a_job_begins_when_its_log_is_stored() {
    let check = |mut stage: Stage| {
        stage.ask(&json!({}), false);
        assert_eq!(stage.child_runs(), ["start"]);
        assert_eq!(stage.hello(false), ["order job"]);
        assert_eq!(stage.log("job-1234:exec.eventlog"), BEGUN);
    };
    let stage = Stage::start_noting("{}");
    stage.table.begun.as_ref().expect("it notes").fill(true);
    check(stage);
    check(Stage::start("{}", &[]));
    // A line in a file does not outlast a loss of power.
    check(Stage::start_noting(r#"{"kvs":{"durability":"power"}}"#));
}

#[test]
fn a_job_manager_that_stores_it_all_gets_it_all() {
    let mut stage = begun_with(true);
    let over = format!("over 0: {BEGUN} shell.task-exit shell-exit complete done");
    assert_eq!(stage.exit(0), [&over[..]]);
    assert_eq!(stage.values.len(), 0, "nothing is stored here");
    let kept = json!({ "ids": [JOB] });
    assert_eq!(stage.manager("another", "job-exec.kept", &kept), [""; 0]);
    assert_eq!(
        stage.manager("manager", "job-exec.kept", &kept),
        ["shell-exit: ok", "shell-hello: ENODATA"]
    );
    assert_eq!(stage.manager("manager", "job-exec.kept", &kept), [""; 0]);
}

#[test]
fn a_job_manager_that_was_restarted_is_told_again() {
    let mut stage = begun_with(true);
    let over = stage.exit(3);
    assert!(over[0].starts_with("over 768: "), "{over:?}");
    assert_eq!(
        stage.manager("manager", "job-exec.disconnect", &json!({})),
        ["exec-hello"]
    );
    assert_eq!(stage.ask_as(&json!({}), false, 100, 0.0, "heir"), over);
    let kept = json!({ "ids": [JOB] });
    assert_eq!(stage.manager("manager", "job-exec.kept", &kept), [""; 0]);
    assert_eq!(
        stage.manager("heir", "job-exec.kept", &kept)[0],
        "shell-exit: ok"
    );
}

#[test]
fn one_that_does_not_ask_again_has_stored_it() {
    let mut stage = begun_with(true);
    stage.exit(0);
    stage.manager("manager", "job-exec.disconnect", &json!({}));
    assert_eq!(stage.pass(4.9), [""; 0]);
    assert_eq!(stage.pass(0.1), ["shell-exit: ok", "shell-hello: ENODATA"]);
}

#[test]
fn what_is_long_is_stored_here() {
    let mut stage = begun_with(true);
    let lease = stage.last_lease.clone();
    let line = "{\"timestamp\":1.5,\"name\":\"data\"}\n";
    let exit = json!({"id": JOB, "rank": 0, "lease": lease, "code": 0,
        "lines": {"output": line.repeat(64 * 1024 / line.len() + 1)}});
    let said = stage.request("job-exec.shell-exit", &exit, 0);
    assert!(said.contains(&"finish 0".to_owned()), "{said:?}");
    assert!(stage.kept_log().ends_with("complete done"));
}

#[test]
fn a_simulation_that_is_known_to_be_short_is_told_of_when_it_is_over() {
    let mock = |time: &str| json!({"test": {"run_duration": time}});
    let mut stage = Stage::start("{}", &[]);
    stage.together = true;
    assert_eq!(stage.ask(&mock("0.02s"), false), [""; 0]);
    let said = stage.pass(0.02);
    assert_eq!(said, ["over 0: init starting complete done"]);
    let mut stage = Stage::start("{}", &[]);
    stage.together = true;
    assert_eq!(stage.ask(&mock("0.03s"), false), ["start"]);
}
