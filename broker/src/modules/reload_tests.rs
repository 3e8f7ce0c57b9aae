//! Tests of requests while a module is removed and loaded again.

use node::{ChildEvent, ChildId, Input, PeerId};
use proto::Method as _;
use proto::common::Shutdown;
use proto::module::Remove;
use wire::{Flags, Message};

use crate::limits::HOLD_S;
use crate::probe::{OWNER, Probe, json, outcome};

/// A module that leaves in order to come back.
struct Stage {
    probe: Probe,
    operator: PeerId,
    asker: PeerId,
    child: ChildId,
}

impl Stage {
    /// The module was asked to leave and has not yet.
    fn leaving() -> Stage {
        let mut probe = Probe::start(&["echo"]);
        let (operator, asker) = (probe.client(OWNER), probe.client(OWNER));
        let (module, child) = probe.module("echo");
        let mut stage = Stage {
            probe,
            operator,
            asker,
            child,
        };
        stage.ask("echo.ping", 1);
        stage.ask("echo.hello", 2);
        stage.remove(Some(true));
        for topic in ["echo.ping", "echo.hello", "echo.shutdown"] {
            let had = stage.probe.heard(module).expect("a request");
            assert_eq!(had.topic(), topic);
        }
        stage
    }

    fn ask(&mut self, topic: &str, tag: u32) {
        let mut request = Message::request(topic, tag);
        request.set_payload(json("{}"));
        self.probe.say(self.asker, request);
    }

    fn remove(&mut self, returns: Option<bool>) {
        let remove = Remove {
            name: "echo".to_owned(),
            cancel: None,
            returns,
        };
        self.probe.say(self.operator, remove.to_message(1));
    }

    /// The process ends, and the client that removed it is answered.
    fn ends(&mut self) {
        let event = ChildEvent::Exited { status: 0 };
        let child = self.child;
        self.probe.deliver(Input::Child { child, event });
        let removed = self.probe.heard(self.operator).expect("an answer");
        assert_eq!(outcome(&removed).0, 0);
    }

    /// Responses to the requester: the tag and number of each.
    fn answers(&mut self) -> Vec<(u32, u32)> {
        let heard = std::iter::from_fn(|| self.probe.heard(self.asker));
        heard
            .map(|answer| (answer.matchtag(), outcome(&answer).0))
            .collect()
    }
}

#[test]
fn a_module_that_comes_back_has_what_waited_and_what_may_be_repeated() {
    let mut stage = Stage::leaving();
    stage.ask("echo.hello", 3);
    assert_eq!(stage.answers(), [], "it may be answered later");
    stage.ends();
    stage.ask("echo.hello", 4);
    assert_eq!(stage.answers(), [(2, 113)], "what may not be repeated");
    let list = stage.probe.call(stage.operator, "module.list", "{}");
    assert!(!outcome(&list).1.contains("\"echo\""), "{list:?}");
    let (module, _) = stage.probe.module("echo");
    let tags = std::iter::from_fn(|| stage.probe.heard(module));
    let tags: Vec<u32> = tags.map(|request| request.matchtag()).collect();
    assert_eq!(tags, [1, 3, 4]);
    stage.ask("echo.hello", 5);
    let last = stage.probe.heard(module).expect("a request");
    stage
        .probe
        .say(module, Message::respond_to(&last, 0, json("{}")));
    assert_eq!(stage.answers(), [(5, 0)]);
}

#[test]
fn it_is_told_that_it_comes_back() {
    let mut probe = Probe::start(&["echo"]);
    let operator = probe.client(OWNER);
    let (module, _) = probe.module("echo");
    for returns in [Some(true), None] {
        let remove = Remove {
            name: "echo".to_owned(),
            cancel: None,
            returns,
        };
        probe.say(operator, remove.to_message(1));
        let asked = probe.heard(module).expect("a request");
        let shutdown = <Shutdown as proto::Payload>::decode(asked.payload());
        assert_eq!(shutdown, Ok(Shutdown { returns }));
    }
}

#[test]
fn who_does_not_want_to_wait_is_told_at_once() {
    let mut stage = Stage::leaving();
    stage.ends();
    stage.answers();
    let mut request = Message::request("echo.ping", 6);
    request.set_flag(Flags::USER1, true);
    stage.probe.say(stage.asker, request);
    assert_eq!(stage.answers(), [(6, 113)]);
}

/// Checks what ends the wait for a module that does not come back, which is then unknown,
/// and the answers to waiting requests.
fn check_gone(why: &str, errnum: u32, end: impl FnOnce(&mut Stage)) {
    let mut stage = Stage::leaving();
    stage.ends();
    assert_eq!(stage.answers(), [(2, 113)]);
    stage.ask("echo.hello", 3);
    end(&mut stage);
    assert_eq!(stage.answers(), [(1, errnum), (3, errnum)], "{why}");
    stage.ask("echo.hello", 4);
    assert_eq!(stage.answers(), [(4, 38)], "{why}");
}

#[test]
fn when_it_does_not_come_back_who_waits_is_told() {
    check_gone("there is no such program", 38, |stage| {
        stage.probe.forget_program("echo");
        stage.probe.load("echo");
    });
    check_gone("its process has had them and fails", 113, |stage| {
        stage.probe.load("echo");
        let (_, child) = stage.probe.module_starts();
        stage.probe.exit(child);
    });
    check_gone("it is removed for good", 38, |stage| {
        stage.remove(None);
    });
}

#[test]
fn it_is_waited_for_no_longer_than_for_one_that_died() {
    let mut stage = Stage::leaving();
    stage.ends();
    stage.answers();
    stage.probe.pass(std::time::Duration::from_secs(HOLD_S));
    let [(1, _)] = stage.answers()[..] else {
        panic!("what waited is answered");
    };
    stage.ask("echo.hello", 4);
    assert_eq!(stage.answers(), [(4, 38)]);
    let (module, _) = stage.probe.module("echo");
    stage.ask("echo.hello", 5);
    assert!(
        stage.probe.heard(module).is_some(),
        "it can be loaded again"
    );
}

#[test]
fn who_removes_it_for_good_meanwhile_has_the_last_word() {
    let mut stage = Stage::leaving();
    stage.remove(None);
    stage.ask("echo.hello", 3);
    let event = ChildEvent::Exited { status: 0 };
    let child = stage.child;
    stage.probe.deliver(Input::Child { child, event });
    stage.ask("echo.hello", 4);
    let answers = stage.answers();
    assert_eq!(answers[0], (3, 38), "{answers:?}");
    assert_eq!(answers.last(), Some(&(4, 38)), "{answers:?}");
}

#[test]
fn one_that_is_being_started_again_leaves_as_it_is() {
    let mut stage = Stage::leaving();
    stage.ends();
    stage.answers();
    let (_, child) = stage.probe.module("echo");
    stage.probe.exit(child);
    let (module, child) = stage.probe.module_starts();
    stage.ask("echo.hello", 3);
    stage.remove(Some(true));
    let asked = stage.probe.heard(module).expect("a request");
    assert_eq!(asked.topic(), "echo.shutdown");
    stage.probe.runs(module);
    assert_eq!(stage.probe.heard(module), None, "it is asked nothing more");
    stage.child = child;
    stage.ends();
    let (module, _) = stage.probe.module("echo");
    let tags = std::iter::from_fn(|| stage.probe.heard(module));
    let tags: Vec<u32> = tags.map(|request| request.matchtag()).collect();
    assert_eq!(tags, [1, 3]);
}
