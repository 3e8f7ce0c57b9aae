//! Messages of rank 1 of seven brokers, two below each, to those above and below it, row
//! by row of protocol/20 sections 4, 6, 7, 8 and 10.

use std::time::Duration;

use node::{Input, PeerId, PeerKind};
use proto::config::Get;
use proto::overlay::{Goodbye, Hello, PROTOCOLS, Status, Welcome, control};
use proto::state_machine::{Monitor, StateNumber};
use proto::{Method, Payload};
use wire::{Errno, Kind, Message, Role};

use super::control as control_message;
use crate::lifecycle::State;
use crate::probe::{Probe, outcome};

/// The link to the child of rank 3.
const CHILD: PeerId = PeerId(77);

/// The hello of rank 3.
fn hello() -> Hello {
    Hello {
        rank: 3,
        version: 88 << 8,
        uuid: "b3".to_owned(),
        status: Status::Full as u32,
        hostname: Some("h3".to_owned()),
        protocols: Some(PROTOCOLS),
    }
}

fn request(hello: &Hello) -> Message {
    let mut message = Message::request(Hello::TOPIC, 1);
    message.rolemask = Role::OWNER;
    message.enable_routes();
    message.set_payload(hello.encode());
    message
}

/// Messages of the broker on a link, one line each.
fn said(probe: &mut Probe, link: PeerId) -> Vec<String> {
    let messages = std::iter::from_fn(|| probe.heard(link));
    messages
        .map(|message| match message.kind {
            Kind::Control { control, status } => format!("control {control} {status}"),
            Kind::Response { errnum: 0, .. } => format!("ok {}", message.topic()),
            Kind::Response { .. } => {
                let (errnum, text) = outcome(&message);
                format!("{} {text}", Errno(errnum).name().unwrap_or("?"))
            }
            _ => message.topic().to_owned(),
        })
        .collect()
}

/// A broker that has been let in by its parent, in QUORUM, and its request for the states
/// of the parent.
fn joined() -> (Probe, Message) {
    let mut probe = Probe::start_below();
    let welcome = Welcome {
        uuid: "b0".to_owned(),
        protocol: Some(1),
        hostlist: Some("h[0-6]".to_owned()),
    };
    let mut hello = Message::request(Hello::TOPIC, 1);
    hello.enable_routes();
    let answer = hello.into_response(0, welcome.encode());
    probe.say(PeerId::PARENT, answer);
    let asked: Vec<Message> = std::iter::from_fn(|| probe.heard(PeerId::PARENT)).collect();
    let monitor = asked.iter().find(|m| m.topic() == Monitor::TOPIC).cloned();
    let mut asked = std::iter::from_fn(|| {
        probe.pass(Duration::from_millis(10));
        probe.heard(PeerId::PARENT)
    });
    let config = asked.find(|message| message.topic() == Get::TOPIC).unwrap();
    let answer = config.into_response(0, crate::probe::json("{}"));
    probe.say(PeerId::PARENT, answer);
    settle(&mut probe);
    (probe, monitor.unwrap())
}

/// Everything that is due happens, and messages to the parent are dropped.
fn settle(probe: &mut Probe) {
    for _ in 0..8 {
        probe.pass(Duration::from_millis(50));
    }
    said(probe, PeerId::PARENT);
}

fn child_up(probe: &mut Probe) {
    let kind = PeerKind::Child {
        identity: "b3".to_owned(),
        key: "key".to_owned(),
    };
    probe.deliver(Input::PeerUp { peer: CHILD, kind });
}

/// Rank 3 sends this and is answered so.
fn check_hello(message: Message, expect: &str) {
    let (mut probe, _) = joined();
    child_up(&mut probe);
    probe.say(CHILD, message);
    assert_eq!(said(&mut probe, CHILD), [expect]);
    let is_in = expect.starts_with("ok");
    let child = probe.node.core().tree.children.get(3).unwrap().clone();
    assert_eq!(child.status.is_online(), is_in, "{expect}");
    let is_kept = expect.contains("version mismatched");
    assert_eq!(child.error.is_some(), is_kept, "{expect}");
}

#[test]
fn a_hello_is_checked_in_order() {
    let with = |change: &dyn Fn(&mut Hello)| {
        let mut hello = hello();
        change(&mut hello);
        request(&hello)
    };
    check_hello(request(&hello()), "ok overlay.hello");
    // A patch release more, and no name of the host.
    let old = |hello: &mut Hello| (hello.protocols, hello.version) = (None, 88 << 8 | 3);
    check_hello(with(&old), "ok overlay.hello");
    check_hello(with(&|hello| hello.hostname = None), "ok overlay.hello");
    // Each row has the faults of those below it, too.
    let bad_uuid = |hello: &mut Hello| hello.uuid = "other".to_owned();
    check_hello(with(&bad_uuid), "EOVERFLOW ");
    let bad_version = |hello: &mut Hello| {
        bad_uuid(hello);
        (hello.protocols, hello.version) = (None, 87 << 8);
    };
    let text = "EINVAL client (0.87.0) version mismatched with server (0.88.0)";
    check_hello(with(&bad_version), text);
    let bad_rank = |hello: &mut Hello| {
        bad_version(hello);
        (hello.rank, hello.hostname) = (5, None);
    };
    let text = "EINVAL rank 5 is not a child of rank 1: mismatched config?";
    check_hello(with(&bad_rank), text);
    let bad_host = |hello: &mut Hello| {
        bad_rank(hello);
        hello.hostname = Some("h6".to_owned());
    };
    let text = "EINVAL rejecting connection from h6 (rank 5): h5 is configured as rank 5: \
                mismatched config?";
    check_hello(with(&bad_host), text);
    let mut guest = with(&bad_host);
    guest.rolemask = Role::USER;
    check_hello(guest, "EPERM ");
    let mut garbled = request(&hello());
    (garbled.rolemask, _) = (Role::USER, garbled.set_payload(crate::probe::json("{}")));
    check_hello(garbled, "EPROTO ");
}

/// A broker that sends something other than hello, or sends it too late, is cut off.
#[test]
fn who_is_not_known_is_told_so() {
    let disconnect = format!("control {} 0", control::DISCONNECT);
    check_hello(Message::request("kvs.lookup", 1), &disconnect);
    let (mut probe, _) = joined();
    child_up(&mut probe);
    probe.say(CHILD, control_message(control::HEARTBEAT, 0));
    assert_eq!(said(&mut probe, CHILD), Vec::<String>::new());
}

/// A child that is there does this: so it is seen, and this is said to it or the parent.
fn check_child(does: impl Fn(&mut Probe), expect: (Status, Option<&str>), up: &[&str]) {
    let (mut probe, _) = joined();
    child_up(&mut probe);
    probe.say(CHILD, request(&hello()));
    settle(&mut probe);
    does(&mut probe);
    probe.pass(Duration::ZERO);
    let child = probe.node.core().tree.children.get(3).unwrap().clone();
    assert_eq!((child.status, child.error.as_deref()), expect);
    assert_eq!(said(&mut probe, PeerId::PARENT), up);
}

#[test]
fn what_a_child_does_is_seen_and_told_to_the_parent() {
    let control = |probe: &mut Probe, what, status: Status| {
        probe.say(CHILD, control_message(what, status as u32));
    };
    // Rank 4 has not come: the subtree is partial from the start.
    let (full, degraded) = ((Status::Full, None), (Status::Degraded, None));
    let heartbeat = |probe: &mut Probe| control(probe, control::HEARTBEAT, Status::Unknown);
    check_child(heartbeat, full, &[]);
    let unknown = |probe: &mut Probe| control(probe, 9, Status::Lost);
    check_child(unknown, full, &[]);
    let worse = |probe: &mut Probe| control(probe, control::STATUS, Status::Degraded);
    check_child(worse, degraded, &["control 1 3"]);
    // A child cannot say that it is not there.
    let absurd = |probe: &mut Probe| control(probe, control::STATUS, Status::Lost);
    check_child(absurd, full, &[]);
    let lost = |probe: &mut Probe| probe.deliver(Input::PeerDown { peer: CHILD });
    let gone = (Status::Lost, Some("lost connection"));
    check_child(lost, gone, &["control 1 3"]);
    let leaves = |probe: &mut Probe| {
        let mut message = Goodbye.to_message(2);
        message.rolemask = Role::OWNER;
        message.enable_routes();
        if let Kind::Request { nodeid, .. } = &mut message.kind {
            *nodeid = 1;
        }
        probe.say(CHILD, message);
    };
    let left = (Status::Offline, Some("administrative shutdown"));
    check_child(leaves, left, &[]);
    let again = |probe: &mut Probe| {
        let (peer, identity) = (PeerId(78), "b3-again".to_owned());
        let key = "key".to_owned();
        let kind = PeerKind::Child { identity, key };
        probe.deliver(Input::PeerUp { peer, kind });
        let uuid = "b3-again".to_owned();
        said(probe, CHILD);
        probe.say(peer, request(&Hello { uuid, ..hello() }));
        assert_eq!(probe.closed, [CHILD]);
        // The first of the two ends: it is told, and not left to find out.
        let disconnect = format!("control {} 0", control::DISCONNECT);
        assert_eq!(said(probe, CHILD), [disconnect]);
    };
    check_child(again, full, &["control 1 3", "control 1 2"]);
}

/// The parent enters a state, or something else happens to a broker in QUORUM, which is in
/// that state then.
fn check_parent(enters: Option<State>, does: Option<Input>, expect: State) {
    let (mut probe, monitor) = joined();
    assert_eq!(probe.node.core().life_state(), State::Quorum);
    if let Some(state) = enters {
        let state = state as i64;
        let answer = monitor.into_response(0, StateNumber { state }.encode());
        probe.say(PeerId::PARENT, answer);
    }
    if let Some(input) = does {
        probe.deliver(input);
    }
    settle(&mut probe);
    assert_eq!(probe.node.core().life_state(), expect, "{enters:?}");
}

#[test]
fn a_broker_follows_its_parent() {
    check_parent(Some(State::Init), None, State::Quorum);
    check_parent(Some(State::Run), None, State::Run);
    // One that never ran ends with its parent, and says goodbye.
    check_parent(Some(State::Cleanup), None, State::Goodbye);
    check_parent(Some(State::Shutdown), None, State::Goodbye);
    let says = |what| {
        let message = control_message(what, 0);
        let from = PeerId::PARENT;
        Some(Input::Message { from, message })
    };
    check_parent(None, says(control::HEARTBEAT), State::Quorum);
    check_parent(None, says(9), State::Quorum);
    check_parent(None, says(control::DISCONNECT), State::Exit);
    let peer = PeerId::PARENT;
    check_parent(None, Some(Input::PeerDown { peer }), State::Exit);
}

#[test]
fn one_that_waits_for_its_parent_says_that_it_is_there() {
    let mut probe = Probe::start_below();
    assert_eq!(said(&mut probe, PeerId::PARENT)[0], Hello::TOPIC);
    for _ in 0..10 {
        probe.pass(Duration::from_secs(1));
    }
    let heartbeat = format!("control {} 0", control::HEARTBEAT);
    assert!(said(&mut probe, PeerId::PARENT).contains(&heartbeat));
}
