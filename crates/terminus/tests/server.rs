//! The server of a user's own: when it comes, and when it goes. Tests of the job shell, which
//! has the same sessions, show their answers.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use node::probe::{Probe, line};
use node::{ChildEvent, ChildId, Input, Output, Sink, StdioFd};
use proto::{Errno, Refusal};
use terminus::Server;

/// A server, and its children.
struct Stage {
    probe: Probe<Server>,
    spawned: Vec<ChildId>,
}

impl Stage {
    fn start() -> Stage {
        let args = ["100-terminus", "100", "3", "/bin/zsh"];
        let probe = Probe::start((), &args, "{}").unwrap();
        let mut stage = Stage {
            probe,
            spawned: Vec::new(),
        };
        let add = r#"request service.add #1 {"service":"100-terminus"}"#;
        assert_eq!(stage.said(), [add]);
        stage
    }

    fn added(mut self, result: Result<&str, Refusal>) -> (Stage, Vec<String>) {
        self.probe.answer("service.add", 1, result);
        let said = self.said();
        (self, said)
    }

    fn said(&mut self) -> Vec<String> {
        let outputs = self.probe.outputs().into_iter();
        let said = outputs.map(|output| match output {
            Output::Send { message, .. } => line(&message),
            Output::Spawn { child, spawn } => {
                self.spawned.push(child);
                format!("spawn {} {:?}", spawn.argv.join(" "), spawn.env_add)
            }
            Output::Kill { signum, .. } => format!("kill {signum}"),
            Output::Log {
                to: Sink::Stderr,
                line,
            } => line,
            other => format!("{other:?}"),
        });
        said.collect()
    }

    fn new_session(&mut self, json: &str) -> Vec<String> {
        self.probe.request("100-terminus.new", json);
        self.said()
    }

    fn ends(&mut self, at: usize, status: i32) -> Vec<String> {
        let child = self.spawned[at];
        let eof = ChildEvent::Output {
            stream: StdioFd::Stdout,
            data: "".into(),
            eof: true,
        };
        for event in [ChildEvent::Exited { status }, eof] {
            self.probe.input(Input::Child { child, event });
        }
        self.said()
    }

    /// Exit code, if it has ended.
    fn is_over(&self) -> bool {
        self.probe.actor.cx.is_ending()
    }
}

#[test]
fn it_says_when_it_can_be_asked_and_why_not() {
    let (stage, said) = Stage::start().added(Ok(""));
    assert_eq!((said, stage.is_over()), (vec!["ready".to_owned()], false));
    let (stage, said) = Stage::start().added(Err(Refusal::bare(Errno::EEXIST)));
    assert_eq!(
        (said, stage.is_over()),
        (vec!["File exists".to_owned()], true)
    );
}

#[test]
fn without_a_session_it_goes() {
    let (mut stage, _) = Stage::start().added(Ok(""));
    stage.probe.pass(Duration::from_secs(10));
    assert!(stage.is_over());
}

#[test]
fn it_goes_with_its_last_session() {
    let (mut stage, _) = Stage::start().added(Ok(""));
    let made = stage.new_session("{}");
    let spawn = r#"spawn /bin/zsh [("FLUX_TERMINUS_SESSION", "0")]"#;
    let answer = r#"{"name":"zsh","pty_service":"100-terminus.0","id":0}"#;
    assert_eq!(
        made,
        [
            spawn.to_owned(),
            format!("response 100-terminus.new #1 {answer}")
        ]
    );
    stage.new_session(r#"{"cmd":["top"],"name":"load"}"#);
    stage.probe.pass(Duration::from_secs(10));
    stage.ends(0, 0);
    assert!(!stage.is_over(), "there is another one");
    stage.new_session(r#"{"cmd":["cat"]}"#);
    assert_eq!(stage.ends(1, 0), [""; 0]);
    stage.ends(2, 0);
    assert!(stage.is_over());
}

#[test]
fn all_sessions_are_killed_before_that_is_said() {
    let (mut stage, _) = Stage::start().added(Ok(""));
    stage.new_session("{}");
    stage.new_session("{}");
    stage.probe.request("100-terminus.kill-server", "{}");
    assert_eq!(stage.said(), ["kill 9", "kill 9"]);
    let refused = stage.new_session("{}");
    assert!(refused[0].contains("ENOSYS"), "{refused:?}");
    assert_eq!(stage.ends(0, 9), [""; 0]);
    assert_eq!(stage.ends(1, 9), ["response 100-terminus.kill-server #3"]);
    assert!(stage.is_over());
}

#[test]
fn a_program_that_cannot_be_started_ends_its_session() {
    let (mut stage, _) = Stage::start().added(Ok(""));
    stage.new_session(r#"{"cmd":["/no/such"]}"#);
    let child = stage.spawned[0];
    let event = ChildEvent::Failed {
        errno: Errno::ENOENT,
    };
    stage.probe.input(Input::Child { child, event });
    assert!(stage.is_over());
}

#[test]
fn a_session_that_is_waited_for_holds_its_terminal_until_then() {
    let (mut stage, _) = Stage::start().added(Ok("{}"));
    let said = stage.new_session(r#"{"cmd":["true"],"wait":true}"#);
    let pauses = said.iter().filter(|line| line.ends_with("paused=true"));
    assert_eq!(pauses.count(), 1, "{said:?}");
    stage
        .probe
        .stream("100-terminus.0", r#"{"type":"attach","mode":"wo"}"#);
    let resumed = stage.said();
    assert!(
        resumed.iter().any(|line| line.ends_with("paused=false")),
        "{resumed:?}"
    );
}
