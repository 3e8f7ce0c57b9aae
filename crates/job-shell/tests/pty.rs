//! Tasks on terminals, and the clients that are attached to them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps says what it expects"
)]

mod stage;

use node::{ChildEvent, StdioFd, WinSize};
use proto::Role;
use serde_json::{Value, json};
use stage::{Play, Stage};
use wire::{Flags, Identity, Message};

/// A job of `ntasks` tasks that runs, with this option `pty`.
fn running(ntasks: u64, pty: Value) -> Stage {
    Stage::running(Play {
        ntasks,
        options: json!({ "pty": pty }),
        ..Play::default()
    })
}

/// Messages to a client of this name, by its name and the payload.
fn ask(stage: &mut Stage, client: &str, payload: &Value) -> Vec<String> {
    ask_as(stage, client, 100, payload)
}

fn ask_as(stage: &mut Stage, client: &str, userid: u32, payload: &Value) -> Vec<String> {
    let mut message = Message::request("100-shell-fNH.terminus.0", 7);
    let text = format!("{payload}\0");
    message.set_payload(text.into_bytes().into());
    message.set_flag(Flags::STREAMING, payload["type"] == "attach");
    (message.userid, message.rolemask) = (userid, Role::USER);
    message.push_route(Identity::new(client).expect("a name that is short"));
    stage.probe.message(message);
    said(stage)
}

/// All that is said, with payloads.
fn said(stage: &mut Stage) -> Vec<String> {
    stage.probe.settle();
    let said = stage.probe.said().into_iter();
    let said = said.map(|line| line.replace("100-shell-fNH.terminus.0 #7", "0"));
    said.filter(|line| !line.starts_with("request ")).collect()
}

fn shows(stage: &mut Stage, text: &'static str, eof: bool) -> Vec<String> {
    let (child, _) = stage.spawned[0];
    let event = ChildEvent::Output {
        stream: StdioFd::Stdout,
        data: text.into(),
        eof,
    };
    stage.probe.input(node::Input::Child { child, event });
    said(stage)
}

fn exits(stage: &mut Stage, status: i32) -> Vec<String> {
    let (child, _) = stage.spawned[0];
    let event = ChildEvent::Exited { status };
    stage.probe.input(node::Input::Child { child, event });
    said(stage)
}

fn attach() -> Value {
    json!({"type": "attach", "mode": "rw", "winsize": {"rows": 30, "cols": 100}})
}

/// An interactive job to which `one` is attached.
fn attached() -> Stage {
    let mut stage = running(1, json!({"interactive": 1}));
    let seen = ask(&mut stage, "one", &attach());
    let child = stage.spawned[0].0;
    assert_eq!(
        seen,
        [
            format!("size {child:?} 30x100"),
            "response 0 {\"type\":\"attach\"}".to_owned(),
            format!("flow {child:?} paused=false"),
        ]
    );
    stage
}

#[test]
fn tasks_have_terminals_as_the_option_says() {
    let check = |pty: Value, expect: [bool; 3]| {
        let stage = running(3, pty.clone());
        let size = WinSize { rows: 25, cols: 80 };
        let found: Vec<bool> = stage
            .spawned
            .iter()
            .map(|(_, spawn)| spawn.terminal == Some(size))
            .collect();
        assert_eq!(found, expect, "{pty}");
    };
    check(Value::Null, [false; 3]);
    check(json!(1), [true; 3]);
    check(json!({"ranks": "1-2"}), [false, true, true]);
    check(json!({"ranks": 1}), [false, true, false]);
    check(json!({"ranks": "all"}), [true; 3]);
    check(json!({"interactive": 1}), [true, false, false]);
    check(json!({"interactive": 1, "ranks": "2"}), [true, false, true]);
}

#[test]
fn what_is_shown_is_standard_output_if_it_is_captured() {
    for (pty, expect) in [
        (
            json!(1),
            &[
                r#"data {"stream":"stdout","rank":"0","data":"hi\r\n"}"#,
                r#"data {"stream":"stdout","rank":"0","eof":true}"#,
                r#"data {"stream":"stderr","rank":"0","eof":true}"#,
            ][..],
        ),
        (
            json!({"capture": 0}),
            &[
                r#"data {"stream":"stdout","rank":"0","eof":true}"#,
                r#"data {"stream":"stderr","rank":"0","eof":true}"#,
            ],
        ),
    ] {
        let mut stage = running(1, pty);
        stage.writes(0, StdioFd::Stdout, "hi\r\n");
        let eof = ChildEvent::Output {
            stream: StdioFd::Stdout,
            data: "".into(),
            eof: true,
        };
        stage.child(0, eof);
        let seen = stage.child(0, ChildEvent::Exited { status: 0 });
        assert_eq!(seen.last().map(String::as_str), Some("exit 0"), "{seen:?}");
        assert_eq!(stage.output(), expect);
    }
}

#[test]
fn the_log_names_the_session_of_an_interactive_job() {
    for (pty, expect) in [
        (json!({"interactive": 1}), r#","pty":"terminus.0"}"#),
        (
            json!({"interactive": 1, "capture": 1}),
            r#","pty":"terminus.0","capture":1}"#,
        ),
        (json!(1), r#""size":1}"#),
    ] {
        let mut stage = running(1, pty);
        stage.ends(0, 0);
        let log = stage.log("exec.eventlog");
        assert!(log[0].ends_with(expect), "{log:?}");
    }
}

#[test]
fn an_interactive_job_waits_for_its_first_client_and_ends_with_what_it_shows() {
    let mut stage = running(1, json!({"interactive": 1}));
    assert_eq!(exits(&mut stage, 768), [""; 0], "nothing was read yet");
    let seen = ask(&mut stage, "one", &attach());
    assert_eq!(seen[1], r#"response 0 {"type":"attach"}"#);
    let shown = shows(&mut stage, "hi\r\n", false);
    assert_eq!(shown, [r#"response 0 {"type":"data","data":"hi\r\n"}"#]);
    let ended = shows(&mut stage, "", true);
    let exit = r#"response 0 {"type":"exit","message":"session exiting","status":768}"#;
    assert_eq!(ended, [exit, "response 0 ENODATA"]);
}

#[test]
fn a_signal_ends_the_wait_for_a_client() {
    let mut stage = running(1, json!({"interactive": 1}));
    let kill = |signum: i64| json!({ "signum": signum });
    let seen = stage.event("shell-1234.kill", &kill(28));
    assert_eq!(seen, ["kill 0 28"]);
    let seen = stage.event("shell-1234.kill", &kill(15));
    assert_eq!(seen, ["kill 0 15", "flow 0 paused=false"]);
}

#[test]
fn clients_type_resize_and_leave() {
    let mut stage = attached();
    let child = stage.spawned[0].0;
    let data = json!({"type": "data", "data": "ls\r"});
    let typed = ask(&mut stage, "one", &data);
    assert_eq!(
        typed,
        [
            format!("input {child:?} 3 bytes eof=false"),
            "response 0".into()
        ]
    );
    let data = json!({"type": "data", "data": "/w==", "encoding": "base64"});
    let typed = ask(&mut stage, "one", &data);
    assert_eq!(
        typed,
        [
            format!("input {child:?} 1 bytes eof=false"),
            "response 0".into()
        ]
    );
    let alive = json!({"type": "data", "data": ""});
    assert_eq!(ask(&mut stage, "one", &alive), ["response 0"]);
    let resize = json!({"type": "resize", "winsize": {"rows": 10, "cols": 20}});
    let resized = ask(&mut stage, "one", &resize);
    assert_eq!(
        resized,
        [format!("size {child:?} 10x20"), "response 0".into()]
    );
    let seen = ask(&mut stage, "one", &json!({"type": "detach"}));
    let exit = r#"response 0 {"type":"exit","message":"Client requested detach","status":0}"#;
    assert_eq!(seen, [exit, "response 0 ENODATA", "response 0"]);
    assert_eq!(shows(&mut stage, "more", false), [""; 0]);
    let again = ask(&mut stage, "one", &attach());
    assert_eq!(again[1], r#"response 0 {"type":"attach"}"#);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |client: &str, payload: Value, expect: &str| {
        let mut stage = attached();
        let seen = ask(&mut stage, client, &payload);
        assert_eq!(seen, [expect], "{payload}");
    };
    check("one", attach(), "response 0 EEXIST");
    check(
        "two",
        json!({"type": "data", "data": "x"}),
        "response 0 ENOENT",
    );
    check("two", json!({"type": "detach"}), "response 0 ENOENT");
    check("one", json!({"type": "foo"}), "response 0 ENOSYS");
    check("one", json!({"data": "foo"}), "response 0 EPROTO");
    check("one", json!({"type": "data"}), "response 0 EPROTO");
    check(
        "two",
        json!({"type": "attach", "mode": "x"}),
        "response 0 EPROTO",
    );
    check(
        "two",
        json!({"type": "attach", "mode": "rw"}),
        "response 0 EPROTO",
    );
    let size = json!({"rows": 0, "cols": 1});
    let resize = json!({"type": "resize", "winsize": size});
    check("one", resize, "response 0 EINVAL");
    let attach = json!({"type": "attach", "mode": "rw", "winsize": size});
    check("two", attach, "response 0 EINVAL");
    let mut stage = attached();
    let seen = ask_as(&mut stage, "two", 101, &json!({"type": "detach"}));
    assert_eq!(seen, ["response 0 EPERM"]);
}

#[test]
fn a_session_that_there_is_not_is_no_method() {
    let mut stage = attached();
    let seen = stage.request("terminus.7", &json!({"type": "detach"}));
    assert_eq!(seen, ["7: ENOSYS Unknown service method"]);
    let seen = stage.request("terminus.x", &json!({"type": "detach"}));
    let refused = "x: ENOSYS Unknown service method '100-shell-fNH.terminus.x'";
    assert_eq!(seen, [refused]);
}

#[test]
fn what_cannot_be_done_is_in_the_log() {
    let mut stage = running(1, json!({"interactive": 1}));
    stage.stream("terminus.0", &attach());
    stage.request("terminus.0", &json!({"type": "foo"}));
    let resize = json!({"type": "resize", "winsize": {"rows": 0, "cols": 1}});
    stage.request("terminus.0", &resize);
    stage.ends(0, 0);
    let output = stage.output();
    for text in ["unhandled message type=foo", "bad resize: row=0, col=1"] {
        let line = format!(r#"log {{"level":3,"message":"{text}","rank":0,"component":"pty"}}"#);
        assert!(output.contains(&line), "{output:?}");
    }
}

#[test]
fn a_client_that_goes_away_is_not_told_of_and_the_task_runs_on() {
    let mut stage = attached();
    let mut gone = Message::request("100-shell-fNH.terminus.disconnect", 0);
    (gone.userid, gone.rolemask) = (100, Role::USER);
    assert_eq!(stage.message(gone, "one"), [""; 0]);
    assert_eq!(shows(&mut stage, "x", false), [""; 0]);
    let again = ask(&mut stage, "two", &attach());
    assert_eq!(again[1], r#"response 0 {"type":"attach"}"#);
}

#[test]
fn who_watches_does_not_type_and_who_types_is_not_shown() {
    let mut stage = attached();
    ask(&mut stage, "ro", &json!({"type": "attach", "mode": "ro"}));
    ask(&mut stage, "wo", &json!({"type": "attach", "mode": "wo"}));
    let data = json!({"type": "data", "data": "x"});
    let refused = "response 0 EPERM \"attached in read-only mode\"";
    assert_eq!(ask(&mut stage, "ro", &data), [refused]);
    assert_eq!(ask(&mut stage, "wo", &data).len(), 2);
    let shown = shows(&mut stage, "x", false);
    assert_eq!(shown.len(), 2, "{shown:?}");
}

#[test]
fn a_client_that_does_not_read_holds_the_terminal_up_and_is_detached() {
    let piece: &'static str = Box::leak("x".repeat(64 * 1024).into_boxed_str());
    let fill = |stage: &mut Stage| {
        for _ in 0..63 {
            assert_eq!(shows(stage, piece, false).len(), 1);
        }
        let seen = shows(stage, piece, false);
        let child = stage.spawned[0].0;
        assert_eq!(seen[1..], [format!("flow {child:?} paused=true")]);
    };
    let mut stage = attached();
    let child = stage.spawned[0].0;
    fill(&mut stage);
    // It speaks.
    let alive = json!({"type": "data", "data": ""});
    let seen = ask(&mut stage, "one", &alive);
    assert_eq!(
        seen,
        [
            "response 0".to_owned(),
            format!("flow {child:?} paused=false")
        ]
    );
    stage.pass(10.0);
    fill(&mut stage);
    stage.probe.pass(std::time::Duration::from_secs(10));
    let exit = r#"response 0 {"type":"exit","message":"client does not read","status":0}"#;
    let goes_on = format!("flow {child:?} paused=false");
    assert_eq!(said(&mut stage), [exit, "response 0 ENODATA", &goes_on]);
}

#[test]
fn what_a_terminal_does_not_read_is_bounded() {
    let mut stage = attached();
    let data = |bytes: usize| json!({"type": "data", "data": "x".repeat(bytes)});
    assert_eq!(ask(&mut stage, "one", &data(64 << 10)).len(), 2, "answered");
    assert_eq!(
        ask(&mut stage, "one", &data(1)).len(),
        1,
        "the answer waits"
    );
    let full = "response 0 EAGAIN \"the terminal does not read its input\"";
    assert_eq!(ask(&mut stage, "one", &data(1 << 20)), [full]);
    assert_eq!(stage.reads(0, 1, false), ["0: ok"]);
}

#[test]
fn input_of_the_job_ends_with_a_key() {
    let mut stage = running(2, json!({"ranks": "0"}));
    let send = |data: Value| {
        let mut data = data;
        data["stream"] = json!("stdin");
        data
    };
    let seen = stage.request("stdin", &send(json!({"rank": "0", "data": "a\n"})));
    assert_eq!(seen[0], r#"input 0 "a\n""#);
    let seen = stage.request("stdin", &send(json!({"rank": "all", "eof": true})));
    assert_eq!(seen[..2], [r#"input 0 "\u{4}""#, r#"input 1 "" eof"#]);
    let mut stage = running(1, json!(1));
    stage.request("stdin", &send(json!({"rank": "0", "data": "a"})));
    let seen = stage.request("stdin", &send(json!({"rank": "0", "eof": true})));
    assert_eq!(seen[0], r#"input 0 "\u{4}\u{4}""#);
}

#[test]
fn sessions_are_asked_for_listed_and_ended() {
    let mut stage = running(1, json!({"interactive": 1}));
    let new = json!({"cmd": ["/bin/top", "-b"], "environ": {"A": "1"}, "cwd": "/x"});
    assert_eq!(
        stage.request("terminus.new", &new),
        ["spawn /bin/top -b", "new: ok"]
    );
    let (_, spawn) = &stage.spawned[1];
    assert_eq!(
        spawn.env_add,
        [("FLUX_TERMINUS_SESSION".to_owned(), "1".to_owned())]
    );
    assert_eq!(spawn.cwd.as_deref(), Some("/x"));
    stage.child(1, ChildEvent::Started { pid: 300 });
    stage.probe.request("100-shell-fNH.terminus.list", "{}");
    let list = said(&mut stage).pop().unwrap();
    let (_, list) = list.split_once("{").unwrap();
    let list: Value = serde_json::from_str(&format!("{{{list}")).unwrap();
    let rows: Vec<String> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let [id, name, clients, pid] = ["id", "name", "clients", "pid"].map(|key| &row[key]);
            format!("{id} {name} {clients} {pid}")
        })
        .collect();
    assert_eq!(rows, [r#"0 "task0" 0 100"#, r#"1 "top" 0 300"#]);
    assert_eq!(list["server"]["service"], "100-shell-fNH.terminus");
    let kill = json!({"id": 1, "signal": 9, "wait": true});
    assert_eq!(stage.request("terminus.kill", &kill), ["kill 1 9"]);
    assert_eq!(stage.ends(1, 9), ["kill: ok"]);
    let unknown = json!({"id": 1, "signal": 9});
    assert_eq!(stage.request("terminus.kill", &unknown), ["kill: ENOENT"]);
    let seen = stage.request_by_stranger("terminus.kill", &unknown);
    assert_eq!(seen, ["kill: EPERM"]);
    // The requested session ends with the tasks, and the shell after it.
    stage.request("terminus.new", &new);
    let seen = stage.ends(0, 0);
    assert_eq!(seen, ["kill 2 9"]);
    assert_eq!(
        stage.request("terminus.new", &new)[0],
        "new: ENOSYS terminal server is shutting down"
    );
    let seen = stage.ends(2, 9);
    assert_eq!(seen.last().map(String::as_str), Some("exit 0"));
}
