//! Following jobs whose task 0 has a terminal for us, and sessions of servers.

use client::Refusal;
use client::fake::{Act, answer, object_of, refuse};
use proto::Errno;
use serde_json::{Value, json};
use wire::Message;

use super::check_input;

fn event(name: &str, context: Value) -> String {
    let mut event = json!({ "timestamp": 10.0, "name": name });
    if !context.is_null() {
        event["context"] = context;
    }
    format!("{event}\n")
}

/// A job that runs, with a terminal that answers `attach` as `told` says. Its earlier output
/// comes before that, and its end when it is asked for input.
struct Job {
    told: fn(&Message) -> Vec<Act>,
    primary: Option<Message>,
    output: Option<Message>,
    is_captured: bool,
}

impl Job {
    fn handle(&mut self, request: &Message) -> Vec<Act> {
        let object = object_of(request);
        let lines = |lines: &[String]| -> Vec<Act> {
            let lines = lines.iter();
            lines
                .map(|line| answer(request, &json!({ "event": line })))
                .collect()
        };
        match (request.topic(), object["path"].as_str()) {
            ("job-info.eventlog-watch", Some("eventlog")) => {
                self.primary = Some(request.clone());
                lines(&[event("submit", json!({})), event("start", Value::Null)])
            }
            ("job-info.eventlog-watch", Some("guest.exec.eventlog")) => {
                let mut init = json!({"service": "100-shell-f2", "leader-rank": 0, "size": 1,
                    "pty": "terminus.0"});
                if self.is_captured {
                    init["capture"] = json!(1);
                }
                lines(&[event("shell.init", init)])
            }
            ("job-info.eventlog-watch", _) => {
                self.output = Some(request.clone());
                let count = json!({"stdout": 1, "stderr": 1});
                let header = json!({"version": 1, "encoding": {}, "count": count, "options": {}});
                lines(&[event("header", header)])
            }
            ("100-shell-f2.terminus.0", _) if object["type"] == "attach" => {
                assert_eq!(object["mode"], "rw");
                let mut acts = (self.told)(request);
                // Captured output.
                let shown = json!({"stream": "stdout", "rank": "0", "data": "captured\n"});
                let shown = json!({ "event": event("data", shown) });
                acts.splice(
                    1..1,
                    self.output.as_ref().map(|output| answer(output, &shown)),
                );
                acts
            }
            ("100-shell-f2.stdin", _) => self.end(request),
            _ => Vec::new(),
        }
    }

    /// The job ends with the end of its input.
    fn end(&mut self, request: &Message) -> Vec<Act> {
        let mut acts = vec![answer(request, &json!({}))];
        let status = json!({ "event": event("finish", json!({"status": 0})) });
        let end = |stream| json!({"stream": stream, "rank": "0", "eof": true});
        if let Some(output) = self.output.take() {
            for stream in ["stdout", "stderr"] {
                let end = json!({ "event": event("data", end(stream)) });
                acts.push(answer(&output, &end));
            }
        }
        acts.extend(self.primary.take().map(|primary| answer(&primary, &status)));
        acts
    }
}

fn check(line: &str, is_captured: bool, told: fn(&Message) -> Vec<Act>, expect: &str) {
    let mut job = Job {
        told,
        primary: None,
        output: None,
        is_captured,
    };
    check_input(line, "", move |request| job.handle(request), expect);
}

fn shows(request: &Message, status: i32) -> Vec<Act> {
    let exit = json!({"type": "exit", "message": "session exiting", "status": status});
    vec![
        answer(request, &json!({"type": "attach"})),
        answer(request, &json!({"type": "data", "data": "hi\r\n"})),
        answer(
            request,
            &json!({"type": "data", "data": "/w==", "encoding": "base64"}),
        ),
        answer(request, &exit),
        refuse(request, &Refusal::END),
    ]
}

#[test]
fn a_terminal_is_shown_to_its_end() {
    let end = "hi\r\n\u{fffd}[detached: session exiting]\n";
    let captured = "captured\n".to_owned() + end;
    check("job attach ƒ2", true, |request| shows(request, 0), end);
    check(
        "job attach ƒ2",
        false,
        |request| shows(request, 0),
        &captured,
    );
    let failed = format!("{end}-- code 1\n");
    check(
        "job attach ƒ2",
        true,
        |request| shows(request, 768),
        &failed,
    );
}

#[test]
fn a_terminal_that_is_gone_is_a_failure() {
    let gone = |request: &Message| {
        vec![
            answer(request, &json!({"type": "attach"})),
            refuse(request, &Refusal::bare(Errno::EHOSTUNREACH)),
        ]
    };
    let expect = "[detached: remote pty disappeared]\n-- code 1\n";
    check("job attach ƒ2", true, gone, expect);
}

#[test]
fn without_the_terminal_input_and_output_go_their_usual_ways() {
    let refused = |request: &Message| vec![refuse(request, &Refusal::bare(Errno::ENOSYS))];
    check("job attach ƒ2", true, refused, "captured\n");
}

#[test]
fn who_only_looks_on_has_no_terminal() {
    let expect = "-- stderr\nflux-job: Cannot connect to pty in readonly mode\n-- code 1\n";
    check("job attach -r ƒ2", true, |_| Vec::new(), expect);
}

#[test]
fn sessions_are_listed() {
    let list = |sessions: Value| {
        move |request: &Message| {
            assert_eq!(request.topic(), "me.list");
            let server = json!({"service": "me", "rank": 3, "ctime": 1_795_330_129.5});
            vec![answer(
                request,
                &json!({"sessions": sessions, "server": server}),
            )]
        }
    };
    let row = |id: u32, exited: bool| {
        json!({"id": id, "name": "task0", "clients": 0, "pid": 7, "exited": exited,
            "ctime": 1_795_330_130.0})
    };
    let head = "server at me running on rank 3 since Sun Nov 22 06:48:49 2026\n";
    let created = "(created Sun Nov 22 06:48:50 2026)";
    let check = |sessions: Value, expect: String| {
        check_input("terminus list -s me", "", list(sessions), &expect);
    };
    check(json!([]), format!("{head}no sessions\n"));
    check(
        json!([row(0, false)]),
        format!("{head}1 current session:\n0: [task0] 0 clients {created}\n"),
    );
    check(
        json!([row(0, false), row(2, true)]),
        format!(
            "{head}2 current sessions:\n0: [task0] 0 clients {created}\n\
             2: [task0] (exited) 0 clients {created}\n"
        ),
    );
}

#[test]
fn where_there_is_no_server_that_is_said() {
    let none = |request: &Message| vec![refuse(request, &Refusal::bare(Errno::ENOSYS))];
    for (line, expect) in [
        ("list", "no server running at me"),
        ("kill 0", "kill: no server running at me"),
        ("kill-server", "no server running at me"),
        ("attach 0", "Invalid session or server at me.0"),
    ] {
        let line = format!("terminus {line} -s me");
        let expect = format!("-- stderr\nflux-terminus: {expect}\n-- code 1\n");
        check_input(&line, "", none, &expect);
    }
}

#[test]
fn an_attached_session_ends_as_its_program_does() {
    let check = |status: i32, code: &str| {
        let session = move |request: &Message| match request.topic() {
            "me.4" => shows(request, status),
            _ => Vec::new(),
        };
        let expect = format!("hi\r\n\u{fffd}[detached: session exiting]\n{code}");
        check_input("terminus attach -s me 4", "", session, &expect);
    };
    check(0, "");
    check(768, "-- code 3\n");
    check(15, "-- code 143\n");
}
