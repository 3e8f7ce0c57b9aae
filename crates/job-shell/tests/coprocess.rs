//! Helpers beside the tasks: their start, the destination of their output, and their end.

mod stage;

use bytes::Bytes;
use node::{ChildEvent, StdioFd};
use proto::Errno;
use serde_json::{Value, json};
use stage::{Play, Stage};

/// A job of one task a shell, with a helper.
fn play(helper: Value) -> Play {
    Play {
        options: json!({"coprocess": {"mon": helper}, "coprocess-kill-timeout": "5s"}),
        ..Play::default()
    }
}

fn closes(stage: &mut Stage, child: usize, status: i32) -> Vec<String> {
    stage.ends(child, status)
}

#[test]
fn a_helper_runs_as_long_as_the_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.{{id.f58plain}}");
    let helper = json!({"command": ["mon", "-x"], "output": output.to_string_lossy()});
    let mut stage = Stage::running(play(helper));
    let (_, spawn) = &stage.spawned[1];
    assert_eq!(spawn.argv, ["mon", "-x"]);
    assert_eq!(spawn.env, None, "the shell's own");
    stage.writes(1, StdioFd::Stderr, "hello\n");
    assert_eq!(closes(&mut stage, 0, 0), ["kill 1 15"]);
    assert_eq!(closes(&mut stage, 1, 15), ["exit 0"]);
    let file = folder.path().join("out.fNH");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello\n");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_helper_that_does_not_end_is_killed_and_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let helper = json!({"command": ["mon"], "output": output.to_string_lossy()});
    let mut stage = Stage::running(play(helper));
    closes(&mut stage, 0, 0);
    assert_eq!(stage.pass(5.0), ["kill 1 9"]);
    closes(&mut stage, 1, 9);
    let text = "coprocess: helper(s) still running, sending SIGKILL";
    let told = format!(r#""message":"{text}","rank":0,"component":"coprocess""#);
    assert!(stage.output().iter().any(|line| line.contains(&told)));
}

#[test]
fn a_helper_that_cannot_be_started_is_told_and_the_job_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let helper = json!({"command": ["none"], "output": output.to_string_lossy()});
    let mut stage = Stage::running(Play {
        options: json!({"coprocess": {"mon": helper}}),
        ..Play::default()
    });
    let errno = Errno::ENOENT;
    stage.child(1, ChildEvent::Failed { errno });
    assert_eq!(closes(&mut stage, 0, 0), ["exit 0"]);
    let text = "mon: launch failed: No such file or directory";
    assert!(stage.output().iter().any(|line| line.contains(text)));
}

#[test]
fn a_helper_runs_on_the_shells_that_are_named() {
    let stage = Stage::running(play(json!({"command": ["mon"], "ranks": "1-3"})));
    assert_eq!(stage.spawned.len(), 1, "the task alone");
}

#[test]
fn a_following_shell_hands_over_what_its_helper_writes() {
    let mut stage = Stage::start(Play {
        nodes: 2,
        rank: 1,
        ..play(json!({"command": ["mon"], "output": "/one"}))
    });
    stage.notify_job();
    stage.opens();
    stage.child(0, ChildEvent::Started { pid: 100 });
    let told = stage.writes(1, StdioFd::Stdout, "hi\n");
    let topic = "100-shell-fNH.coprocess-write";
    assert_eq!(told, [r#"coprocess {"name":"mon","data":"hi\n"}"#]);
    let odd = ChildEvent::Output {
        stream: StdioFd::Stdout,
        data: Bytes::from_static(&[0xff]),
        eof: false,
    };
    assert_eq!(stage.child(1, odd), [""; 0], "one at a time");
    let next = r#"coprocess {"name":"mon","data":"/w==","encoding":"base64"}"#;
    assert_eq!(stage.answers(topic, Ok("{}")), [next]);
    stage.answers(topic, Ok("{}"));
    let ended = closes(&mut stage, 1, 0);
    assert_eq!(ended, [r#"coprocess {"name":"mon","eof_rank":1}"#]);
}

#[test]
fn the_leading_shell_writes_for_others_and_waits_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one");
    let helper = json!({"command": ["mon"], "output": file.to_string_lossy(), "ranks": "1"});
    let mut stage = Stage::start(Play {
        nodes: 2,
        ..play(helper)
    });
    stage.notify_job();
    stage.opens();
    stage.child(0, ChildEvent::Started { pid: 100 });
    assert_eq!(stage.spawned.len(), 1, "none of ours");
    let refused =
        stage.request_by_stranger("coprocess-write", &json!({"name": "mon", "data": "x"}));
    assert_eq!(refused, ["coprocess-write: EPERM"]);
    stage.request("coprocess-write", &json!({"name": "mon", "data": "hi\n"}));
    stage.request(
        "coprocess-write",
        &json!({"name": "mon", "data": "/w==", "encoding": "base64"}),
    );
    let unknown = stage.request("coprocess-write", &json!({"name": "no", "data": "x"}));
    assert_eq!(unknown, ["coprocess-write: ENOENT no such coprocess"]);
    stage.request("coprocess-write", &json!({"name": "mon", "eof_rank": 1}));
    assert_eq!(std::fs::read(&file).unwrap(), b"hi\n\xff");
}
