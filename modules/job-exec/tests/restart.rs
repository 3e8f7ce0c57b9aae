//! Restarts: of job-exec with shells running, of the job manager, of shells' connections.

mod stage;

use job_exec::Seen;
use proto::{Errno, Refusal};
use serde_json::json;
use stage::{JOB, Stage, Table};
use wire::{Flags, Identity, Message};

/// A job-exec that found a running job of an earlier one.
fn heir_of_a_running_job() -> Stage {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    stage.heir()
}

#[test]
fn a_shell_outlives_job_exec() {
    let mut stage = heir_of_a_running_job();
    assert_eq!(stage.ask(&json!({}), true), [""; 0]);
    assert_eq!(stage.hello_as("old.1", true), ["order", "reattached"]);
    assert_eq!(
        stage.log("job-1234:exec.eventlog"),
        "init starting recoverable reattach"
    );
    assert_eq!(
        stage.exit_as("old.1", 2)[..2],
        ["finish 512", "shell-exit: ok"]
    );
    assert_eq!(stage.guest(), "dirref");
}

#[test]
fn a_shell_may_report_before_its_job_is_asked_for() {
    let mut stage = heir_of_a_running_job();
    assert_eq!(stage.hello_as("old.1", true), [""; 0]);
    assert_eq!(stage.exit_as("old.1", 0), [""; 0]);
    assert_eq!(
        stage.ask(&json!({}), true)[..4],
        ["order", "reattached", "finish 0", "shell-exit: ok"]
    );
}

#[test]
fn a_job_whose_start_was_not_heard_of_is_started_once() {
    let mut stage = heir_of_a_running_job();
    assert_eq!(stage.ask(&json!({}), false), [""; 0]);
    assert_eq!(stage.hello_as("old.1", true), ["order", "start"]);
}

#[test]
fn a_shell_that_says_nothing_is_waited_for_and_then_given_up() {
    let mut stage = heir_of_a_running_job();
    stage.ask(&json!({}), true);
    assert_eq!(stage.pass(4.9), [""; 0]);
    let note = "job is not recoverable: no job shell on host0 (rank 0)";
    assert_eq!(
        stage.pass(0.1),
        [
            &format!("exception exec 0: {note}")[..],
            "finish 256",
            "namespace removed",
            "release all true"
        ]
    );
}

#[test]
fn a_shell_that_is_known_to_be_dead_is_not_waited_for() {
    for seen in [
        Seen::Gone,
        Table::process(101, "boot-1"),
        Table::process(100, "boot-2"),
    ] {
        let mut stage = heir_of_a_running_job();
        stage.table.put(seen);
        let note = "exception exec 0: job is not recoverable: no job shell on host0 (rank 0)";
        assert_eq!(
            stage.ask(&json!({}), true),
            [note, "finish 256", "namespace removed", "release all true"]
        );
    }
}

#[test]
fn a_shell_that_dies_while_it_is_waited_for_is_missed_soon() {
    let mut stage = heir_of_a_running_job();
    stage.ask(&json!({}), true);
    assert_eq!(stage.pass(0.5), [""; 0]);
    stage.table.put(Seen::Gone);
    assert_eq!(stage.pass(0.4), [""; 0]);
    assert_eq!(stage.pass(0.1)[1], "finish 256");
    // There is nothing more to look at.
    assert_eq!(stage.pass(60.0), [""; 0]);
}

#[test]
fn the_last_word_of_a_shell_that_is_gone_counts() {
    let mut stage = heir_of_a_running_job();
    stage.exit_as("old.1", 3);
    stage.table.put(Seen::Gone);
    assert_eq!(
        stage.ask(&json!({}), true)[..2],
        ["reattached", "finish 768"]
    );
}

#[test]
fn a_shell_that_can_not_be_seen_has_all_its_time() {
    let mut stage = heir_of_a_running_job();
    stage.table.put(Seen::Hidden);
    assert_eq!(stage.ask(&json!({}), true), [""; 0]);
    assert_eq!(stage.pass(4.9), [""; 0]);
    assert_eq!(stage.hello_as("old.1", true), ["order", "reattached"]);
    stage.table.put(Seen::Gone);
    assert_eq!(stage.pass(60.0), [""; 0]);
}

#[test]
fn nothing_is_stored_of_a_shell_before_it_is_known_which_process_it_is() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    assert_eq!(stage.log("job-1234:exec.eventlog"), "");
    stage.child_runs();
    let log = &stage.values["job-1234:exec.eventlog"];
    let log = std::str::from_utf8(log).unwrap();
    let process = r#""name":"recoverable","context":{"pid":4242,"start":100,"boot":"boot-1"}"#;
    assert!(log.contains(process), "{log}");
}

#[test]
fn a_job_begins_when_that_is_in_its_log() {
    let mut stage = Stage::start("{}", &[]);
    stage.is_kvs_silent = true;
    stage.ask(&json!({}), false);
    stage.child_runs();
    assert_eq!(stage.hello(false), [""; 0]);
    // The namespace is there, and the log is not stored.
    let (topic, tag) = stage.unanswered.remove(0);
    assert_eq!(topic, "kvs.namespace-create");
    stage.probe.answer(&topic, tag, Ok(""));
    assert_eq!(stage.run(), [""; 0]);
    // So a job-exec after us may begin again: our shell has begun nothing.
    let mut heir = stage.heir();
    assert_eq!(heir.hello_as("old.1", false), [""; 0]);
    assert_eq!(
        heir.ask(&json!({}), false),
        [
            "spawn /libexec/flux-shell 1234 in job-1234",
            "shell-hello: ESRCH this shell was replaced"
        ]
    );
    heir.child_runs();
    assert_eq!(heir.hello(false), ["order job"]);
}

#[test]
fn a_shell_of_an_earlier_time_does_not_push_out_ours() {
    let mut stage = Stage::start("{}", &[]);
    stage.is_kvs_silent = true;
    stage.ask(&json!({}), false);
    stage.child_runs();
    assert_eq!(stage.hello(false), [""; 0]);
    assert_eq!(
        stage.hello_as("old.1", false),
        ["shell-hello: ESRCH this shell was replaced"]
    );
    assert_eq!(stage.kvs_speaks(Ok("")), ["start", "order job"]);
}

#[test]
fn a_job_that_was_over_is_not_run_again() {
    // Its namespace is lost, and the job manager knows nothing of a start.
    let mut heir = Stage::start("{}", &[]).heir();
    let log = "{\"timestamp\":1,\"name\":\"complete\",\"context\":{\"status\":0}}\n";
    let key = heir.primary_log();
    heir.values.insert(key, log.as_bytes().to_vec());
    assert_eq!(
        heir.ask(&json!({}), false),
        ["start", "finish 0", "release all true"]
    );
}

#[test]
fn a_job_whose_link_was_not_stored_is_found_in_its_namespace() {
    let mut stage = heir_of_a_running_job();
    stage.forget_guest();
    assert_eq!(stage.ask(&json!({}), false), [""; 0]);
    assert_eq!(stage.guest(), "symlink");
    assert_eq!(stage.hello_as("old.1", true), ["order", "start"]);
}

#[test]
fn what_an_earlier_job_exec_was_about_to_store_is_waited_for() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    let mut stage = stage.heir_of_a_slow_kvs();
    assert_eq!(stage.ask(&json!({}), false), [""; 0]);
    let asked: Vec<&str> = stage.unanswered.iter().map(|(topic, _)| &**topic).collect();
    assert_eq!(asked, ["kvs.commit"]);
    let full = Refusal::bare(Errno::ENOSPC);
    assert_eq!(stage.kvs_speaks(Err(full)), ["exec-hello"]);
    assert_eq!(stage.hello_as("old.1", true), ["order", "start"]);
}

#[test]
fn a_log_that_cannot_be_looked_up_is_looked_up_again() {
    let mut stage = heir_of_a_running_job();
    stage.is_kvs_silent = true;
    assert_eq!(stage.ask(&json!({}), false), [""; 0]);
    let gone = Refusal::bare(Errno::EHOSTUNREACH);
    assert_eq!(stage.kvs_speaks(Err(gone)), [""; 0]);
    assert_eq!(stage.pass(0.5), [""; 0]);
    assert_eq!(stage.hello_as("old.1", true), ["order", "start"]);
}

#[test]
fn a_job_that_left_no_log_can_not_be_recovered() {
    let mut stage = Stage::start("{}", &[]);
    let note = "exception exec 0: job is not recoverable: no recoverable event";
    assert_eq!(stage.ask(&json!({}), true)[..2], [note, "finish 256"]);
}

/// A job-exec after one that has stored this log of a job. Nobody received the release:
/// job-exec and the job manager died.
fn stage_of(log: &str) -> Stage {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    stage.exit(1);
    let mut stage = stage.heir();
    let key = stage.primary_log();
    stage.values.insert(key, log.as_bytes().to_vec());
    stage
}

#[test]
fn a_job_that_had_ended_is_only_told_again() {
    let complete = "{\"timestamp\":1,\"name\":\"complete\",\"context\":{\"status\":256}}\n";
    let exit = "{\"timestamp\":1,\"name\":\"shell-exit\"}\n";
    let told = ["reattached", "finish 256", "release all true"];
    let note = "exception exec 0: job is not recoverable: it had failed before";
    // Without its shell it had failed, and why may have been lost.
    let failed = [&[note][..], &told].concat();
    for (log, expect) in [
        (format!("{exit}{complete}"), &told[..]),
        (complete.to_owned(), &failed),
    ] {
        let mut stage = stage_of(&log);
        assert_eq!(stage.ask(&json!({}), true), expect);
    }
}

#[test]
fn a_job_that_had_failed_before_its_start_was_known_keeps_its_guest_directory() {
    let mut stage = heir_of_a_running_job();
    stage.table.put(Seen::Gone);
    let note = "exception exec 0: job is not recoverable: no job shell on host0 (rank 0)";
    assert_eq!(
        stage.ask(&json!({}), false),
        [note, "namespace removed", "release all true"]
    );
    assert_eq!(stage.guest(), "dirref");
    // Nobody heard the release: job-exec and the job manager died.
    let mut stage = stage.heir();
    let log = "{\"timestamp\":1,\"name\":\"starting\"}\n{\"timestamp\":1,\"name\":\"done\"}\n";
    let key = stage.primary_log();
    stage.values.insert(key, log.as_bytes().to_vec());
    let note = "exception exec 0: job is not recoverable: it had failed before";
    assert_eq!(stage.ask(&json!({}), false), [note, "release all true"]);
    assert_eq!(stage.guest(), "dirref");
}

#[test]
fn a_second_shell_of_a_job_is_refused() {
    let mut stage = heir_of_a_running_job();
    stage.ask(&json!({}), true);
    stage.hello_as("old.1", true);
    assert_eq!(
        stage.hello_as("older.1", true),
        ["shell-hello: ESRCH this shell was replaced"]
    );
    assert_eq!(
        stage.exit_as("older.1", 0),
        [
            "orphan taken-over job-exec.shell-exit",
            "shell-exit: ESRCH this shell was replaced"
        ]
    );
    assert_eq!(stage.exit_as("old.1", 0)[0], "finish 0");
}

#[test]
fn a_shell_that_nobody_asks_for_is_sent_away() {
    let mut stage = Stage::start("{}", &[]);
    assert_eq!(stage.hello_as("old.1", true), [""; 0]);
    assert_eq!(stage.pass(10.0), ["shell-hello: ESRCH no such job"]);
    assert_eq!(stage.pass(10.0), [""; 0]);
}

#[test]
fn a_namespace_that_nobody_asks_for_is_tidied_away() {
    let mut stage = heir_of_a_running_job();
    assert_eq!(stage.pass(5.0), ["namespace removed"]);
    assert_eq!(stage.guest(), "dirref");
}

#[test]
fn a_lost_connection_is_not_a_lost_shell() {
    let mut stage = heir_of_a_running_job();
    stage.ask(&json!({}), true);
    stage.hello_as("old.1", true);
    assert_eq!(stage.shells_gone(), [""; 0]);
    assert_eq!(stage.pass(1.0), [""; 0]);
    assert_eq!(stage.hello_as("old.1", true), ["order"]);
    assert_eq!(stage.pass(60.0), [""; 0]);
    assert_eq!(stage.shells_gone(), [""; 0]);
    let note = "exception exec 0: lost contact with job shell on host0 (rank 0)";
    assert_eq!(stage.pass(2.0)[..2], [note, "finish 9"]);
}

#[test]
fn a_new_stream_of_a_shell_takes_the_place_of_the_old() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    assert_eq!(stage.hello(true), ["order", "shell-hello: ENODATA"]);
    let cancel = json!({"id": JOB, "type": "cancel", "severity": 0});
    assert_eq!(stage.exception(&cancel), ["order signal 15"]);
    assert_eq!(stage.hello(true)[0], "order signal 15");
}

#[test]
fn a_new_job_manager_gets_the_answers() {
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&json!({}), false);
    stage.child_runs();
    stage.hello(false);
    let mut gone = Message::request("job-exec.disconnect", 0);
    gone.set_flag(Flags::NORESPONSE, true);
    (gone.userid, gone.rolemask) = (100, proto::Role::OWNER);
    gone.push_route(Identity::new("manager").unwrap());
    stage.probe.message(gone);
    assert_eq!(stage.run(), ["exec-hello"]);
    let asked = stage.ask_as(&json!({}), true, 100, 0.0, "another");
    assert_eq!(asked, ["reattached"]);
    assert_eq!(stage.exit(0)[0], "finish 0");
}

#[test]
fn a_simulated_job_goes_on_where_it_was() {
    let test = json!({"test": {"run_duration": "10s"}});
    let mut stage = Stage::start("{}", &[]);
    stage.ask(&test, false);
    let mut stage = stage.heir();
    stage.pass(4.0);
    assert_eq!(stage.ask(&test, true), ["reattached"]);
    assert_eq!(stage.pass(5.9), [""; 0]);
    assert_eq!(stage.pass(0.1), ["finish 0", "release all true"]);
    let log = stage.primary_log();
    assert_eq!(stage.log(&log), "init starting reattach complete done");
}

#[test]
fn a_simulated_job_that_fails_fails_again() {
    let test = json!({"test": {"run_duration": "10s", "mock_exception": "run"}});
    let mut heir = Stage::start("{}", &[]).heir();
    let log = "{\"timestamp\":1,\"name\":\"starting\"}\n";
    let key = heir.primary_log();
    heir.values.insert(key, log.as_bytes().to_vec());
    let told = heir.ask(&test, true);
    let note = "exception exec 0: mock run exception generated";
    assert_eq!(told[..2], ["reattached", note], "{told:?}");
}

#[test]
fn a_commit_that_the_kvs_lost_is_sent_again_with_its_token() {
    let mut stage = Stage::start("{}", &[]);
    stage.is_kvs_silent = true;
    stage.ask(&json!({}), false);
    stage.child_runs();
    let sent = std::mem::take(&mut stage.unanswered);
    assert_eq!(sent.len(), 2, "{sent:?}");
    stage.is_kvs_silent = false;
    for (topic, tag) in sent {
        let gone = proto::Refusal::new(proto::Errno::EHOSTUNREACH, "module disconnect");
        stage.probe.answer(&topic, tag, Err(gone));
    }
    stage.run();
    assert_eq!(
        stage.log("job-1234:exec.eventlog"),
        "init starting recoverable"
    );
    assert_eq!(stage.guest(), "symlink");
}

#[test]
fn a_kvs_that_is_removed_and_loaded_again_gets_what_it_has_refused() {
    let mut stage = Stage::start("{}", &[]);
    let missing = || Err(Refusal::bare(Errno::ENOSYS));
    stage.is_kvs_silent = true;
    stage.ask(&json!({}), false);
    stage.child_runs();
    let is_asked = |stage: &Stage, topic: &str| stage.unanswered.iter().any(|(it, _)| it == topic);
    assert!(is_asked(&stage, "kvs.namespace-create"));
    for (topic, tag) in std::mem::take(&mut stage.unanswered) {
        stage.probe.answer(&topic, tag, missing());
    }
    assert_eq!(stage.run(), [""; 0]);
    stage.is_kvs_silent = false;
    stage.pass(0.5);
    stage.hello(false);
    // Its last word is refused: the one that says what becomes of all that was stored.
    stage.is_kvs_silent = true;
    stage.exit(0);
    let (topic, tag) = stage.unanswered.remove(0);
    stage.probe.answer(&topic, tag, missing());
    assert_eq!(stage.run(), [""; 0]);
    stage.is_kvs_silent = false;
    stage.pass(0.5);
    assert_eq!(stage.guest(), "dirref");
}
