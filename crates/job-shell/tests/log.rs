//! Tests of the shell's log messages: verbosity and destinations.

mod stage;

use std::fs;

use node::Input;
use serde_json::{Value, json};
use stage::{Play, Stage};

#[allow(clippy::unwrap_used, reason = "part of the tests")]
fn said_of(context: &str) -> String {
    let log: Value = serde_json::from_str(context).unwrap();
    assert_eq!(log["rank"], 0);
    let component = log["component"].as_str().unwrap_or("-");
    let message = log["message"].as_str().unwrap();
    format!("{} {component}: {message}", log["level"])
}

/// Messages of the shell about the host that the test runs on.
const OF_THE_HOST: &str = "6 oom: ";

/// Messages of a job of two tasks with these options, whose shell gets a SIGTERM.
fn said(options: Value) -> Vec<String> {
    let mut stage = Stage::running(Play {
        ntasks: 2,
        options,
        ..Play::default()
    });
    stage.probe.input(Input::Signal(15));
    stage.run();
    stage.ends(0, 0);
    stage.ends(1, 15);
    let logs = stage.output().into_iter();
    logs.filter_map(|line| line.strip_prefix("log ").map(said_of))
        .filter(|line| !line.starts_with(OF_THE_HOST))
        .collect()
}

#[test]
fn a_verbose_shell_tells_what_it_does() {
    assert_eq!(said(json!({})), [""; 0]);
    let more = said(json!({"verbose": 2}));
    let traced = more.iter().filter(|line| line.starts_with("7 "));
    assert_eq!(
        traced.collect::<Vec<_>>(),
        [
            "7 -: task 0 started: pid 100",
            "7 -: task 1 started: pid 101"
        ]
    );
    assert_eq!(
        said(json!({"verbose": 1})),
        [
            "6 rexec: registered rexec service as 100-shell-fNH.rexec",
            "6 -: 0: task_count=2 slot_count=2 cores_per_slot=1 slots_per_node=-1",
            "6 -: 0: tasks 0-1 on cores 0",
            "6 pmi-simple: simple wire protocol is enabled",
            "6 signals: forwarding signal 15 to tasks",
            "6 -: task 0 complete status=0",
            "6 -: task 1 complete status=143",
            "6 tasks-complete: all shells report tasks complete",
            "6 -: exit 143"
        ]
    );
}

#[test]
fn a_signal_that_will_not_come_is_told() {
    let options = json!({"signal": {"signum": 12, "timeleft": 5}});
    let text = "5 signal: job has no expiration, SIGUSR2 will not be sent";
    assert_eq!(said(options), [text]);
}

#[test]
fn the_shell_writes_where_standard_error_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("err");
    let options = json!({
        "output": {"stderr": {"type": "file", "path": path}},
        "signal": 1, "pmi": "off", "verbose": 1,
    });
    // Said before the file was open.
    let early = "6 rexec: registered rexec service as 100-shell-fNH.rexec";
    assert_eq!(said(options), [early]);
    let written = fs::read_to_string(path).unwrap();
    let lines = written.split_inclusive('\n');
    let of_the_job = lines.filter(|line| !line.contains(": oom: "));
    assert_eq!(
        of_the_job.collect::<String>(),
        "flux-shell[0]: DEBUG: 0: task_count=2 slot_count=2 cores_per_slot=1 slots_per_node=-1\n\
         flux-shell[0]: DEBUG: 0: tasks 0-1 on cores 0\n\
         flux-shell[0]: signal: job has no expiration, SIGUSR1 will not be sent\n\
         flux-shell[0]: DEBUG: signals: forwarding signal 15 to tasks\n\
         flux-shell[0]: DEBUG: task 0 complete status=0\n\
         flux-shell[0]: DEBUG: task 1 complete status=143\n\
         flux-shell[0]: DEBUG: tasks-complete: all shells report tasks complete\n\
         flux-shell[0]: DEBUG: exit 143\n"
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_told_in_the_log() {
    let options = json!({"output": {"stderr": {"type": "file", "path": "/nonexistent/err"}}});
    let mut stage = Stage::start(Play {
        options,
        ..Play::default()
    });
    let why = "error opening output file /nonexistent/err: No such file or directory";
    assert_eq!(
        stage.notify_job(),
        [format!("raise {why}"), "exit 1".to_owned()]
    );
    let log = format!(r#"log {{"level":0,"message":"{why}","rank":0}}"#);
    assert_eq!(stage.output().last(), Some(&log));
}
