//! Tests of shell options: their effects on the tasks of a job, and the messages about
//! invalid ones.

mod stage;

use node::{ChildEvent, StdioFd};
use serde_json::{Value, json};
use stage::{Play, Stage};

fn play(ntasks: u64, options: Value) -> Play {
    Play {
        ntasks,
        options,
        ..Play::default()
    }
}

#[test]
fn options_that_make_no_sense_end_the_job() {
    let options = json!({"cpu-affinity": "map:0x0"});
    let mut stage = Stage::start(play(1, options));
    let fatal = "shell_init: cpuset 0x0 contains no cores or is invalid";
    assert_eq!(stage.notify_job(), [&format!("raise {fatal}"), "exit 1"]);
    let log = |level: u32, message: &str| {
        format!(r#"log {{"level":{level},"message":"{message}","rank":0}}"#)
    };
    let own = r#"log {"level":3,"message":"cpuset 0x0 contains no cores or is invalid","rank":0,"component":"cpu-affinity"}"#;
    let plugin = log(3, "plugin 'cpu-affinity': shell.init failed");
    assert_eq!(stage.output()[..3], [own.to_owned(), plugin, log(0, fatal)]);
}

#[test]
fn options_nobody_knows_are_told_and_the_job_runs() {
    let mut stage = Stage::running(play(1, json!({"mpibind": "off"})));
    assert_eq!(stage.ends(0, 0), ["exit 0"]);
    let text = "option mpibind is unknown and was not used";
    let log = format!(r#"log {{"level":4,"message":"{text}","rank":0}}"#);
    assert_eq!(stage.output()[0], log);
}

#[test]
fn a_map_binds_each_task_and_dry_run_none() {
    let mut stage = Stage::running(play(3, json!({"cpu-affinity": "verbose,map:0;0"})));
    let cpus: Vec<_> = stage
        .spawned
        .iter()
        .map(|(_, spawn)| spawn.cpus.clone())
        .collect();
    assert_eq!(
        cpus,
        [
            Some("0".to_owned()),
            Some("0".to_owned()),
            Some("0".to_owned())
        ]
    );
    stage.ends(0, 0);
    let told = |rank: u32| {
        let text = format!("task {rank}: cpus: 0");
        format!(r#"log {{"level":5,"message":"{text}","rank":0,"component":"cpu-affinity"}}"#)
    };
    assert_eq!(stage.output()[1..4], [told(0), told(1), told(2)]);
    let stage = Stage::running(play(1, json!({"cpu-affinity": "dry-run,map:0"})));
    assert_eq!(stage.spawned[0].1.cpus, None);
    let stage = Stage::running(play(1, json!({"cpu-affinity": "off"})));
    assert_eq!(stage.spawned[0].1.cpus, None);
}

#[test]
fn a_map_of_cpus_that_are_not_there_ends_the_job() {
    let mut stage = Stage::start(play(1, json!({"cpu-affinity": "map:99999"})));
    let fatal = "raise shell_init: cpuset 99999 contains no cores or is invalid";
    assert_eq!(stage.notify_job(), [fatal, "exit 1"]);
}

#[test]
fn gpus_are_shown_as_the_job_says() {
    let visible = |option: &str| {
        let stage = Stage::running(play(2, json!({ "gpu-affinity": option })));
        [0, 1].map(|task| stage.env(task, "CUDA_VISIBLE_DEVICES"))
    };
    let hidden = Some("-1".to_owned());
    assert_eq!(visible("on"), [hidden.clone(), hidden.clone()]);
    assert_eq!(visible("per-task"), [hidden.clone(), hidden]);
    assert_eq!(visible("off"), [None, None]);
    assert_eq!(
        visible("map:7;4-6"),
        [Some("7".to_owned()), Some("4,5,6".to_owned())]
    );
}

#[test]
fn the_map_of_tasks_is_as_the_job_says() {
    let check = |taskmap: Value, expect: &str| {
        let mut stage = Stage::start(play(2, json!({ "taskmap": taskmap })));
        let seen = stage.notify_job();
        // Longer than events wait for others.
        stage.pass(0.1);
        let last = stage.log("exec.eventlog").pop().unwrap_or_default();
        match seen.iter().find(|line| line.starts_with("raise")) {
            Some(raised) => assert_eq!(raised, expect),
            None => assert_eq!(last, expect),
        }
    };
    let map = r#"shell.start {"taskmap":{"version":1,"map":[[0,1,2,1]]}}"#;
    check(json!({"scheme": "cyclic"}), map);
    let manual = r#"shell.start {"taskmap":{"version":1,"map":[[0,1,1,2]]}}"#;
    check(json!({"scheme": "manual", "value": "[[0,1,1,2]]"}), manual);
    let text = "invalid taskmap: got 4 nodes, expected 1";
    let fatal = format!("raise failed to set new shell taskmap: {text}");
    check(json!({"scheme": "manual", "value": "[[0,4,1,1]]"}), &fatal);
    let text = "failed to open hostfile: /nonexistent: No such file or directory";
    let fatal = format!("raise shell_taskmap: {text}");
    check(
        json!({"scheme": "hostfile", "value": "/nonexistent"}),
        &fatal,
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "host0\n").unwrap();
    let path = file.path().to_string_lossy();
    check(json!({"scheme": "hostfile", "value": path}), map);
    std::fs::write(file.path(), "moon\n").unwrap();
    let text = format!("hostfile:{path}: host moon not found in job nodelist");
    let fatal = format!("raise shell_taskmap: failed to map tasks with {text}");
    check(json!({"scheme": "hostfile", "value": path}), &fatal);
}

#[test]
fn a_process_mapping_that_nobody_wants_is_not_there() {
    let options = json!({"pmi-simple": {"nomap": 1}});
    let mut stage = Stage::running(play(1, options));
    for key in ["PMI_process_mapping", "flux.taskmap"] {
        let (name, data) = (
            "PMI_FD".to_owned(),
            format!("cmd=get kvsname=x key={key}\n").into(),
        );
        let event = ChildEvent::Channel {
            name,
            data,
            eof: false,
        };
        assert_eq!(stage.child(0, event), [r#"pmi 0 "cmd=get_result rc=4\n""#]);
    }
}

#[test]
fn how_soon_the_kernel_ends_a_task_can_be_set() {
    // The task of a test has a number that no process has, so that it cannot.
    let options = json!({"oom": {"adjust": 500}, "verbose": 1});
    let mut stage = Stage::start(play(1, options));
    stage.notify_job();
    let pid = i32::MAX;
    stage.child(0, ChildEvent::Started { pid });
    stage.ends(0, 0);
    let text = format!("pid {pid} score_adj ?->500 score ?: No such file or directory");
    let told = format!(r#""message":"{text}","rank":0,"component":"oom""#);
    assert!(stage.output().iter().any(|line| line.contains(&told)));
}

#[test]
fn a_limit_above_what_may_be_set_is_told() {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let Some(hard) = hard else {
        return;
    };
    let options = json!({"rlimit": {"nofile": hard + 1, "core": 0}});
    let mut stage = Stage::running(play(1, options));
    stage.ends(0, 0);
    let text = "nofile exceeds current max, raising value to hard limit";
    let told = format!(r#"log {{"level":4,"message":"{text}","rank":0,"component":"rlimit"}}"#);
    assert_eq!(stage.output()[0], told);
}

#[test]
fn output_is_gathered_for_as_long_as_the_job_says() {
    let mut stage = Stage::running(play(1, json!({"output": {"batch-timeout": 5.0}})));
    let n_stored = |stage: &Stage| stage.log("output").len();
    stage.pass(5.0);
    assert_eq!(n_stored(&stage), 1, "the header");
    stage.writes(0, StdioFd::Stdout, "one\n");
    stage.pass(4.0);
    stage.writes(0, StdioFd::Stdout, "two\n");
    assert_eq!(n_stored(&stage), 1);
    stage.pass(1.0);
    assert_eq!(n_stored(&stage), 3);
    stage.writes(0, StdioFd::Stdout, "three\n");
    assert_eq!(stage.ends(0, 0), ["exit 0"]);
    assert_eq!(n_stored(&stage), 6, "the end waits for nothing");
    stage.pass(10.0);
    assert_eq!(n_stored(&stage), 6, "and nothing is stored twice");
}

#[test]
fn input_is_gathered_until_its_end() {
    let mut stage = Stage::running(play(1, json!({"input": {"batch-timeout": 5.0}})));
    stage.send_input("0", 3);
    assert_eq!(stage.log("input"), [""; 0]);
    let end = json!({"stream": "stdin", "rank": "0", "eof": true});
    stage.request("stdin", &end);
    assert_eq!(stage.log("input").len(), 3);
}
