//! Conversations with the subprocess server. Lines that begin with `>` are events; below
//! each stands everything that follows from it: to children, then to clients.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{ChildEvent, ChildId, Input, PeerId, StdioFd};
use rexec::limits::{INPUT_BYTES, PROCESSES_OF_CLIENT_MAX};
use serde_json::{Value, json};
use wire::{Errno, Flags, Message};

use crate::probe::{OWNER, Probe, json, outcome};

struct Play {
    probe: Probe,
    clients: BTreeMap<&'static str, PeerId>,
    last_tag: u32,
    children: Vec<ChildId>,
}

impl Play {
    fn new() -> Play {
        let mut probe = Probe::start(&[]);
        let names = [("a", OWNER), ("b", OWNER), ("guest", 65_534)];
        let clients = names.map(|(name, uid)| (name, probe.client(uid)));
        Play {
            probe,
            clients: clients.into(),
            last_tag: 0,
            children: Vec::new(),
        }
    }

    fn request(&mut self, who: &str, topic: &str, flags: u8, payload: &Value) {
        self.last_tag += 1;
        let mut message = Message::request(topic, self.last_tag);
        message.set_flag(flags, true);
        message.set_payload(json(&payload.to_string()));
        self.probe.say(self.clients[who], message);
    }

    fn child(&mut self, number: &str, event: ChildEvent) {
        let child = self.children[number.parse::<usize>().unwrap() - 1];
        self.probe.deliver(Input::Child { child, event });
    }

    fn exec(&mut self, who: &str, stream: u8, flags: &str, words: &[&str]) {
        let (label, words): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| word.starts_with("label="));
        let (room, words): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| word.starts_with("room="));
        let mut cmd = json!({"cmdline": words, "env": {"A": "b"}, "opts": {}, "channels": []});
        if let Some(label) = label.first() {
            cmd["label"] = json!(&label[6..]);
        }
        let flags: u32 = flags.parse().unwrap();
        let mut request = json!({"cmd": cmd, "flags": flags});
        if let Some(room) = room.first() {
            request["output_credit"] = json!(room[5..].parse::<u64>().unwrap());
        }
        self.request(who, "rexec.exec", stream, &request);
    }

    fn step(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = |data: &str, stream: &str, eof| ChildEvent::Output {
            stream: match stream {
                "stderr" => StdioFd::Stderr,
                _ => StdioFd::Stdout,
            },
            data: data.to_owned().into(),
            eof,
        };
        match words.as_slice() {
            ["exec", who, flags, words @ ..] => self.exec(who, Flags::STREAMING, flags, words),
            ["bg", who, flags, words @ ..] => self.exec(who, 0, flags, words),
            ["attach", who, rest @ ..] => {
                let payload = serde_json::from_str(&rest.concat()).unwrap();
                self.request(who, "rexec.attach", Flags::STREAMING, &payload);
            }
            ["ask", who, topic, rest @ ..] => {
                let payload = serde_json::from_str(&rest.concat()).unwrap();
                self.request(who, topic, 0, &payload);
            }
            ["write", who, tag, n] => {
                let data = "x".repeat(n.parse().unwrap());
                let io = json!({"stream": "stdin", "rank": "0", "data": data});
                let tag: u32 = tag.parse().unwrap();
                let payload = json!({"matchtag": tag, "io": io});
                self.request(who, "rexec.write", Flags::NORESPONSE, &payload);
            }
            ["room", who, tag, n] => {
                let (tag, bytes): (u32, u64) = (tag.parse().unwrap(), n.parse().unwrap());
                let payload = json!({"matchtag": tag, "bytes": bytes});
                self.request(who, "rexec.credit", Flags::NORESPONSE, &payload);
            }
            ["started", n, pid] => {
                let pid = pid.parse().unwrap();
                self.child(n, ChildEvent::Started { pid });
            }
            ["failed", n] => {
                let errno = Errno::EACCES;
                self.child(n, ChildEvent::Failed { errno });
            }
            ["wrote", n, stream, data] => self.child(n, output(data, stream, false)),
            ["closed", n, stream] => self.child(n, output("", stream, true)),
            ["taken", n, bytes] => {
                let (bytes, closed) = (bytes.parse().unwrap(), false);
                self.child(n, ChildEvent::InputTaken { bytes, closed });
            }
            ["stopped", n] => self.child(n, ChildEvent::Stopped),
            ["exited", n, status] => {
                let status = status.parse().unwrap();
                self.child(n, ChildEvent::Exited { status });
            }
            [state @ ("behind" | "ahead"), who] => {
                let (peer, is_behind) = (self.clients[who], *state == "behind");
                self.probe.deliver(Input::PeerFlow { peer, is_behind });
            }
            ["leaves", who] => {
                let peer = self.clients[who];
                self.probe.deliver(Input::PeerDown { peer });
            }
            ["shutdown"] => self.probe.deliver(Input::Signal(15)),
            ["pass", seconds] => {
                let seconds = seconds.parse().unwrap();
                self.probe.pass(Duration::from_secs(seconds));
            }
            _ => panic!("no step: {line}"),
        }
    }

    /// Effects since the last call.
    fn effects(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for (child, text) in std::mem::take(&mut self.probe.to_children) {
            if text.starts_with("spawn") {
                self.children.push(child);
            }
            let number = self.children.iter().position(|known| *known == child);
            lines.push(format!("{}: {text}", number.map_or(0, |at| at + 1)));
        }
        for (name, peer) in self.clients.clone() {
            while let Some(message) = self.probe.heard(peer) {
                let tag = message.matchtag();
                let said = match outcome(&message) {
                    (0, _) => {
                        let payload = message.payload().map_or(&b""[..], |bytes| bytes);
                        String::from_utf8_lossy(payload).replace('\0', "")
                    }
                    (errnum, text) => format!("{:?} {text}", Errno(errnum)),
                };
                lines.push(format!("{name} {tag}: {}", said.trim()).trim().to_owned());
            }
        }
        lines
    }
}

/// Plays a conversation and compares all that follows.
fn check(script: &str) {
    let mut play = Play::new();
    let script: Vec<&str> = script.lines().map(str::trim).collect();
    let script: Vec<&str> = script.into_iter().filter(|line| !line.is_empty()).collect();
    let mut played = Vec::new();
    for line in &script {
        if let Some(step) = line.strip_prefix("> ") {
            played.push((*line).to_owned());
            play.step(step);
            played.extend(play.effects());
        }
    }
    assert_eq!(played.join("\n"), script.join("\n"));
}

#[test]
fn a_stream_tells_all_of_a_process_and_ends_when_both_streams_have() {
    check(
        r#"
        > exec a 11 cat
        1: spawn cat
        > started 1 42
        a 1: {"type":"started","pid":42}
        a 1: {"type":"add-credit","channels":{"stdin":4194304}}
        > write a 1 5
        1: input 5 bytes eof=false
        > taken 1 5
        a 1: {"type":"add-credit","channels":{"stdin":5}}
        > wrote 1 stdout hi
        a 1: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","data":"hi"}}
        > stopped 1
        a 1: {"type":"stopped"}
        > closed 1 stderr
        a 1: {"type":"output","pid":42,"io":{"stream":"stderr","rank":"0","eof":true}}
        > exited 1 256
        a 1: {"type":"finished","status":256}
        > wrote 1 stdout late
        a 1: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","data":"late"}}
        > closed 1 stdout
        a 1: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","eof":true}}
        a 1: ENODATA
        > write a 1 5
        "#,
    );
}

#[test]
fn a_command_that_cannot_be_run_is_refused() {
    check(
        "
        > exec a 3 nosuch
        1: spawn nosuch
        > failed 1
        a 1: EACCES error launching process: Permission denied
        > bg a 0 nosuch
        2: spawn nosuch
        > failed 2
        a 2: EACCES error launching process: Permission denied
        > exec a 16 true
        a 3: EINVAL waitable flag only supported in background mode
        > exec a 3
        a 4: EPROTO command string is empty
        > exec guest 3 true
        guest 5: EPERM Request requires owner credentials
        > exec a 0 true label=
        a 6: EINVAL command label is empty
        > exec a 0 true label=x
        3: spawn true
        > bg b 0 true label=x
        b 8: EEXIST command label is not unique
        ",
    );
}

#[test]
fn input_beyond_the_credit_is_dropped() {
    let credit = usize::try_from(INPUT_BYTES).unwrap();
    check(&format!(
        r#"
        > exec a 0 cat
        1: spawn cat
        > started 1 42
        a 1: {{"type":"started","pid":42}}
        > write a 1 {credit}
        1: input {credit} bytes eof=false
        > write a 1 1
        1: input 0 bytes eof=false
        > taken 1 7
        > write a 1 7
        1: input 7 bytes eof=false
        > write b 1 1
        > write a 9 1
        "#
    ));
}

#[test]
fn a_client_that_leaves_takes_its_processes_with_it() {
    check(
        r#"
        > exec a 3 sleep
        1: spawn sleep
        > bg a 0 daemon
        2: spawn daemon
        > started 1 42
        a 1: {"type":"started","pid":42}
        > started 2 43
        a 2: {"type":"started","pid":43}
        > leaves a
        1: kill group 9
        > exited 1 9
        > ask b rexec.list {}
        b 3: {"rank":0,"procs":[{"pid":43,"cmd":"daemon","label":"","state":"R"}]}
        "#,
    );
}

#[test]
fn a_client_that_does_not_read_makes_its_processes_wait() {
    check(
        r#"
        > exec a 3 yes
        1: spawn yes
        > behind a
        1: paused=true
        > exec a 3 no
        2: spawn no
        2: paused=true
        > exec b 3 yes
        3: spawn yes
        > ahead a
        1: paused=false
        2: paused=false
        "#,
    );
}

#[test]
fn a_client_that_counts_gets_no_more_than_it_has_room_for() {
    check(
        r#"
        > exec a 3 yes room=4
        1: spawn yes
        > started 1 42
        a 1: {"type":"started","pid":42}
        > wrote 1 stdout abc
        a 1: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","data":"abc"}}
        > wrote 1 stderr de
        1: paused=true
        a 1: {"type":"output","pid":42,"io":{"stream":"stderr","rank":"0","data":"de"}}
        > room b 1 9
        > room a 7 9
        > room a 1 1
        > behind a
        > room a 1 9
        > ahead a
        1: paused=false
        > wrote 1 stdout 123456789
        1: paused=true
        a 1: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","data":"123456789"}}
        > exited 1 0
        a 1: {"type":"finished","status":0}
        > leaves a
        1: paused=false
        1: kill group 9
        "#,
    );
}

#[test]
fn who_attaches_has_room_of_its_own() {
    check(
        r#"
        > bg a 0 daemon
        1: spawn daemon
        > started 1 42
        a 1: {"type":"started","pid":42}
        > attach b {"pid":42,"flags":3,"output_credit":1}
        b 2: {"type":"attached","pid":42,"cmd":{"cmdline":["daemon"],"env":{"A":"b","FLUX_URI":"local:///nowhere"},"opts":{},"channels":[]}}
        > wrote 1 stdout ab
        1: paused=true
        b 2: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","data":"ab"}}
        > room b 2 5
        1: paused=false
        "#,
    );
}

#[test]
fn a_signal_reaches_the_group_by_number_or_label() {
    check(
        r#"
        > bg a 0 sleep label=x
        1: spawn sleep
        > started 1 42
        a 1: {"type":"started","pid":42}
        > ask b rexec.kill {"pid":42,"signum":15}
        1: kill group 15
        b 2:
        > ask b rexec.kill {"pid":-1,"label":"x","signum":9}
        1: kill group 9
        b 3:
        > ask b rexec.kill {"pid":43,"signum":15}
        b 4: ESRCH pid 43 does not belong to any subprocess
        > ask b rexec.kill {"pid":-1,"label":"y","signum":15}
        b 5: ESRCH label y does not belong to any subprocess
        > ask b rexec.kill {"pid":42,"signum":99}
        b 6: EINVAL invalid signal number
        "#,
    );
}

#[test]
fn the_end_of_a_waitable_process_is_told_once() {
    check(
        r#"
        > bg a 16 sh label=x
        1: spawn sh
        > started 1 42
        a 1: {"type":"started","pid":42}
        > wrote 1 stderr no
        > exited 1 256
        > closed 1 stdout
        > closed 1 stderr
        > ask b rexec.list {}
        b 2: {"rank":0,"procs":[{"pid":42,"cmd":"sh","label":"x","state":"Z"}]}
        > ask b rexec.kill {"pid":42,"signum":15}
        b 3: ESRCH pid 42 does not belong to any subprocess
        > ask b rexec.wait {"pid":-1,"label":"x"}
        b 4: {"status":256,"output":[{"stream":"stderr","rank":"0","data":"no"}]}
        > ask b rexec.wait {"pid":42}
        b 5: ESRCH pid 42 does not belong to any subprocess
        "#,
    );
}

#[test]
fn who_waits_is_told_when_the_last_output_is_there() {
    check(
        r#"
        > bg a 16 sh
        1: spawn sh
        > started 1 42
        a 1: {"type":"started","pid":42}
        > ask a rexec.wait {"pid":42}
        > ask b rexec.wait {"pid":42}
        b 3: EINVAL process is already being waited on
        > leaves a
        > ask b rexec.wait {"pid":42}
        > exited 1 0
        > closed 1 stdout
        > closed 1 stderr
        b 4: {"status":0}
        > ask b rexec.wait {"pid":42}
        b 5: ESRCH pid 42 does not belong to any subprocess
        "#,
    );
}

#[test]
fn streams_of_a_background_process_are_handed_over_and_given_back() {
    check(
        r#"
        > bg a 0 sh label=x
        1: spawn sh
        > started 1 42
        a 1: {"type":"started","pid":42}
        > wrote 1 stdout early
        > closed 1 stderr
        > ask b rexec.attach {"pid":42,"flags":3}
        b 2: EPROTO attach request is missing STREAMING flag
        > attach b {"pid":43,"flags":3}
        b 3: ENOENT pid 43 does not belong to any subprocess
        > attach b {"pid":42,"flags":3}
        b 4: {"type":"attached","pid":42,"cmd":{"cmdline":["sh"],"env":{"A":"b","FLUX_URI":"local:///nowhere"},"opts":{},"channels":[],"label":"x"}}
        b 4: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","data":"early"}}
        b 4: {"type":"output","pid":42,"io":{"stream":"stderr","rank":"0","eof":true}}
        > attach a {"pid":42,"flags":3}
        a 5: EBUSY process already has a client attached
        > leaves b
        > attach a {"pid":-1,"label":"x","flags":1}
        a 6: {"type":"attached","pid":42,"cmd":{"cmdline":["sh"],"env":{"A":"b","FLUX_URI":"local:///nowhere"},"opts":{},"channels":[],"label":"x"}}
        > exited 1 0
        a 6: {"type":"finished","status":0}
        > closed 1 stdout
        a 6: {"type":"output","pid":42,"io":{"stream":"stdout","rank":"0","eof":true}}
        a 6: ENODATA
        > attach a {"pid":42,"flags":3}
        a 7: ENOENT pid 42 does not belong to any subprocess
        "#,
    );
}

#[test]
fn an_attach_reaps_what_has_ended() {
    check(
        r#"
        > bg a 16 true
        1: spawn true
        > started 1 42
        a 1: {"type":"started","pid":42}
        > exec a 0 true
        2: spawn true
        > started 2 43
        a 2: {"type":"started","pid":43}
        > attach b {"pid":43,"flags":3}
        b 3: EBUSY process is not in background mode
        > closed 1 stdout
        > closed 1 stderr
        > exited 1 0
        > attach b {"pid":42,"flags":0}
        b 4: {"type":"attached","pid":42,"cmd":{"cmdline":["true"],"env":{"A":"b","FLUX_URI":"local:///nowhere"},"opts":{},"channels":[]}}
        b 4: {"type":"finished","status":0}
        b 4: ENODATA
        > ask b rexec.wait {"pid":42}
        b 5: ESRCH pid 42 does not belong to any subprocess
        "#,
    );
}

#[test]
fn the_end_of_the_broker_is_the_end_of_its_processes() {
    check(
        r#"
        > exec a 0 sleep
        1: spawn sleep
        > started 1 42
        a 1: {"type":"started","pid":42}
        > bg a 0 stubborn
        2: spawn stubborn
        > started 2 43
        a 2: {"type":"started","pid":43}
        > shutdown
        > pass 1
        > pass 1
        1: kill group 15
        2: kill group 15
        > exec a 0 true
        a 3: ENOSYS subprocess server is shutting down
        > exited 1 15
        a 1: {"type":"finished","status":15}
        a 1: ENODATA
        > pass 5
        2: kill group 9
        > exited 2 9
        2: kill group 9
        "#,
    );
}

#[test]
fn one_client_has_not_all_processes() {
    let mut play = Play::new();
    for _ in 0..PROCESSES_OF_CLIENT_MAX {
        play.step("exec a 0 true");
    }
    play.effects();
    play.step("exec a 0 true");
    let text = format!("a {}: ENOBUFS too many subprocesses", play.last_tag);
    assert_eq!(play.effects(), [text]);
    play.step("exec b 0 true");
    assert_eq!(play.effects().len(), 1);
}
