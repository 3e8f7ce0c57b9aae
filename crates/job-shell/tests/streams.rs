//! Tests of task output: the output log, files, labels, limits.

mod stage;

use std::fs;

use node::{ChildEvent, StdioFd};
use proto::{Errno, Refusal};
use serde_json::json;
use stage::{Play, Stage};

#[test]
fn output_is_sent_off_at_once_and_gathers_while_the_kvs_is_busy() {
    let mut stage = Stage::running(Play::default());
    stage.writes(0, StdioFd::Stdout, "a\n");
    assert_eq!(stage.output().len(), 1);
    stage.is_kvs_silent = true;
    stage.writes(0, StdioFd::Stdout, "b\n");
    stage.writes(0, StdioFd::Stdout, "c\n");
    stage.writes(0, StdioFd::Stderr, "d");
    assert_eq!(stage.output().len(), 2);
    assert_eq!(stage.unanswered.len(), 1);
    let tag = stage.unanswered.remove(0);
    stage.is_kvs_silent = false;
    stage.commit_done(tag);
    stage.run();
    assert_eq!(
        stage.output()[2..],
        [
            r#"data {"stream":"stdout","rank":"0","data":"c\n"}"#,
            r#"data {"stream":"stderr","rank":"0","data":"d"}"#
        ]
    );
}

#[test]
fn the_shell_does_not_leave_before_the_kvs_has_answered() {
    let mut stage = Stage::running(Play::default());
    stage.is_kvs_silent = true;
    stage.writes(0, StdioFd::Stdout, "a\n");
    assert_eq!(stage.ends(0, 0), [""; 0]);
    stage.is_kvs_silent = false;
    let tag = stage.unanswered.remove(0);
    stage.commit_done(tag);
    assert_eq!(stage.run(), ["exit 0"]);
}

#[test]
fn a_kvs_that_is_removed_and_loaded_again_gets_what_it_has_refused() {
    let mut stage = Stage::running(Play::default());
    stage.is_kvs_silent = true;
    stage.writes(0, StdioFd::Stdout, "a\n");
    stage.ends(0, 0);
    let tag = stage.unanswered.remove(0);
    let missing = Err(Refusal::bare(Errno::ENOSYS));
    stage.probe.answer("kvs.commit", tag, missing);
    assert_eq!(stage.run(), [""; 0]);
    assert_eq!(stage.pass(1.0), [""; 0]);
    let tag = stage.unanswered.remove(0);
    stage.is_kvs_silent = false;
    stage.commit_done(tag);
    assert_eq!(stage.run(), ["exit 0"]);
}

#[test]
fn bytes_that_are_no_text_are_encoded() {
    let mut stage = Stage::running(Play::default());
    let data = bytes::Bytes::from_static(b"\xff\x00\n");
    stage.child(
        0,
        ChildEvent::Output {
            stream: StdioFd::Stdout,
            data,
            eof: false,
        },
    );
    assert_eq!(
        stage.output(),
        [r#"data {"stream":"stdout","rank":"0","data":"/wAK","encoding":"base64"}"#]
    );
}

#[test]
fn tasks_wait_while_the_store_is_full() {
    let mut stage = Stage::running(Play::default());
    stage.is_kvs_silent = true;
    stage.writes(0, StdioFd::Stdout, "first\n");
    let much = format!("{}\n", "x".repeat(4 * 1024 * 1024));
    assert_eq!(
        stage.writes(0, StdioFd::Stdout, &much),
        ["flow 0 paused=true"]
    );
    stage.is_kvs_silent = false;
    let tag = stage.unanswered.remove(0);
    stage.commit_done(tag);
    assert_eq!(stage.run(), ["flow 0 paused=false"]);
}

#[test]
fn output_over_the_limit_is_dropped_and_told() {
    let options = json!({"output": {"limit": 5}});
    let mut stage = Stage::running(Play {
        options,
        ..Play::default()
    });
    stage.writes(0, StdioFd::Stdout, "abc\n");
    stage.writes(0, StdioFd::Stdout, "def\n");
    stage.writes(0, StdioFd::Stdout, "ghi\n");
    stage.writes(0, StdioFd::Stderr, "err\n");
    assert_eq!(
        stage.output(),
        [
            r#"data {"stream":"stdout","rank":"0","data":"abc\n"}"#,
            r#"log {"level":4,"message":"stdout will be truncated, 5 limit exceeded","rank":0,"component":"output.kvs"}"#,
            r#"data {"stream":"stderr","rank":"0","data":"err\n"}"#
        ]
    );
}

#[test]
fn output_goes_to_a_file_with_labels() {
    let dir = tempfile::tempdir().unwrap();
    let path = format!("{}/out.{{{{id}}}}", dir.path().display());
    let options = json!({"output": {"stdout": {"type": "file", "path": path, "label": true}}});
    let mut stage = Stage::running(Play {
        ntasks: 2,
        options,
        ..Play::default()
    });
    stage.writes(0, StdioFd::Stdout, "a\nb");
    stage.writes(1, StdioFd::Stderr, "c\n");
    stage.ends(0, 0);
    stage.ends(1, 0);
    let file = dir.path().join("out.ƒNH");
    assert_eq!(fs::read_to_string(&file).unwrap(), "0: a\n1: c\n0: b");
    let redirect = |stream: &str| {
        let path = file.display();
        format!(r#"redirect {{"stream":"{stream}","rank":"[0-1]","path":"{path}"}}"#)
    };
    assert_eq!(stage.output(), [redirect("stdout"), redirect("stderr")]);
}

#[test]
fn each_task_may_have_its_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = format!("{}/out.{{{{taskid}}}}", dir.path().display());
    let options = json!({
        "output": {"stdout": {"type": "file", "path": path}, "stderr": {"type": "kvs"}}
    });
    let mut stage = Stage::running(Play {
        ntasks: 2,
        options,
        ..Play::default()
    });
    stage.writes(0, StdioFd::Stdout, "a\n");
    stage.writes(1, StdioFd::Stdout, "b\n");
    stage.writes(1, StdioFd::Stderr, "c\n");
    stage.ends(0, 0);
    assert_eq!(stage.ends(1, 0), ["exit 0"]);
    assert_eq!(fs::read_to_string(dir.path().join("out.0")).unwrap(), "a\n");
    assert_eq!(fs::read_to_string(dir.path().join("out.1")).unwrap(), "b\n");
    let output = stage.output();
    assert!(output[0].ends_with(r#"out.{{taskid}}"}"#), "{output:?}");
    assert_eq!(
        output[1],
        r#"data {"stream":"stderr","rank":"1","data":"c\n"}"#
    );
}

#[test]
fn a_file_that_can_not_be_opened_ends_the_job() {
    let options = json!({"output": {"stdout": {"path": "/nonexistent/out"}}});
    let mut stage = Stage::start(Play {
        options,
        ..Play::default()
    });
    let why = "error opening output file /nonexistent/out: No such file or directory";
    assert_eq!(
        stage.notify_job(),
        [format!("raise {why}"), "exit 1".to_owned()]
    );
}

#[test]
fn a_file_that_cannot_be_written_lets_the_job_fail_in_the_end() {
    let options = json!({"output": {
        "stdout": {"path": "/dev/full"}, "stderr": {"type": "kvs"}
    }});
    let mut stage = Stage::running(Play {
        options,
        ..Play::default()
    });
    let said = stage.writes(0, StdioFd::Stdout, "a\n");
    assert_eq!(said, [""; 0], "the task goes on");
    stage.writes(0, StdioFd::Stdout, "b\n");
    assert_eq!(stage.ends(0, 0), ["exit 1"]);
    let output = stage.output();
    let told = |line: &&String| {
        line.contains("error writing output file /dev/full: No space left on device")
    };
    assert_eq!(output.iter().filter(told).count(), 1, "{output:?}");
}

#[test]
fn clients_learn_the_processes_and_may_raise() {
    let mut stage = Stage::running(Play {
        ntasks: 2,
        ..Play::default()
    });
    assert_eq!(stage.request("proctable", &json!({})), ["proctable: ok"]);
    assert_eq!(
        stage.request_by_stranger("proctable", &json!({})),
        ["proctable: EPERM"]
    );
    let exception = json!({"type": "test", "severity": 0, "shell_rank": 0, "message": "no"});
    assert_eq!(
        stage.request("exception", &exception),
        ["raise no", "exception: ok"]
    );
}
