//! Processes that a shell runs for clients. The tests of the broker, which has the same server,
//! show the rest.

mod stage;

use node::ChildEvent;
use serde_json::json;
use stage::{Play, Stage};

/// A running task, and a process of a client beside it.
fn with_process(options: serde_json::Value) -> Stage {
    let mut stage = Stage::running(Play {
        options,
        ..Play::default()
    });
    let request = json!({"cmd": {"cmdline": ["helper"], "env": {}, "opts": {}, "channels": []},
        "flags": 3});
    assert_eq!(stage.stream("rexec.exec", &request), ["spawn helper"]);
    stage.child(1, ChildEvent::Started { pid: 200 });
    stage
}

#[test]
fn a_process_of_a_client_has_the_environment_of_tasks() {
    let mut stage = with_process(json!({}));
    for (name, value) in [
        ("FLUX_JOB_ID", Some("ƒNH")),
        ("FLUX_URI", Some("local:///run/local-0")),
        ("FLUX_TASK_RANK", None),
    ] {
        assert_eq!(stage.env(1, name).as_deref(), value, "{name}");
    }
    assert_eq!(stage.request("rexec.list", &json!({})), ["list: ok"]);
    let kill = json!({"pid": 200, "signum": 15});
    assert_eq!(
        stage.request("rexec.kill", &kill),
        ["kill 1 15", "kill: ok"]
    );
    let kill = json!({"pid": 100, "signum": 15});
    let refused = "kill: ESRCH pid 100 does not belong to any subprocess";
    assert_eq!(
        stage.request("rexec.kill", &kill),
        [refused],
        "a task is none"
    );
    let refused = "list: EPERM Request requires owner credentials";
    let seen = stage.request_by_stranger("rexec.list", &json!({}));
    assert_eq!(seen, [refused]);
}

#[test]
fn processes_of_clients_end_with_the_tasks() {
    let mut stage = with_process(json!({"rexec-shutdown-timeout": "5s"}));
    assert_eq!(stage.ends(0, 0), ["kill 1 15"]);
    let request = json!({"cmd": {"cmdline": ["late"], "env": {}, "opts": {}, "channels": []},
        "flags": 3});
    let refused = "exec: ENOSYS subprocess server is shutting down";
    assert_eq!(stage.stream("rexec.exec", &request), [refused]);
    assert_eq!(stage.pass(5.0), ["kill 1 9"]);
    let seen = stage.ends(1, 9);
    assert_eq!(seen.last().map(String::as_str), Some("exit 0"), "{seen:?}");
}

#[test]
fn a_job_that_wants_signed_requests_runs_nothing_for_clients() {
    let mut stage = Stage::running(Play {
        options: json!({"rexec": {"sign-required": 1}}),
        ..Play::default()
    });
    let request = json!({"cmd": {"cmdline": ["helper"], "env": {}, "opts": {}, "channels": []},
        "flags": 3});
    let why = "EPERM a signed request is required, and signatures are not supported";
    assert_eq!(
        stage.stream("rexec.exec", &request),
        [format!("exec: {why}")]
    );
    for (method, payload) in [
        ("kill", json!({"pid": 100, "signum": 15})),
        ("list", json!({})),
        ("wait", json!({"pid": 100})),
    ] {
        let seen = stage.request(&format!("rexec.{method}"), &payload);
        assert_eq!(seen, [format!("{method}: {why}")]);
    }
    let attach = json!({"pid": 100, "flags": 3});
    assert_eq!(
        stage.stream("rexec.attach", &attach),
        [format!("attach: {why}")]
    );
}
