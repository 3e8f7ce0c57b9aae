//! Tests of responses that pass. Each row of [`check`] is one who answers, with the
//! answer and the expected arrival.

use std::time::Duration;

use node::{ChildEvent, Input, PeerId};
use wire::{Flags, Kind, Message};

use crate::probe::{OWNER, Probe, identity, json, outcome};

/// A user who is not the owner.
const GUEST: u32 = 65_534;

/// Sender of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Provider,
    OtherClient,
    Guest,
    OtherModule,
    /// The one who asked.
    Asker,
}

/// With what.
#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    /// The answer requested.
    Answer,
    /// The end of a stream.
    Error,
    WrongTag,
    WrongTopic,
    /// To a program behind the requester that did not ask.
    DeeperRoute,
    /// To another client.
    OtherRoute,
    /// Without the broker's hop.
    Unstamped,
    /// Without any hop: to the broker itself.
    Bare,
}

/// Kind of request.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Once,
    Stream,
    NoResponse,
    /// Without a matchtag, as schedulers are asked.
    Untagged,
    /// By a program behind the asker.
    Behind,
}

use Ask::{Behind, NoResponse, Once, Stream, Untagged};
use What::{Answer, Bare, DeeperRoute, Error, OtherRoute, Unstamped, WrongTag, WrongTopic};
use Who::{Asker, Guest, OtherClient, OtherModule, Provider};

fn request(ask: Ask) -> Message {
    let mut request = Message::request("echo.hello", 7);
    request.set_payload(json("{}"));
    match ask {
        Once => {}
        Stream => request.set_flag(Flags::STREAMING, true),
        NoResponse => request.set_flag(Flags::NORESPONSE, true),
        Untagged => {
            request = Message::request("echo.hello", 0);
            request.set_payload(json("{}"));
        }
        Behind => request.push_route(identity("behind")),
    }
    request
}

fn answer(request: &Message, what: What, other: &Message) -> Message {
    let errnum = if what == Error { 61 } else { 0 };
    let mut answer = Message::respond_to(request, errnum, json("{}"));
    match what {
        Answer | Error => {}
        WrongTag => {
            answer.kind = Kind::Response {
                errnum: 0,
                matchtag: 8,
            }
        }
        WrongTopic => answer.set_topic("echo.hallo"),
        DeeperRoute => {
            let (top, next) = (answer.pop_route(), answer.pop_route());
            for hop in [Some(identity("stranger")), next, top]
                .into_iter()
                .flatten()
            {
                answer.push_route(hop);
            }
        }
        OtherRoute => {
            answer.clear_routes();
            let hops = other.hops_below().iter().rev().chain(other.last_route());
            hops.for_each(|hop| answer.push_route(hop.clone()));
        }
        Unstamped => drop(answer.pop_route()),
        Bare => answer.clear_routes(),
    }
    answer
}

/// Asks a module, and then a client's service, and lets others answer.
fn check(ask: Ask, rows: &[(Who, What, bool)]) {
    for by_client in [false, true] {
        let mut probe = Probe::start(&["echo", "other"]);
        let (asker, other) = (probe.client(OWNER), probe.client(OWNER));
        let guest = probe.client(GUEST);
        let (other_module, _) = probe.module("other");
        let provider = if by_client {
            let server = probe.client(OWNER);
            probe.call(server, "service.add", "{\"service\":\"echo\"}");
            server
        } else {
            probe.module("echo").0
        };
        // So that the provider knows how another client is called.
        probe.say(other, Message::request("echo.hi", 9));
        let others = probe.heard(provider).unwrap();
        probe.say(asker, request(ask));
        let asked = probe.heard(provider).unwrap();
        for (nth, (who, what, passes)) in rows.iter().enumerate() {
            let link = match who {
                Provider => provider,
                OtherClient => other,
                Guest => guest,
                OtherModule => other_module,
                Asker => asker,
            };
            let strays = probe.node.core().strays.n();
            probe.say(link, answer(&asked, *what, &others));
            let row = format!("{ask:?}, row {nth}, client: {by_client}");
            let arrived = probe.heard(asker);
            assert_eq!(arrived.is_some(), *passes, "{row}");
            assert!(
                arrived.is_none_or(|message| message.n_routes() <= 1),
                "{row}"
            );
            assert_eq!(probe.heard(other), None, "{row}");
            let is_stray = probe.node.core().strays.n() > strays;
            assert_eq!(is_stray, !passes, "{row}");
        }
    }
}

#[test]
fn only_the_provider_answers_and_only_once() {
    check(
        Once,
        &[
            (Guest, Answer, false),
            (OtherClient, Answer, false),
            (OtherModule, Answer, false),
            (Asker, Answer, false),
            (Provider, WrongTag, false),
            (Provider, WrongTopic, false),
            (Provider, DeeperRoute, false),
            (Provider, OtherRoute, false),
            (Provider, Unstamped, false),
            (Provider, Bare, false),
            (Provider, Answer, true),
            (Provider, Answer, false),
            (Provider, Error, false),
        ],
    );
    check(Once, &[(Provider, Error, true), (Provider, Answer, false)]);
}

#[test]
fn a_stream_goes_on_until_its_error() {
    check(
        Stream,
        &[
            (Provider, Answer, true),
            (Guest, Error, false),
            (OtherModule, Error, false),
            (Provider, Answer, true),
            (Provider, Error, true),
            (Provider, Answer, false),
            (Provider, Error, false),
        ],
    );
}

#[test]
fn what_wants_no_response_gets_none() {
    check(
        NoResponse,
        &[(Provider, Answer, false), (Guest, Error, false)],
    );
}

#[test]
fn a_request_without_a_matchtag_is_answered_by_its_provider_again_and_again() {
    check(
        Untagged,
        &[
            (Guest, Answer, false),
            (Provider, Answer, true),
            (Provider, Error, true),
            (Provider, Answer, true),
            (Provider, WrongTopic, false),
            (OtherClient, Answer, false),
        ],
    );
}

#[test]
fn programs_behind_a_client_are_told_apart() {
    check(
        Behind,
        &[
            (Provider, DeeperRoute, false),
            (OtherClient, Answer, false),
            (Provider, Answer, true),
            (Provider, Answer, false),
        ],
    );
}

/// A stage with a guest, an owner and a module.
fn stage() -> (Probe, PeerId, PeerId) {
    let mut probe = Probe::start(&["echo"]);
    let asker = probe.client(OWNER);
    let (module, _) = probe.module("echo");
    (probe, asker, module)
}

#[test]
fn a_restarted_module_answers_what_it_was_given_and_its_predecessor_no_more() {
    let mut probe = Probe::start(&["echo"]);
    let asker = probe.client(OWNER);
    let (old, child) = probe.module("echo");
    let mut ping = Message::request("echo.ping", 7);
    ping.set_payload(json("{}"));
    probe.say(asker, ping);
    let asked = probe.heard(old).unwrap();
    probe.exit(child);
    let (new, _) = probe.module_runs();
    let again = probe.heard(new).expect("a ping may be repeated");
    assert_eq!(again, asked);
    probe.say(old, Message::respond_to(&asked, 0, json("{}")));
    assert_eq!(probe.heard(asker), None, "the dead do not answer");
    probe.say(new, Message::respond_to(&again, 0, json("{}")));
    assert_eq!(outcome(&probe.heard(asker).unwrap()), (0, "{}"));
}

#[test]
fn a_module_that_was_never_asked_again_does_not_answer_for_its_predecessor() {
    let mut probe = Probe::start(&["echo"]);
    let asker = probe.client(OWNER);
    let (old, child) = probe.module("echo");
    probe.say(asker, request(Once));
    let asked = probe.heard(old).unwrap();
    probe.exit(child);
    let lost = probe.heard(asker).unwrap();
    assert_eq!(outcome(&lost), (113, "module disconnect"));
    let (new, _) = probe.module_runs();
    probe.say(new, Message::respond_to(&asked, 0, json("{}")));
    assert_eq!(probe.heard(asker), None);
}

#[test]
fn who_has_asked_a_service_is_told_when_its_program_ends() {
    let mut probe = Probe::start(&[]);
    let (asker, server) = (probe.client(OWNER), probe.client(OWNER));
    probe.call(server, "service.add", "{\"service\":\"echo\"}");
    probe.say(asker, request(Once));
    let mut stream = request(Stream);
    stream.kind = Kind::Request {
        nodeid: 0,
        matchtag: 8,
    };
    probe.say(asker, stream);
    probe.deliver(Input::PeerDown { peer: server });
    for tag in [7, 8] {
        let lost = probe.heard(asker).unwrap();
        assert_eq!(
            (outcome(&lost), lost.matchtag()),
            ((113, "service disconnect"), tag)
        );
    }
    assert_eq!(probe.heard(asker), None);
    let unknown = probe.call(asker, "echo.hello", "{}");
    assert_eq!(outcome(&unknown).0, 38);
}

#[test]
fn a_service_that_was_removed_still_answers_what_it_was_asked() {
    let mut probe = Probe::start(&[]);
    let (asker, server) = (probe.client(OWNER), probe.client(OWNER));
    probe.call(server, "service.add", "{\"service\":\"echo\"}");
    probe.say(asker, request(Once));
    let asked = probe.heard(server).unwrap();
    probe.call(server, "service.remove", "{\"service\":\"echo\"}");
    probe.say(server, Message::respond_to(&asked, 0, json("{}")));
    assert_eq!(outcome(&probe.heard(asker).unwrap()), (0, "{}"));
}

#[test]
fn an_answer_to_one_who_has_left_is_no_news() {
    let (mut probe, asker, module) = stage();
    probe.say(asker, request(Once));
    let asked = probe.heard(module).unwrap();
    probe.deliver(Input::PeerDown { peer: asker });
    probe.say(module, Message::respond_to(&asked, 0, json("{}")));
    assert_eq!(probe.node.core().strays.n(), 0);
    assert_eq!(probe.node.core().router.n_pending(), 0);
}

#[test]
fn a_program_behind_a_client_leaves_alone() {
    let (mut probe, asker, module) = stage();
    let behind = |name: &str, topic: &str| {
        let mut message = Message::request(topic, 7);
        message.push_route(identity(name));
        message
    };
    probe.say(asker, behind("one", "echo.watch"));
    probe.say(asker, behind("two", "echo.watch"));
    let mut gone = behind("one", "echo.disconnect");
    gone.set_flag(Flags::NORESPONSE, true);
    probe.say(asker, gone);
    let (one, two) = (probe.heard(module).unwrap(), probe.heard(module).unwrap());
    probe.say(module, Message::respond_to(&one, 0, json("{}")));
    assert_eq!(probe.heard(asker), None);
    probe.say(module, Message::respond_to(&two, 0, json("{}")));
    assert!(probe.heard(asker).is_some());
}

#[test]
fn a_route_that_a_client_makes_up_ends_nothing_of_another_client() {
    let mut probe = Probe::start(&[]);
    let (watcher, other) = (probe.client(OWNER), probe.client(OWNER));
    let mut dmesg = Message::request("log.dmesg", 7);
    dmesg.set_payload(json("{\"follow\":true,\"nobacklog\":true}"));
    dmesg.set_flag(Flags::STREAMING, true);
    probe.say(watcher, dmesg);
    let hop = probe.node.core().clients.identity(watcher).clone();
    let forged = |topic: &str, payload: &str| {
        let mut message = Message::request(topic, 0);
        message.set_payload(json(payload));
        message.set_flag(Flags::NORESPONSE, true);
        message.push_route(hop.clone());
        message
    };
    probe.say(other, forged("log.cancel", "{\"matchtag\":7}"));
    probe.say(other, forged("log.disconnect", "{}"));
    probe.say(other, forged("module.status", "{\"status\":3}"));
    assert_eq!(probe.heard(watcher), None);
    let mut line = Message::request("log.append", 0);
    line.set_payload(bytes::Bytes::from_static(b"<6>1 - 0 test - - - still here"));
    probe.say(other, line);
    assert!(probe.heard(watcher).is_some(), "the stream goes on");
}

#[test]
fn a_guest_is_shown_its_own_connections_only() {
    let mut probe = Probe::start(&[]);
    let (owner, guest) = (probe.client(OWNER), probe.client(GUEST));
    probe.client(GUEST + 1);
    for (link, want) in [(guest, 1), (owner, 3)] {
        let stats = probe.call(link, "connector-local.stats-get", "{}");
        let stats = stats.payload().unwrap().strip_suffix(b"\0").unwrap();
        let stats: serde_json::Value = serde_json::from_slice(stats).unwrap();
        let clients = stats["server"]["clients"].as_array().unwrap();
        assert_eq!(clients.len(), want);
    }
}

#[test]
fn a_numbered_request_is_answered_with_its_number_on_the_way() {
    let mut probe = Probe::start(&["kvs"]);
    let asker = probe.client(OWNER);
    let (kvs, _) = probe.module("kvs");
    probe.say(asker, Message::request("kvs.commit", 7));
    let asked = probe.heard(kvs).unwrap();
    assert_eq!(asked.n_routes(), 3);
    probe.say(kvs, Message::respond_to(&asked, 0, json("{}")));
    let answer = probe.heard(asker).unwrap();
    assert_eq!((outcome(&answer), answer.n_routes()), ((0, "{}"), 0));
}

#[test]
fn a_request_keeps_its_number_when_its_sender_leaves_before_the_next_process_is_there() {
    let mut probe = Probe::start(&["kvs"]);
    let asker = probe.client(OWNER);
    let (kvs, child) = probe.module("kvs");
    probe.say(asker, Message::request("kvs.commit", 7));
    let asked = probe.heard(kvs).unwrap();
    probe.exit(child);
    probe.deliver(Input::PeerDown { peer: asker });
    let (kvs, _) = probe.module_runs();
    let again = probe.heard(kvs).expect("what was sent is done");
    assert_eq!(again, asked, "or it is done twice");
}

#[test]
fn a_request_to_the_broker_that_is_too_long_to_decode_is_refused() {
    let mut probe = Probe::start(&[]);
    let client = probe.client(OWNER);
    let long = "x".repeat(crate::limits::OWN_REQUEST_BYTES_MAX);
    for topic in ["attr.get", "event.subscribe", "service.add"] {
        let answer = probe.call(client, topic, &long);
        assert_eq!(outcome(&answer), (90, "request is too long"), "{topic}");
    }
    let answer = probe.call(client, "attr.get", "{\"name\":\"rank\"}");
    assert_eq!(outcome(&answer).0, 0);
}

#[test]
fn a_second_link_under_a_module_s_identity_is_closed_and_the_first_stays() {
    let mut probe = Probe::start(&["echo"]);
    let asker = probe.client(OWNER);
    let (module, child) = probe.module("echo");
    let pid = child.0 as i32;
    let uuid = probe.last_identity.clone();
    for group in [pid, pid + 1] {
        let thief = probe.module_link(&uuid, group);
        assert_eq!(probe.closed.pop(), Some(thief));
        assert_eq!(probe.heard(thief), None, "it is not greeted");
        probe.deliver(Input::PeerDown { peer: thief });
    }
    probe.say(asker, request(Once));
    let asked = probe.heard(module).expect("the module is still asked");
    probe.say(module, Message::respond_to(&asked, 0, json("{}")));
    assert!(probe.heard(asker).is_some());
    probe.pass(Duration::from_secs(60));
    assert_eq!(probe.killed, []);
    // The dead do not come back either.
    probe.exit(child);
    let late = probe.module_link(&uuid, pid);
    assert!(probe.closed.contains(&late));
}

#[test]
fn one_who_comes_before_the_module_does_not_take_its_place() {
    let mut probe = Probe::start(&["echo"]);
    let (_, child) = probe.module("echo");
    probe.exit(child);
    let next = probe.started.front().expect("it is restarted at once");
    let (uuid, child) = (next.identity.clone(), next.child);
    let pid = child.0 as i32;
    let event = ChildEvent::Started { pid };
    probe.deliver(Input::Child { child, event });
    let thief = probe.module_link(&uuid, pid + 1);
    assert_eq!(probe.closed.pop(), Some(thief));
    let (module, _) = probe.module_runs();
    assert!(!probe.closed.contains(&module));
}

#[test]
fn a_module_that_lives_on_without_its_link_is_killed() {
    let mut probe = Probe::start(&["echo"]);
    let (module, child) = probe.module("echo");
    probe.deliver(Input::PeerDown { peer: module });
    probe.pass(Duration::from_secs(1));
    assert_eq!(probe.killed, []);
    probe.pass(Duration::from_secs(60));
    assert_eq!(probe.killed, [child]);
}
