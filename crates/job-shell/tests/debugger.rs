//! Tasks that are stopped for a debugger.

mod stage;

use node::ChildEvent;
use proto::Errno;
use serde_json::{Value, json};
use stage::{Play, Stage};

fn play(options: Value) -> Play {
    Play {
        options,
        ..Play::default()
    }
}

#[test]
fn tasks_are_stopped_where_the_option_is_on() {
    let check = |value: Value, is_stopped: bool| {
        let mut stage = Stage::running(play(json!({ "stop-tasks-in-exec": value })));
        stage.pass(0.1);
        assert_eq!(stage.spawned[0].1.stop_at_exec, is_stopped, "{value}");
        let log = stage.log("exec.eventlog");
        let start = log.iter().find(|line| line.starts_with("shell.start"));
        let is_told = start.unwrap().contains(r#""sync":true"#);
        assert_eq!(is_told, is_stopped, "{log:?}");
    };
    check(json!(true), true);
    check(json!(1), true);
    for off in [json!(false), json!(0), json!(-1), json!("yes"), json!(null)] {
        check(off, false);
    }
}

#[test]
fn a_task_that_ends_before_it_is_stopped_ends_the_job() {
    let mut stage = Stage::start(play(json!({"stop-tasks-in-exec": true})));
    stage.notify_job();
    let errno = Errno::ECHILD;
    let seen = stage.child(0, ChildEvent::Failed { errno });
    assert_eq!(seen, ["raise shell_task_forked", "exit 1"]);
    let texts: Vec<String> = stage
        .output()
        .iter()
        .filter_map(|line| Some(line.split_once(r#""message":"#)?.1.to_owned()))
        .collect();
    let own = r#""task unexpectedly exited","rank":0,"component":"ptrace"}"#;
    assert_eq!(texts[0], own);
    assert!(texts[1].starts_with(r#""plugin 'ptrace': task.fork failed""#));
    assert!(texts[2].starts_with(r#""shell_task_forked""#));
}

#[test]
fn elements_of_an_array_cannot_be_stopped() {
    let options = json!({"stop-tasks-in-exec": true, "array": {"indices": "0-3"}});
    let mut stage = Stage::start(play(options));
    let seen = stage.notify_job();
    let why = "array: an array cannot have the shell option 'stop-tasks-in-exec'";
    assert_eq!(seen, [format!("raise {why}"), "exit 1".to_owned()]);
}
