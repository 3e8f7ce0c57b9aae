//! A launcher whose brokers are played by the test: its starts, answers and end.

use bytes::Bytes;
use node::{ChildEvent, ChildId};
use proto::Method;
use proto::start::{Kill, Run, Status, Wait};
use wire::Kind;

use super::*;
use crate::plan::{ExitMode, StartMode};

const US: u32 = 1000;
const CLIENT: PeerId = PeerId(7);

/// A launcher, and its messages since the last look.
struct Play {
    node: LauncherNode,
    now: Now,
    children: Vec<ChildId>,
}

impl Play {
    fn new(size: u32, change: impl FnOnce(&mut Plan)) -> Play {
        let mut plan = Plan {
            size,
            broker: vec!["flux-broker".to_owned()],
            hosts: Vec::new(),
            command: vec!["true".to_owned()],
            mapping: Some(format!("(vector,(0,1,{size}))")),
            uri: "local:///run/start".to_owned(),
            exit_mode: ExitMode::Any,
            exit_timeout: Some(Duration::from_secs(20)),
            start_mode: StartMode::All,
            verbose: false,
        };
        change(&mut plan);
        Play {
            node: LauncherNode::new(plan, US),
            now: Now::default(),
            children: Vec::new(),
        }
    }

    fn hand_in(&mut self, input: Input) -> Vec<String> {
        self.node.handle(self.now, input);
        let mut said = Vec::new();
        while let Some(output) = self.node.poll() {
            said.push(match output {
                Output::Spawn { child, spawn } => {
                    self.children.push(child);
                    format!("spawn {}", spawn.argv.join(" "))
                }
                Output::Kill { child, signum, .. } => format!("kill {} {signum}", self.rank(child)),
                Output::ChildChannel { child, data, .. } => {
                    let text = String::from_utf8_lossy(&data);
                    format!("pmi {} {}", self.rank(child), text.trim_end())
                }
                Output::Send { to, message } => shown(to, &message),
                Output::Log { line, .. } => line,
                Output::Exit { code } => format!("exit {code}"),
                other => format!("{other:?}"),
            });
        }
        said
    }

    fn rank(&self, child: ChildId) -> usize {
        self.children
            .iter()
            .position(|known| *known == child)
            .unwrap()
    }

    fn start(&mut self) -> Vec<String> {
        let said = self.hand_in(Input::Settled);
        for (pid, child) in (100..).zip(self.children.clone()) {
            let event = ChildEvent::Started { pid };
            self.hand_in(Input::Child { child, event });
        }
        said
    }

    fn exits(&mut self, rank: usize, status: i32) -> Vec<String> {
        let child = self.children[rank];
        let event = ChildEvent::Exited { status };
        self.hand_in(Input::Child { child, event })
    }

    fn ask<M: Method>(&mut self, request: &M) -> Vec<String> {
        let mut message = Message::request(M::TOPIC, 3);
        message.set_payload(proto::Payload::encode(request));
        let from = CLIENT;
        self.hand_in(Input::Message { from, message })
    }

    fn pmi(&mut self, rank: usize, text: &str) -> Vec<String> {
        let event = ChildEvent::Channel {
            name: "PMI_FD".to_owned(),
            data: Bytes::copy_from_slice(text.as_bytes()),
            eof: false,
        };
        let child = self.children[rank];
        self.hand_in(Input::Child { child, event })
    }
}

fn shown(to: PeerId, message: &Message) -> String {
    let Kind::Response { errnum, .. } = message.kind else {
        return format!("to {} {}", to.0, message.topic());
    };
    let payload = message
        .payload()
        .map(|payload| String::from_utf8_lossy(payload).into_owned());
    let payload = payload.unwrap_or_default();
    format!("to {}: {errnum} {}", to.0, payload.trim_end_matches('\0'))
}

#[test]
fn brokers_are_told_who_they_are_and_rank_0_what_to_run() {
    let mut play = Play::new(2, |plan| plan.hosts = vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(
        play.start(),
        [
            "spawn flux-broker --setattr=hostname=a true",
            "spawn flux-broker --setattr=hostname=b"
        ]
    );
    assert_eq!(
        play.pmi(1, "cmd=get kvsname=- key=PMI_process_mapping\n"),
        ["pmi 1 cmd=get_result rc=0 value=(vector,(0,1,2))"]
    );
    assert_eq!(play.pmi(0, "cmd=barrier_in\n"), [""; 0]);
    assert_eq!(play.pmi(1, "cmd=barrier_in\n").len(), 2);
}

#[test]
fn the_highest_exit_code_counts_and_the_first_end_begins_the_end() {
    let mut play = Play::new(2, |_| {});
    play.start();
    assert_eq!(
        play.exits(0, 3 << 8),
        ["flux-start: 0 (pid 100) exited with rc=3"]
    );
    assert_eq!(play.node.deadline(), Some(Duration::from_secs(20)));
    assert_eq!(play.exits(1, 0), ["exit 3"]);
}

#[test]
fn those_that_stay_are_killed_when_the_time_is_up() {
    let mut play = Play::new(3, |_| {});
    play.start();
    play.exits(0, 0);
    play.now.mono = Duration::from_secs(20);
    assert_eq!(
        play.hand_in(Input::Deadline),
        [
            "kill 1 9",
            "kill 2 9",
            "flux-start: Exit timeout: killed rank 1,2"
        ]
    );
    play.exits(1, 9);
    let last = play.exits(2, 9);
    assert_eq!(last.last().map(String::as_str), Some("exit 137"));
}

#[test]
fn in_leader_mode_rank_0_alone_counts() {
    let mut play = Play::new(2, |plan| plan.exit_mode = ExitMode::Leader);
    play.start();
    assert_eq!(play.exits(1, 9), ["flux-start: 1 (pid 101) Killed"]);
    assert_eq!(play.node.deadline(), None);
    assert_eq!(play.exits(0, 0), ["exit 0"]);
}

#[test]
fn programs_ask_kill_wait_and_start_again() {
    let mut play = Play::new(2, |plan| plan.exit_mode = ExitMode::Leader);
    play.start();
    assert_eq!(
        play.ask(&Status),
        [r#"to 7: 0 {"procs":[{"pid":100},{"pid":101}]}"#]
    );
    assert_eq!(play.ask(&Wait { rank: 1 }), [""; 0]);
    assert_eq!(play.ask(&Wait { rank: 1 }), ["to 7: 17 "]);
    assert_eq!(play.ask(&Run { rank: 1 }), ["to 7: 17 "]);
    assert_eq!(
        play.ask(&Kill { rank: 1, signum: 9 }),
        ["kill 1 9", "to 7: 0 "]
    );
    assert_eq!(play.exits(1, 9)[0], r#"to 7: 0 {"exit_rc":137}"#);
    assert_eq!(play.ask(&Wait { rank: 1 }), [r#"to 7: 0 {"exit_rc":137}"#]);
    assert_eq!(play.ask(&Kill { rank: 1, signum: 9 }), ["to 7: 0 "]);
    assert_eq!(
        play.ask(&Run { rank: 1 }),
        ["spawn flux-broker", "to 7: 0 "]
    );
    for rank in [-1, 2, 42] {
        assert_eq!(play.ask(&Run { rank }), ["to 7: 3 "]);
        assert_eq!(play.ask(&Wait { rank }), ["to 7: 3 "]);
        assert_eq!(play.ask(&Kill { rank, signum: 9 }), ["to 7: 3 "]);
    }
}

#[test]
fn others_wait_for_their_start_where_the_leader_is_first() {
    let mut play = Play::new(2, |plan| plan.start_mode = StartMode::Leader);
    assert_eq!(play.start(), ["spawn flux-broker true"]);
    assert_eq!(
        play.ask(&Status),
        [r#"to 7: 0 {"procs":[{"pid":100},{"pid":-1}]}"#]
    );
    assert_eq!(play.ask(&Run { rank: 1 })[0], "spawn flux-broker");
}

#[test]
fn an_abort_ends_all() {
    let mut play = Play::new(2, |_| {});
    play.start();
    assert_eq!(
        play.pmi(1, "cmd=abort exitcode=1 error_msg=no way\n"),
        ["flux-start: 1: PMI_Abort(): no way", "kill 0 9", "kill 1 9"]
    );
}

#[test]
fn strangers_are_turned_away() {
    let mut play = Play::new(1, |_| {});
    play.start();
    let up = |uid| Input::PeerUp {
        peer: CLIENT,
        kind: PeerKind::Client {
            uid,
            gids: Vec::new(),
            pid: 1,
        },
    };
    assert!(play.hand_in(up(US))[0].starts_with("accept"));
    assert!(play.hand_in(up(US + 1))[0].starts_with("reject"));
}
