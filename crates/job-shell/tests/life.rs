//! A job shell from its greeting to its last word.

mod stage;

use node::{ChildEvent, StdioFd};
use proto::{Errno, Refusal};
use serde_json::json;
use stage::{Play, Stage};

/// Longer than events wait for others.
const GATHER_S: f64 = 0.1;

#[test]
fn a_shell_runs_its_tasks_and_goes_when_the_outcome_is_safe() {
    let mut stage = Stage::start(Play {
        ntasks: 2,
        ..Play::default()
    });
    assert_eq!(stage.notify_job(), ["spawn prog", "spawn prog"]);
    stage.pass(GATHER_S);
    assert_eq!(
        stage.log("exec.eventlog"),
        [
            r#"shell.init {"service":"100-shell-fNH","leader-rank":0,"size":1}"#,
            r#"shell.start {"taskmap":{"version":1,"map":[[0,1,2,1]]}}"#
        ]
    );
    stage.child(0, ChildEvent::Started { pid: 7 });
    stage.writes(1, StdioFd::Stdout, "hello\nwor");
    assert_eq!(stage.ends(0, 0), [""; 0]);
    assert_eq!(stage.ends(1, 3 << 8), ["exit 3"]);
    assert_eq!(stage.acknowledge(Ok("")), [""; 0]);
    assert_eq!(
        stage.output(),
        [
            r#"data {"stream":"stdout","rank":"1","data":"hello\n"}"#,
            r#"data {"stream":"stdout","rank":"0","eof":true}"#,
            r#"data {"stream":"stderr","rank":"0","eof":true}"#,
            r#"data {"stream":"stdout","rank":"1","data":"wor","eof":true}"#,
            r#"data {"stream":"stderr","rank":"1","eof":true}"#
        ]
    );
    let first = r#"shell.task-exit {"localid":0,"rank":0,"state":"Exited","pid":7,"wait_status":0,"signaled":0,"exitcode":0}"#;
    assert_eq!(stage.log("exec.eventlog")[2..], [first]);
}

#[test]
fn the_log_of_a_short_job_goes_with_its_outcome() {
    let mut stage = Stage::start(Play::default());
    stage.is_kvs_silent = true;
    stage.notify_job();
    stage.child(0, ChildEvent::Started { pid: 7 });
    assert_eq!(stage.ends(0, 0), ["exit 0"]);
    assert_eq!(stage.unanswered, [0; 0]);
    let log = stage.log("exec.eventlog");
    let names = log.iter().filter_map(|line| line.split(' ').next());
    let names: Vec<&str> = names.collect();
    assert_eq!(names, ["shell.init", "shell.start", "shell.task-exit"]);
}

/// A shell whose task has written something, before there is a namespace to store it in.
fn running_without_a_namespace() -> Stage {
    let mut stage = Stage::start(Play {
        is_closed: true,
        ..Play::default()
    });
    stage.notify_job();
    stage.child(0, ChildEvent::Started { pid: 7 });
    stage.writes(0, StdioFd::Stdout, "hello\n");
    stage
}

#[test]
fn what_is_said_waits_for_the_namespace() {
    let mut stage = running_without_a_namespace();
    stage.pass(GATHER_S);
    assert!(stage.values.is_empty(), "{:?}", stage.values);
    stage.order(&json!({"namespace": true}));
    stage.pass(GATHER_S);
    assert_eq!(stage.log("exec.eventlog").len(), 2);
    assert_eq!(stage.output().len(), 1);
}

#[test]
fn what_went_with_the_last_word_is_not_stored_as_well() {
    let mut stage = running_without_a_namespace();
    assert_eq!(stage.ends(0, 0), ["exit 0"]);
    let (log, output) = (stage.log("exec.eventlog"), stage.output());
    assert_eq!(log.len(), 3);
    // The namespace was on its way meanwhile.
    assert_eq!(stage.order(&json!({"namespace": true})), [""; 0]);
    stage.pass(GATHER_S);
    assert_eq!(stage.log("exec.eventlog"), log);
    assert_eq!(stage.output(), output);
}

#[test]
fn tasks_know_their_place_and_their_words_are_filled_in() {
    let play = Play {
        ntasks: 2,
        command: vec![
            "prog",
            "{{taskid}}/{{size}}",
            "{{id}}",
            "{{tmpdir}}/script",
            "{{x}}",
        ],
        environment: json!({"PATH": "/bin", "OLD": null, "HOSTNAME": "login"}),
        options: json!({"rlimit": {"core": 0, "stack": -1}}),
        ..Play::default()
    };
    let stage = Stage::running(play);
    let tmpdir = stage.rundir.path().join("jobtmp-0-fNH");
    let tmpdir = tmpdir.to_string_lossy();
    let spawn = &stage.spawned[1].1;
    let script = format!("{tmpdir}/script");
    assert_eq!(spawn.argv, ["prog", "1/2", "ƒNH", &script, "{{x}}"]);
    assert_eq!(spawn.cwd.as_deref(), Some("/"));
    assert_eq!(
        spawn.rlimits,
        [("core".to_owned(), 0), ("stack".to_owned(), -1)]
    );
    assert_eq!(spawn.socketpairs, ["PMI_FD"]);
    assert!(spawn.new_group);
    let expect = [
        ("FLUX_TASK_RANK", Some("1")),
        ("FLUX_JOB_SIZE", Some("2")),
        ("FLUX_JOB_ID", Some("ƒNH")),
        ("FLUX_KVS_NAMESPACE", Some("job-1234")),
        ("FLUX_JOB_TMPDIR", Some(&tmpdir)),
        ("PMI_RANK", Some("1")),
        ("PMI_SIZE", Some("2")),
        ("HOSTNAME", Some("host0")),
        ("PATH", Some("/bin")),
        ("OLD", None),
        ("CUDA_VISIBLE_DEVICES", Some("-1")),
    ];
    for (name, value) in expect {
        assert_eq!(stage.env(1, name).as_deref(), value, "{name}");
    }
}

#[test]
fn a_task_that_can_not_be_started_ends_the_job() {
    let mut stage = Stage::start(Play {
        ntasks: 2,
        ..Play::default()
    });
    stage.notify_job();
    let note = "task 0 (host host0): start failed: prog: No such file or directory";
    assert_eq!(
        stage.child(
            0,
            ChildEvent::Failed {
                errno: Errno::ENOENT
            }
        ),
        [format!("raise {note}"), "kill 1 9".to_owned()]
    );
    let failed = ChildEvent::Failed {
        errno: Errno::EACCES,
    };
    assert_eq!(stage.child(1, failed), ["exit 127"]);
    let log = format!(r#"log {{"level":0,"message":"{note}","rank":0}}"#);
    assert_eq!(stage.output(), [log]);
}

#[test]
fn a_task_that_may_not_be_run_is_126() {
    let mut stage = Stage::start(Play::default());
    stage.notify_job();
    let seen = stage.child(
        0,
        ChildEvent::Failed {
            errno: Errno::EACCES,
        },
    );
    assert_eq!(seen[1], "exit 126");
}

#[test]
fn a_killed_task_counts_128_and_its_signal() {
    let mut stage = Stage::running(Play::default());
    assert_eq!(stage.ends(0, 9), ["exit 137"]);
    let log = stage.log("exec.eventlog");
    assert!(
        log[2].contains(r#""wait_status":9,"signaled":9,"exitcode":-1"#),
        "{log:?}"
    );
}

#[test]
fn a_directory_that_is_not_there_is_told_and_replaced() {
    let cwd = Some("/nonexistent/dir".to_owned());
    let mut stage = Stage::running(Play {
        cwd,
        ..Play::default()
    });
    assert_eq!(stage.spawned[0].1.cwd.as_deref(), Some("/tmp"));
    stage.ends(0, 0);
    let why = "host host0: Could not change dir to /nonexistent/dir: No such file or directory. \
               Going to /tmp instead";
    let log = format!(r#"log {{"level":3,"message":"{why}","rank":0}}"#);
    assert_eq!(stage.output()[0], log);
}

#[test]
fn the_first_exit_starts_a_clock_for_the_others() {
    let mut stage = Stage::running(Play {
        ntasks: 2,
        ..Play::default()
    });
    stage.ends(1, 256);
    assert_eq!(stage.pass(29.9), [""; 0]);
    let note = "prog: task rank 1 on host host0 exited (Exit 1) and exit-timeout=30s has expired";
    assert_eq!(stage.pass(0.1), [format!("raise {note}")]);
    let none = json!({"exit-timeout": "none"});
    let mut stage = Stage::running(Play {
        ntasks: 2,
        options: none,
        ..Play::default()
    });
    stage.ends(1, 256);
    assert_eq!(stage.pass(1e6), [""; 0]);
}

#[test]
fn the_first_task_to_exit_may_end_the_job() {
    let play = || Play {
        ntasks: 2,
        command: vec!["/bin/prog"],
        options: json!({"exit-on-error": 0}),
        ..Play::default()
    };
    let mut stage = Stage::running(play());
    let note = "prog: task rank 1 on host host0 failed (Killed) and exit-on-error is set";
    assert_eq!(stage.ends(1, 9)[0], format!("raise {note} 9"));
    let mut stage = Stage::running(play());
    assert_eq!(stage.ends(0, 0), [""; 0]);
    assert_eq!(stage.ends(1, 9), ["exit 137"]);
}

#[test]
fn signals_reach_task_groups_now_or_when_they_run() {
    let mut stage = Stage::start(Play::default());
    assert_eq!(
        stage.event("shell-1234.kill", &json!({"signum": 10})),
        [""; 0]
    );
    assert_eq!(stage.notify_job(), ["spawn prog", "kill 0 10"]);
    assert_eq!(
        stage.event("shell-1234.kill", &json!({"signum": 12})),
        ["kill 0 12"]
    );
    assert_eq!(
        stage.event("shell-12345.kill", &json!({"signum": 12})),
        [""; 0]
    );
    assert_eq!(stage.order(&json!({"signal": 15})), ["kill 0 15"]);
    stage.probe.input(node::Input::Signal(15));
    assert_eq!(stage.run(), ["kill 0 15"]);
    stage.probe.input(node::Input::Signal(1));
    assert_eq!(stage.run(), [""; 0]);
}

#[test]
fn a_signal_warns_of_the_end_of_time() {
    let play = || Play {
        options: json!({"signal": {"signum": 12, "timeleft": 5}}),
        expiration: 1020.0,
        ..Play::default()
    };
    let mut stage = Stage::running(play());
    assert_eq!(stage.pass(14.9), [""; 0]);
    assert_eq!(stage.pass(0.1), ["kill 0 12"]);
    let mut stage = Stage::running(play());
    stage.order(&json!({"expiration": 1040.0}));
    assert_eq!(stage.pass(34.9), [""; 0]);
    assert_eq!(stage.pass(0.1), ["kill 0 12"]);
}

#[test]
fn pmi_is_served_over_the_socket() {
    let mut stage = Stage::running(Play {
        ntasks: 2,
        ..Play::default()
    });
    let say = |stage: &mut Stage, task: usize, line: &str| {
        let (name, data) = ("PMI_FD".to_owned(), format!("{line}\n").into());
        stage.child(
            task,
            ChildEvent::Channel {
                name,
                data,
                eof: false,
            },
        )
    };
    assert_eq!(
        say(&mut stage, 0, "cmd=get kvsname=x key=PMI_process_mapping"),
        [r#"pmi 0 "cmd=get_result rc=0 value=(vector,(0,1,2))\n""#]
    );
    assert_eq!(
        say(&mut stage, 0, "cmd=get kvsname=x key=flux.taskmap"),
        [r#"pmi 0 "cmd=get_result rc=0 value={\"version\":1,\"map\":[[0,1,2,1]]}\n""#]
    );
    assert_eq!(say(&mut stage, 0, "cmd=barrier_in"), [""; 0]);
    assert_eq!(
        say(&mut stage, 1, "cmd=barrier_in"),
        [
            r#"pmi 0 "cmd=barrier_out rc=0\n""#,
            r#"pmi 1 "cmd=barrier_out rc=0\n""#
        ]
    );
    assert_eq!(
        say(&mut stage, 1, "cmd=finalize"),
        [r#"pmi 1 "cmd=finalize_ack rc=0\n" eof"#]
    );
    assert_eq!(
        say(&mut stage, 0, "cmd=abort exitcode=1"),
        ["raise PMI_Abort: aborted"]
    );
    // Its own exit is not the end of the job, whichever of the two is received first.
    stage.ends(0, 3 << 8);
    assert_eq!(stage.ends(1, 15), ["exit 143"]);
}

#[test]
fn the_last_word_is_repeated_until_it_is_heard() {
    let mut stage = Stage::running(Play::default());
    assert_eq!(stage.ends(0, 0), ["exit 0"]);
    let gone = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    assert_eq!(stage.acknowledge(Err(gone)), [""; 0]);
    assert_eq!(stage.pass(0.05), ["exit 0"]);
    let missing = Refusal::bare(Errno::ENOSYS);
    assert_eq!(stage.acknowledge(Err(missing)), [""; 0]);
    assert_eq!(stage.pass(0.05), [""; 0]);
    assert_eq!(stage.pass(0.05), ["exit 0"]);
    assert_eq!(stage.acknowledge(Ok("")), [""; 0]);
    assert_eq!(stage.pass(10.0), [""; 0]);
}

#[test]
fn a_lost_stream_is_greeted_again() {
    let mut stage = Stage::running(Play::default());
    assert_eq!(stage.orders_end(Errno::EHOSTUNREACH), [""; 0]);
    let again = r#"hello {"id":1234,"rank":0,"pid":4242,"lease":"exec.1","again":true}"#;
    assert_eq!(stage.pass(0.05), [again]);
    assert_eq!(stage.order(&json!({"signal": 15})), ["kill 0 15"]);
    assert_eq!(stage.ends(0, 15), ["exit 143"]);
}

#[test]
fn a_shell_that_is_not_wanted_ends_its_tasks() {
    let mut stage = Stage::running(Play::default());
    assert_eq!(stage.orders_end(Errno::ESRCH), ["kill 0 15"]);
    assert_eq!(stage.pass(0.5), ["kill 0 9"]);
    assert_eq!(stage.pass(10.0), [""; 0]);
    let mut stage = Stage::start(Play::default());
    assert_eq!(stage.orders_end(Errno::ECANCELED), [""; 0]);
    assert_eq!(stage.pass(10.0), [""; 0]);
}

#[test]
fn a_task_that_ends_when_the_broker_is_gone_ends_the_shell() {
    let mut stage = Stage::running(Play::default());
    let tmpdir = stage.rundir.path().join("jobtmp-0-fNH");
    assert!(tmpdir.exists());
    let actor = &mut stage.probe.actor;
    node::Host::broker_lost(&mut actor.core, &mut actor.cx);
    assert_eq!(stage.run(), ["kill 0 15"]);
    assert_eq!(stage.ends(0, 15), [""; 0]);
    assert!(!tmpdir.exists());
    assert_eq!(stage.pass(1.0), [""; 0]);
}

#[test]
fn a_job_that_was_not_validated_fails_by_what_is_wrong() {
    for (environment, options, expect) in [
        (
            json!(["A=b"]),
            json!({}),
            "attributes.system.environment must be a mapping",
        ),
        (
            json!({"A": 1}),
            json!({}),
            "attributes.system.environment.A must be a string",
        ),
        (
            json!({}),
            json!([]),
            "attributes.system.shell.options must be a mapping",
        ),
        (
            json!({}),
            json!({"per-resource": {"type": "node", "count": 0}}),
            "failed to initialize shell info: error parsing jobspec: per-resource.count must be > 0",
        ),
        (
            json!({}),
            json!({"per-resource": {"type": "core", "count": 1_u64 << 60}}),
            "too many tasks for one shell: 1152921504606846976",
        ),
    ] {
        let mut stage = Stage::start(Play {
            environment,
            options,
            ..Play::default()
        });
        let raised = format!("raise {expect}");
        assert_eq!(stage.notify_job(), [&raised[..], "exit 1"]);
    }
}

#[test]
fn a_count_of_tasks_that_is_none_is_no_reason_to_run_one() {
    for count in [
        json!({"total": 0}),
        json!({"total": -1}),
        json!({"total": "2"}),
        json!({"per_slot": 0}),
        json!({"per_slot": 1.5}),
        json!({"per_slot": null}),
    ] {
        let mut stage = Stage::start(Play {
            count,
            ..Play::default()
        });
        let why = "raise task count must be an int > 0";
        assert_eq!(stage.notify_job(), [why, "exit 1"]);
    }
    for count in [json!(1), json!("per_slot"), json!([1]), json!(null)] {
        let mut stage = Stage::start(Play {
            count,
            ..Play::default()
        });
        let why = "raise task count must be a mapping";
        assert_eq!(stage.notify_job(), [why, "exit 1"]);
    }
}
