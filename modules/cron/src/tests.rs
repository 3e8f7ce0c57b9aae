//! The module in a test's hands: its requests to brokers, and the answers to clients.

use std::time::Duration;

use jiff::tz::TimeZone;
use node::probe::Probe;
use proto::{Errno, Refusal, Role};
use serde_json::{Value, json};

use crate::Cron;
use crate::limits::{ENTRIES_MAX, KILL_WAIT_S};

/// A module, and the requests that its brokers have received.
struct Stage {
    probe: Probe<Cron>,
    /// Matchtags of commands that run, in their order.
    runs: Vec<u32>,
}

impl Stage {
    fn new(args: &[&str]) -> Stage {
        let probe = Probe::start(TimeZone::UTC, args, "{}").unwrap();
        let mut stage = Stage {
            probe,
            runs: Vec::new(),
        };
        stage.said();
        stage
    }

    /// Messages: requests to brokers in short, answers to clients whole.
    fn said(&mut self) -> Vec<String> {
        let mut short = Vec::new();
        for line in self.probe.said() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            let (Some(topic), Some(tag)) = (words.get(1), words.get(2)) else {
                short.push(line);
                continue;
            };
            let tag = tag.trim_start_matches('#').parse().unwrap_or(0);
            let payload: Value = words
                .get(3)
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
            match *topic {
                "rexec.exec" => {
                    self.runs.push(tag);
                    short.push(format!("run {}", payload["cmd"]["cmdline"][2]));
                }
                "rexec.kill" => short.push(format!("kill {}", payload["signum"])),
                "event.subscribe" | "event.unsubscribe" => {
                    short.push(format!("{topic} {}", payload["topic"]));
                }
                _ => short.push(line),
            }
        }
        short
    }

    fn check(&mut self, expect: &[&str]) {
        assert_eq!(self.said(), expect);
    }

    /// Makes a request; the answer, or the number of the error.
    fn ask(&mut self, topic: &str, payload: &Value) -> Value {
        let tag = self.probe.request(topic, &payload.to_string());
        let mut answer = None;
        for message in self.probe.messages() {
            if message.matchtag() == tag && message.topic() == topic {
                answer = Some(node::probe::line(&message));
            }
        }
        let answer = answer.expect("it is answered");
        let text = answer.splitn(4, ' ').nth(3).unwrap_or_default();
        serde_json::from_str(text).unwrap_or_else(|_| json!(text))
    }

    fn entry(&mut self) -> Value {
        self.ask("cron.list", &json!({}))["entries"][0].clone()
    }

    fn pass(&mut self, seconds: f64) {
        self.probe.pass(Duration::from_secs_f64(seconds));
    }

    /// The last command goes through its life and ends with this status.
    fn end(&mut self, status: i32) {
        let tag = *self.runs.last().expect("a command runs");
        self.tell(tag, json!({"type": "started", "pid": 7}));
        self.tell(tag, json!({"type": "finished", "status": status}));
        self.finish(tag);
    }

    fn tell(&mut self, tag: u32, told: Value) {
        let told = told.to_string();
        self.probe.answer_stream("rexec.exec", tag, Ok(&told));
    }

    fn finish(&mut self, tag: u32) {
        self.probe
            .answer_stream("rexec.exec", tag, Err(Refusal::END));
    }
}

fn interval(seconds: f64) -> Value {
    json!({"type": "interval", "name": "tick", "command": "echo tick", "args": {"interval": seconds}})
}

fn event(args: Value) -> Value {
    json!({"type": "event", "name": "e", "command": "true", "args": args})
}

/// A request with one more key.
fn with(mut request: Value, key: &str, value: impl Into<Value>) -> Value {
    request[key] = value.into();
    request
}

#[test]
fn an_entry_runs_once_an_interval() {
    let mut stage = Stage::new(&[]);
    let made = stage.ask("cron.create", &interval(5.0));
    assert_eq!(made["id"], 1);
    assert_eq!(made["typedata"]["next_wakeup"], 1005.0);
    stage.pass(4.9);
    stage.check(&[]);
    stage.pass(0.1);
    stage.check(&[r#"run "echo tick""#]);
    stage.end(0);
    stage.pass(5.0);
    stage.check(&[r#"run "echo tick""#]);
    let entry = stage.entry();
    assert_eq!(entry["stats"]["count"], 2);
    assert_eq!(entry["stats"]["success"], 1);
    assert_eq!(entry["stats"]["lastrun"], 1010.0);
    assert_eq!(entry["tasks"][0]["state"], "Running");
    let before = json!({"rank": 0, "pid": 7, "status": 0, "state": "Exited", "code": 0,
        "create-time": 1005.0, "start-time": 1005.0, "running-time": 1005.0, "end-time": 1005.0});
    assert_eq!(entry["tasks"][1], before);
}

#[test]
fn one_task_is_enough() {
    let mut stage = Stage::new(&[]);
    stage.ask("cron.create", &interval(1.0));
    stage.pass(1.0);
    stage.check(&[r#"run "echo tick""#]);
    stage.pass(1.0);
    stage.check(&[]);
    assert_eq!(stage.entry()["stats"]["total"], 1);
}

#[test]
fn an_entry_that_has_run_often_enough_stays_listed() {
    let mut stage = Stage::new(&[]);
    stage.ask("cron.create", &with(interval(1.0), "repeat", 2));
    for _ in 0..2 {
        stage.pass(1.0);
        stage.check(&[r#"run "echo tick""#]);
        stage.end(0);
    }
    stage.pass(10.0);
    stage.check(&[]);
    assert_eq!(stage.entry()["stopped"], true);
    let again = stage.ask("cron.start", &json!({"id": 1}));
    assert_eq!(again["stats"]["count"], 0);
    assert_eq!(again["stats"]["total"], 2);
    stage.pass(1.0);
    stage.check(&[r#"run "echo tick""#]);
}

#[test]
fn failures_are_counted_and_stop_an_entry() {
    let mut stage = Stage::new(&[]);
    let request = with(interval(1.0), "stop-on-failure", 2);
    stage.ask("cron.create", &with(request, "task-history-count", 5));
    for status in [256, 15] {
        stage.pass(1.0);
        stage.said();
        stage.end(status);
    }
    let entry = stage.entry();
    assert_eq!(entry["stopped"], true);
    assert_eq!(entry["stats"]["failcount"], 2);
    assert_eq!(entry["tasks"][0]["state"], "Failed");
    assert_eq!(entry["tasks"][0]["code"], 143);
    assert_eq!(entry["tasks"][1]["code"], 1);
}

#[test]
fn what_cannot_be_run_is_a_failure() {
    let mut stage = Stage::new(&[]);
    stage.ask("cron.create", &with(interval(1.0), "rank", 9));
    stage.pass(1.0);
    stage.said();
    let tag = stage.runs[0];
    let lost = Refusal::bare(Errno::EHOSTUNREACH);
    stage.probe.answer_stream("rexec.exec", tag, Err(lost));
    let entry = stage.entry();
    assert_eq!(entry["tasks"][0]["state"], "Rexec Failure");
    assert_eq!(entry["stats"]["failure"], 1);
}

#[test]
fn a_run_that_takes_too_long_is_ended() {
    let mut stage = Stage::new(&[]);
    stage.ask("cron.create", &with(interval(100.0), "timeout", 3));
    stage.pass(100.0);
    stage.said();
    let tag = stage.runs[0];
    stage.tell(tag, json!({"type": "started", "pid": 7}));
    stage.pass(3.0);
    stage.check(&["kill 15"]);
    stage.pass(KILL_WAIT_S as f64);
    stage.check(&["kill 9"]);
    stage.tell(tag, json!({"type": "finished", "status": 9}));
    stage.finish(tag);
    assert_eq!(stage.entry()["tasks"][0]["state"], "Timeout");
}

#[test]
fn an_entry_is_deleted_and_its_task_killed_if_wanted() {
    for (kill, expect) in [(true, &["kill 15"][..]), (false, &[])] {
        let mut stage = Stage::new(&[]);
        stage.ask("cron.create", &interval(1.0));
        stage.pass(1.0);
        stage.said();
        let tag = stage.runs[0];
        stage.tell(tag, json!({"type": "started", "pid": 7}));
        let request = json!({"id": 1, "kill": kill});
        stage.probe.request("cron.delete", &request.to_string());
        let said: Vec<String> = stage
            .said()
            .into_iter()
            .filter(|line| line.starts_with("kill"))
            .collect();
        assert_eq!(said, expect);
        assert_eq!(stage.entry(), Value::Null);
        stage.tell(tag, json!({"type": "finished", "status": 15}));
        stage.finish(tag);
        assert!(stage.probe.actor.core.leaving.is_empty());
    }
}

#[test]
fn an_entry_runs_when_something_happens() {
    let mut stage = Stage::new(&[]);
    stage.probe.request(
        "cron.create",
        &event(json!({"topic": "a.*", "min_interval": 5})).to_string(),
    );
    assert_eq!(stage.said()[0], r#"event.subscribe "a.""#);
    stage.probe.event("b", "");
    stage.check(&[]);
    stage.probe.event("a.b", "");
    stage.check(&[r#"run "true""#]);
    stage.end(0);
    // Two more in the same interval make one run at its end.
    stage.probe.event("a.b", "");
    stage.probe.event("a.c", "");
    stage.check(&[]);
    stage.pass(5.0);
    stage.check(&[r#"run "true""#]);
    stage.end(0);
    assert_eq!(stage.entry()["typedata"]["counter"], 3);
    stage.probe.request("cron.stop", r#"{"id":1}"#);
    assert_eq!(stage.said()[0], r#"event.unsubscribe "a.""#);
    stage.probe.event("a.b", "");
    stage.check(&[]);
}

#[test]
fn events_of_others_have_nothing_run() {
    let mut stage = Stage::new(&["sync=pulse"]);
    stage.ask("cron.create", &event(json!({"topic": "a"})));
    stage.probe.event_as("a", "", 200, Role::USER);
    stage.check(&[]);
    stage.probe.event("a", "");
    stage.probe.event_as("pulse", "", 200, Role::USER);
    stage.check(&[]);
    assert_eq!(stage.entry()["tasks"][0]["state"], "Deferred");
}

#[test]
fn a_task_waits_for_the_event_unless_it_was_just_now() {
    let mut stage = Stage::new(&["sync=pulse", "sync_epsilon=0.1"]);
    stage.ask("cron.create", &interval(1.0));
    stage.pass(1.0);
    stage.check(&[]);
    assert_eq!(stage.entry()["stats"]["deferred"], 1);
    stage.pass(0.95);
    stage.probe.event("pulse", "");
    stage.check(&[r#"run "echo tick""#]);
    stage.end(0);
    stage.pass(0.05);
    stage.check(&[r#"run "echo tick""#]);
    assert_eq!(stage.entry()["stats"]["deferred"], 1);
}

#[test]
fn tasks_that_wait_are_run_when_there_is_nothing_to_wait_for() {
    let mut stage = Stage::new(&["sync=pulse"]);
    stage.ask("cron.create", &interval(1.0));
    stage.pass(1.0);
    let synced = stage.ask("cron.sync", &json!({}));
    assert_eq!(
        synced,
        json!({"sync_event": "pulse", "sync_epsilon": 0.015})
    );
    stage.probe.request("cron.sync", r#"{"disable":true}"#);
    let said = stage.said();
    assert_eq!(
        said[..2],
        [r#"event.unsubscribe "pulse""#, r#"run "echo tick""#]
    );
    let request = json!({"topic": "b", "sync_epsilon": 2});
    let synced = stage.ask("cron.sync", &request);
    assert_eq!(synced, json!({"sync_event": "b", "sync_epsilon": 2.0}));
}

#[test]
fn a_deleted_entry_does_not_wait() {
    let mut stage = Stage::new(&["sync=pulse"]);
    stage.ask("cron.create", &interval(1.0));
    stage.pass(1.0);
    stage.ask("cron.delete", &json!({"id": 1}));
    stage.probe.event("pulse", "");
    stage.check(&[]);
}

#[test]
fn an_entry_runs_at_set_times() {
    let mut stage = Stage::new(&[]);
    let request = |args| json!({"type": "datetime", "name": "d", "command": "true", "args": args});
    // The clock of the stage says 00:16:40.
    let made = stage.ask(
        "cron.create",
        &request(json!({"second": 0, "minute": "*/20"})),
    );
    assert_eq!(made["typedata"]["next_wakeup"], 1200.0);
    for _ in 0..3 {
        stage.pass(60.0);
        stage.check(&[]);
    }
    stage.pass(20.0);
    stage.check(&[r#"run "true""#]);
    assert_eq!(stage.entry()["typedata"]["next_wakeup"], 2400.0);
    // An entry that runs once ends then.
    let once = json!({"second": 0, "minute": 21, "hour": 0, "mday": 1, "month": 0, "year": 70});
    stage.ask("cron.create", &request(once.clone()));
    stage.pass(60.0);
    stage.check(&[r#"run "true""#]);
    let entries = stage.ask("cron.list", &json!({}));
    assert_eq!(entries["entries"][1]["stopped"], true);
    let past = stage.ask("cron.create", &request(once));
    assert_eq!(
        past,
        json!("EINVAL \"there is no such time in the future\"")
    );
}

#[test]
fn requests_are_refused() {
    let mut stage = Stage::new(&[]);
    let mut check = |topic: &str, request: Value, expect: &str| {
        assert_eq!(stage.ask(topic, &request), json!(expect), "{request}");
    };
    for key in ["type", "name", "command", "args"] {
        let mut request = interval(1.0);
        request.as_object_mut().unwrap().remove(key);
        check("cron.create", request, "EPROTO");
    }
    check(
        "cron.create",
        with(interval(1.0), "type", "yearly"),
        "ENOSYS",
    );
    check("cron.create", interval(0.0), "EPROTO");
    check("cron.create", with(interval(1.0), "repeat", -1), "EPROTO");
    check(
        "cron.create",
        with(interval(1.0), "command", "x".repeat(300_000)),
        "E2BIG",
    );
    let too_long = "EINVAL \"task-history-count: at most 1000\"";
    check(
        "cron.create",
        with(interval(1.0), "task-history-count", 1001),
        too_long,
    );
    for topic in ["cron.delete", "cron.stop", "cron.start"] {
        check(topic, json!({"id": 1}), "ENOENT");
    }
    check(
        "cron.sync",
        json!({"topic": ""}),
        "EINVAL \"sync topic must not be empty\"",
    );
}

#[test]
fn an_entry_is_stopped_and_started_once() {
    let mut stage = Stage::new(&[]);
    stage.ask("cron.create", &interval(1.0));
    assert_eq!(stage.ask("cron.start", &json!({"id": 1})), json!("EINVAL"));
    assert_eq!(stage.ask("cron.stop", &json!({"id": 1}))["stopped"], true);
    assert_eq!(stage.ask("cron.stop", &json!({"id": 1})), json!("EINVAL"));
    assert_eq!(stage.ask("cron.start", &json!({"id": 1}))["stopped"], false);
}

#[test]
fn there_are_not_more_entries_than_there_is_room_for() {
    let mut stage = Stage::new(&[]);
    for _ in 0..ENTRIES_MAX {
        assert!(stage.ask("cron.create", &interval(1.0)).is_object());
    }
    let full = json!("ENOSPC \"too many cron entries\"");
    assert_eq!(stage.ask("cron.create", &interval(1.0)), full);
    stage.ask("cron.delete", &json!({"id": 1}));
    assert_eq!(
        stage.ask("cron.create", &interval(1.0))["id"],
        ENTRIES_MAX + 1
    );
}
