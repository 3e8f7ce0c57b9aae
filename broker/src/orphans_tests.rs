//! Each cause, injected many times: each is recorded as itself and as no other.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{ChildEvent, Input, PeerId};
use proto::orphans::{Cause, Orphan};
use wire::{Flags, Kind, Message};

use crate::probe::{OWNER, Probe, json};

/// Number of repetitions.
const N: u32 = 1000;

fn request(topic: &str, tag: u32) -> Message {
    let mut request = Message::request(topic, tag);
    request.set_payload(json("{}"));
    request
}

fn to(rank: u32, mut request: Message) -> Message {
    let matchtag = request.matchtag();
    request.kind = Kind::Request {
        nodeid: rank,
        matchtag,
    };
    request
}

/// The next request that a link is given.
fn asked(probe: &mut Probe, link: PeerId) -> Message {
    loop {
        let message = probe.heard(link).expect("a request");
        if message.topic().starts_with("echo.") && !message.topic().ends_with(".disconnect") {
            return message;
        }
    }
}

/// Action that makes a message an orphan.
type Inject = fn(&mut Probe, PeerId, u32);

/// Injects a cause, and checks that each time there is one record of it, from this sender and
/// with this note.
fn check(mut probe: Probe, inject: Inject, cause: Cause, sender: &str, note: Option<&str>) {
    let server = probe.client(OWNER);
    probe.call(server, "service.add", "{\"service\":\"echo\"}");
    for n in 0..N {
        inject(&mut probe, server, n);
    }
    let core = probe.node.core();
    let expect = BTreeMap::from([(cause, u64::from(N))]);
    assert_eq!(core.orphans.counts(), &expect, "{note:?}");
    let batches = core.orphans.batches();
    let all: Vec<&Orphan> = batches.iter().flat_map(|batch| &batch.orphans).collect();
    assert!(all.len() >= 128, "{}", all.len());
    for orphan in all {
        let found = (orphan.cause, orphan.note.as_deref());
        assert_eq!(found, (cause, note));
        assert!(orphan.sender.starts_with(sender), "{}", orphan.sender);
        assert!(orphan.topic.contains('.'));
    }
    assert_eq!(core.router.n_pending(), 0, "no way back is left open");
}

fn begin() -> Probe {
    Probe::start(&["echo", "other"])
}

#[test]
fn the_server_is_down() {
    let unknown: Inject = |probe, server, n| probe.say(server, request("none.hello", n + 1));
    let note = Some("No service matching none.hello is registered");
    check(begin(), unknown, Cause::ServerDown, "client pid=1", note);

    let dies_with_it: Inject = |probe, _, n| {
        let server = probe.client(OWNER);
        probe.call(server, "service.add", "{\"service\":\"mortal\"}");
        let asker = probe.client(OWNER);
        probe.say(asker, request("mortal.hello", n + 1));
        probe.deliver(Input::PeerDown { peer: server });
        assert!(probe.heard(asker).is_some());
    };
    let note = Some("service disconnect");
    check(
        begin(),
        dies_with_it,
        Cause::ServerDown,
        "client pid=1",
        note,
    );
}

#[test]
fn an_answer_comes_after_its_requester_has_left() {
    let leaves: Inject = |probe, server, n| {
        let asker = probe.client(OWNER);
        probe.say(asker, request("echo.hello", n + 1));
        let asked = asked(probe, server);
        probe.deliver(Input::PeerDown { peer: asker });
        probe.say(server, Message::respond_to(&asked, 0, json("{}")));
    };
    let note = Some("the requester has disconnected");
    check(begin(), leaves, Cause::AfterClose, "client pid=1", note);
}

#[test]
fn an_answer_comes_after_the_last_one() {
    let twice: Inject = |probe, server, n| {
        let asker = probe.client(OWNER);
        probe.say(asker, request("echo.hello", n + 1));
        let asked = asked(probe, server);
        probe.say(server, Message::respond_to(&asked, 0, json("{}")));
        probe.say(server, Message::respond_to(&asked, 0, json("{}")));
        assert!(probe.heard(asker).is_some() && probe.heard(asker).is_none());
    };
    let note = Some("the request was answered already");
    check(begin(), twice, Cause::AfterClose, "client pid=1", note);
}

#[test]
fn the_time_of_a_request_is_over() {
    let expires: Inject = |probe, server, n| {
        let asker = probe.client(OWNER);
        let mut late = request("echo.hello", n + 1);
        late.deadline_ms = 10;
        probe.say(asker, late);
        asked(probe, server);
        probe.pass(Duration::from_millis(20));
        assert!(probe.heard(asker).is_some());
    };
    check(begin(), expires, Cause::Expired, "client pid=1", None);
}

#[test]
fn an_answer_comes_from_one_in_whose_place_another_is_asked() {
    let replaced: Inject = |probe, server, n| {
        let old = probe.client(OWNER);
        let asker = probe.client(OWNER);
        probe.say(asker, request("echo.hello", n + 1));
        let asked = asked(probe, server);
        // While the other has it, or when it has answered.
        if n % 2 == 0 {
            probe.say(old, Message::respond_to(&asked, 0, json("{}")));
            probe.say(server, Message::respond_to(&asked, 0, json("{}")));
        } else {
            probe.say(server, Message::respond_to(&asked, 0, json("{}")));
            probe.say(old, Message::respond_to(&asked, 0, json("{}")));
        }
    };
    let note = Some("another provider was asked instead");
    check(begin(), replaced, Cause::TakenOver, "client pid=1", note);
}

#[test]
fn a_worker_that_was_replaced_is_reported() {
    let report: Inject = |probe, server, _| {
        let report = r#"{"cause":"taken-over","topic":"job.done","sender":"worker 3","job":5}"#;
        probe.call(server, "orphans.report", report);
    };
    check(begin(), report, Cause::TakenOver, "worker 3", None);
}

#[test]
fn the_rank_is_not_there() {
    let nobody: Inject = |probe, server, n| probe.say(server, to(9, request("echo.hello", n + 1)));
    check(begin(), nobody, Cause::NoPeer, "client pid=1", None);
}

#[test]
fn what_is_best_effort_finds_nobody() {
    let into_nothing: Inject = |probe, server, _| {
        let mut request = request("none.hello", 0);
        request.set_flag(Flags::NORESPONSE, true);
        probe.say(server, request);
    };
    let note = Some("No service matching none.hello is registered");
    check(begin(), into_nothing, Cause::Dropped, "client pid=1", note);
}

#[test]
fn an_answer_answers_nothing() {
    let unasked: Inject = |probe, server, n| {
        let asker = probe.client(OWNER);
        probe.say(asker, request("echo.hello", n + 1));
        let asked = asked(probe, server);
        let mut other = Message::respond_to(&asked, 0, json("{}"));
        other.set_topic("echo.hallo");
        probe.say(server, other);
        probe.say(server, Message::respond_to(&asked, 0, json("{}")));
    };
    let note = Some("it answers no known request");
    check(begin(), unasked, Cause::Unasked, "client pid=1", note);
}

#[test]
fn a_module_dies_with_what_is_not_safe_to_repeat() {
    let mut probe = begin();
    let (module, child) = probe.module("other");
    let asker = probe.client(OWNER);
    for n in 0..N {
        probe.say(asker, request("other.hello", n + 1));
    }
    assert!(probe.heard(module).is_some());
    let event = ChildEvent::Exited { status: 9 };
    probe.deliver(Input::Child { child, event });
    let counts = probe.node.core().orphans.counts();
    assert_eq!(counts, &BTreeMap::from([(Cause::ServerDown, u64::from(N))]));
}

#[test]
fn those_who_follow_are_told_and_the_list_can_be_cleared() {
    let mut probe = begin();
    let follower = probe.client(OWNER);
    let asker = probe.client(OWNER);
    probe.say(asker, request("none.first", 1));
    let mut list = request("orphans.list", 5);
    list.set_payload(json(r#"{"follow":true}"#));
    list.set_flag(Flags::STREAMING, true);
    probe.say(follower, list);
    probe.say(asker, request("none.second", 2));
    probe.deliver(Input::Settled);
    let mut topics = Vec::new();
    while let Some(batch) = probe.heard(follower) {
        let batch = batch.payload().expect("a batch").to_vec();
        let text = String::from_utf8_lossy(&batch).into_owned();
        topics.extend(
            ["none.first", "none.second"]
                .into_iter()
                .filter(|t| text.contains(t)),
        );
    }
    assert_eq!(topics, ["none.first", "none.second"]);
    let owner = probe.client(OWNER);
    probe.call(owner, "orphans.clear", "");
    assert!(probe.node.core().orphans.batches().is_empty());
    let stats = probe.call(owner, "broker.stats-get", "");
    let stats = String::from_utf8_lossy(stats.payload().expect("counters")).into_owned();
    assert!(stats.contains(r#""orphans":{"server-down":2}"#), "{stats}");
}

/// Calls of clients of which one of ten dies with its request.
#[test]
fn no_way_back_is_left_open_by_clients_that_die() {
    let n = 20_000_u32;
    let mut probe = begin();
    let (module, _) = probe.module("echo");
    let mut askers: Vec<PeerId> = (0..10).map(|_| probe.client(OWNER)).collect();
    let mut n_killed = 0;
    for round in 0..n / 10 {
        for (at, asker) in askers.iter().enumerate() {
            let tag = round * 10 + at as u32 + 1;
            probe.say(*asker, request("echo.hello", tag));
        }
        let dying = round as usize % askers.len();
        let killed = std::mem::replace(&mut askers[dying], probe.client(OWNER));
        probe.deliver(Input::PeerDown { peer: killed });
        n_killed += 1;
        while let Some(asked) = probe.heard(module) {
            if asked.topic() == "echo.hello" {
                probe.say(module, Message::respond_to(&asked, 0, json("{}")));
            }
        }
        probe.said.clear();
    }
    let core = probe.node.core();
    assert_eq!(core.router.n_pending(), 0);
    let late = core.orphans.counts()[&Cause::AfterClose];
    assert_eq!(late, n_killed, "each late answer is known for what it is");
    assert_eq!(core.strays.n(), 0, "and none for a fault");
}
