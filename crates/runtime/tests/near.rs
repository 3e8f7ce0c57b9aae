//! Links between brokers of one host: loops that are linked as brokers are, and the
//! messages of their nodes to each other.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, like tests, may unwrap"
)]

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use node::{Input, Node, Now, Output, PeerId, PeerKind};
use runtime::link::{Curve, Tcp};
use runtime::{Overlay, Reactor};
use tempfile::TempDir;
use wire::{Kind, Message};

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends one message to its parent, reports the messages that it receives, and obeys
/// topics: `echo` sends the message back as an event, `flood` many long ones, `end` ends
/// the loop.
struct Talker {
    says: Vec<&'static str>,
    heard: Sender<String>,
    outputs: VecDeque<Output>,
}

impl Talker {
    fn hear(&self, line: String) {
        // A test that has seen enough does not listen any more.
        let _ = self.heard.send(line);
    }

    fn answer(&mut self, to: PeerId, request: &Message) {
        let mut message = Message::event("answer");
        match request.topic() {
            "echo" => message.set_payload(request.payload().cloned().unwrap_or_default()),
            "flood" => message.set_payload(Bytes::from(vec![0; 32 << 20])),
            "end" => return self.outputs.push_back(Output::Exit { code: 0 }),
            _ => return,
        }
        let times = if request.topic() == "flood" { 9 } else { 1 };
        for _ in 0..times {
            let message = message.clone();
            self.outputs.push_back(Output::Send { to, message });
        }
    }
}

impl Node for Talker {
    fn handle(&mut self, _now: Now, input: Input) {
        match input {
            Input::PeerUp { kind, .. } => match kind {
                PeerKind::Parent => {
                    for topic in std::mem::take(&mut self.says) {
                        let mut message = Message::request(topic, 1);
                        message.set_payload(Bytes::from_static(b"word"));
                        let to = PeerId::PARENT;
                        self.outputs.push_back(Output::Send { to, message });
                    }
                }
                PeerKind::Child { identity, key } => self.hear(format!("{identity} has {key}")),
                _ => {}
            },
            Input::PeerDown { .. } => self.hear("gone".to_owned()),
            Input::Message { from, message } => {
                let length = message.payload().map_or(0, |payload| payload.len());
                self.hear(format!("{} {length}", message.topic()));
                if let Kind::Request { .. } = message.kind {
                    self.answer(from, &message);
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// A loop on a thread of its own.
struct Broker {
    heard: Receiver<String>,
    thread: JoinHandle<i32>,
}

impl Broker {
    fn start(overlay: Overlay, says: &[&'static str]) -> Broker {
        let (sender, heard) = channel();
        let talker = Talker {
            says: says.to_vec(),
            heard: sender,
            outputs: VecDeque::new(),
        };
        let thread = thread::spawn(move || {
            let mut talker = talker;
            let reactor = Reactor::new(&mut talker).unwrap();
            reactor.with_overlay(overlay).unwrap().run().unwrap()
        });
        Broker { heard, thread }
    }

    fn parent(folder: &TempDir, allowed: &[&str]) -> Broker {
        let mut overlay = overlay("parent-key");
        let endpoint = endpoint(folder);
        assert_eq!(
            overlay.listen(std::slice::from_ref(&endpoint)).unwrap(),
            [endpoint]
        );
        allowed.iter().for_each(|key| overlay.allow(key));
        Broker::start(overlay, &[])
    }

    /// A child that shows `key` and wants to see `theirs`.
    fn child(folder: &TempDir, (key, theirs): (&str, &str), says: &[&'static str]) -> Broker {
        let mut overlay = overlay(key);
        overlay
            .reach_parent(&endpoint(folder), theirs, "uuid")
            .unwrap();
        Broker::start(overlay, says)
    }

    fn hears(&self, expect: &[&str]) {
        for line in expect {
            assert_eq!(self.heard.recv_timeout(PATIENCE).unwrap(), *line);
        }
    }

    fn ends(self) {
        assert_eq!(self.thread.join().unwrap(), 0);
    }
}

fn overlay(key: &str) -> Overlay {
    let curve = Curve {
        public: key.to_owned(),
        secret: String::new(),
    };
    Overlay::new(curve, Tcp::default(), 1, 0)
}

fn endpoint(folder: &TempDir) -> String {
    format!("ipc://{}/tbon-0", folder.path().display())
}

const KEYS: (&str, &str) = ("child-key", "parent-key");
const UP: &str = "uuid has child-key";

#[test]
fn both_ends_hear_each_other_whoever_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let child = Broker::child(&folder, KEYS, &["one", "echo", "end"]);
    let parent = Broker::parent(&folder, &["child-key"]);
    parent.hears(&[UP, "one 4", "echo 4", "end 4"]);
    // Messages sent before the end are received, and then the end.
    parent.ends();
    child.hears(&["answer 4", "gone"]);
}

#[test]
fn two_children_are_heard_beside_each_other_under_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let parent = Broker::parent(&folder, &["child-key"]);
    let child = Broker::child(&folder, KEYS, &["echo"]);
    parent.hears(&[UP, "echo 4"]);
    child.hears(&["answer 4"]);
    // The hello, which the node reads, says which of them is the child.
    let second = Broker::child(&folder, KEYS, &["end"]);
    parent.hears(&[UP, "end 4"]);
    child.hears(&["gone"]);
    second.hears(&["gone"]);
}

#[test]
fn one_with_a_foreign_key_or_for_another_parent_is_not_heard() {
    let folder = tempfile::tempdir().unwrap();
    let parent = Broker::parent(&folder, &["child-key"]);
    let _foreign = Broker::child(&folder, ("other-key", "parent-key"), &["let-me-in"]);
    let _misled = Broker::child(&folder, ("child-key", "other-key"), &["are-you-it"]);
    let _silent = std::os::unix::net::UnixStream::connect(folder.path().join("tbon-0"));
    // The misled one shows its key before it sees that it is misled, and says no more.
    let child = Broker::child(&folder, KEYS, &["echo"]);
    child.hears(&["answer 4"]);
    let mut lines = parent.heard.try_iter();
    assert!(lines.all(|line| [UP, "gone", "echo 4"].contains(&line.as_str())));
}

#[test]
fn a_child_that_does_not_read_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let parent = Broker::parent(&folder, &["child-key"]);
    let mut deaf = std::os::unix::net::UnixStream::connect(folder.path().join("tbon-0")).unwrap();
    let mut hello = Vec::new();
    wire::encode_hello(wire::Socket::Dealer, b"uuid/child-key", &mut hello);
    wire::encode_zmtp(&Message::request("flood", 1), &mut hello);
    std::io::Write::write_all(&mut deaf, &hello).unwrap();
    parent.hears(&[UP, "flood 0", "gone"]);
}

#[test]
fn the_socket_is_for_the_owner_and_replaces_one_that_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tbon-0");
    for _ in 0..2 {
        let bound = overlay("k").listen(&[endpoint(&folder)]);
        assert!(bound.is_ok(), "{bound:?}");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let missing = "ipc:///nowhere/tbon-0".to_owned();
    let error = overlay("k").listen(&[missing]).unwrap_err().to_string();
    assert!(error.starts_with("ipc:///nowhere/tbon-0: "), "{error}");
    assert!(!Path::new("/nowhere").exists());
}
