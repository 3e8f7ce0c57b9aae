//! The broker goes under a shell that runs, and comes again or does not.

#![allow(clippy::unwrap_used, reason = "a broker on stage is part of the tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "the broker on stage lets a program in while that waits for it"
)]

mod stage;

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use node::StdioFd;
use stage::{Play, Stage};
use tempfile::TempDir;

const NOTHING: [&str; 0] = [];

/// A shell with one task, in an instance that lasts.
fn running(lasting: &TempDir, on_lost: &'static str) -> Stage {
    fs::write(lasting.path().join("local-uri"), "local:///nowhere\n").unwrap();
    let mut stage = Stage::running(Play {
        lasting: Some((lasting.path().to_owned(), on_lost)),
        ..Play::default()
    });
    stage.run();
    stage
}

/// A broker listens here, and lets one program in.
fn broker(lasting: &Path) -> std::thread::JoinHandle<()> {
    let socket = lasting.join("local-0");
    let listener = UnixListener::bind(&socket).unwrap();
    let uri = format!("local://{}\n", socket.display());
    fs::write(lasting.join("local-uri"), uri).unwrap();
    std::thread::spawn(move || {
        let (mut program, _) = listener.accept().unwrap();
        program.write_all(&[0]).unwrap();
    })
}

#[test]
fn a_task_runs_on_without_a_broker_and_what_it_wrote_is_stored_when_there_is_one() {
    let lasting = tempfile::tempdir().unwrap();
    let mut stage = running(&lasting, "run");
    assert_eq!(stage.loses_broker(), NOTHING);
    assert_eq!(stage.pass(1.0), NOTHING, "nobody is there");
    // The stage stands for a broker that hears nothing.
    stage.is_kvs_silent = true;
    assert_eq!(stage.writes(0, StdioFd::Stdout, "words\n"), NOTHING);
    let listens = broker(lasting.path());
    assert_eq!(stage.pass(1.0), ["uplink"]);
    listens.join().unwrap();
    stage.is_kvs_silent = false;
    stage.unanswered.clear();
    assert_eq!(stage.has_broker(), ["subscribe shell-1234.kill"]);
    let again = "hello {\"id\":1234,\"rank\":0,\"pid\":4242,\"lease\":\"exec.1\",\"again\":true}";
    assert!(stage.pass(1.0).contains(&again.to_owned()));
    stage.pass(1.0);
    // The commit is sent again with its token, which a kvs recognises.
    let mut output = stage.output();
    output.dedup();
    assert!(output[0].contains("words"), "{output:?}");
    assert_eq!(output.len(), 1);
    assert_eq!(stage.ends(0, 0), ["exit 0"]);
}

#[test]
fn a_last_word_that_was_not_heard_is_said_again() {
    let lasting = tempfile::tempdir().unwrap();
    let mut stage = running(&lasting, "run");
    assert_eq!(stage.ends(0, 3 << 8), ["exit 3"]);
    assert_eq!(stage.loses_broker(), NOTHING);
    stage.exits.clear();
    stage.has_broker();
    assert!(stage.pass(1.0).contains(&"exit 3".to_owned()));
    assert_eq!(stage.acknowledge(Ok("")), NOTHING);
}

#[test]
fn at_the_end_of_the_lease_tasks_end_or_run_on() {
    for (on_lost, at_end) in [("stop", &["kill 0 15"][..]), ("run", &[])] {
        let lasting = tempfile::tempdir().unwrap();
        let mut stage = running(&lasting, on_lost);
        assert_eq!(stage.loses_broker(), NOTHING);
        assert_eq!(stage.pass(59.0), NOTHING, "{on_lost}");
        assert_eq!(stage.pass(1.5), at_end, "{on_lost}");
        // When nothing is left to run, nobody is waited for any longer.
        stage.ends(0, 0);
        stage.pass(1.0);
        stage.pass(1.0);
        assert!(stage.probe.actor.cx.is_ending(), "{on_lost}");
    }
}

#[test]
fn where_nothing_is_left_of_the_instance_tasks_end_at_once() {
    let lasting = tempfile::tempdir().unwrap();
    let mut stage = running(&lasting, "run");
    lasting.close().unwrap();
    assert_eq!(stage.loses_broker(), ["kill 0 15"]);
}
