//! Tests of the order in which modules get a new configuration.

use node::PeerId;
use wire::Message;

use crate::probe::{OWNER, Probe};

const NEW: &str = r#"{"tbon":{"torpid_max":"1m"}}"#;

/// Next request to a module, which accepts it.
#[track_caller]
fn takes(probe: &mut Probe, module: PeerId) -> String {
    let request = probe.heard(module).expect("a request");
    probe.say(
        module,
        Message::respond_to(&request, 0, bytes::Bytes::new()),
    );
    let payload = request.payload().expect("a payload");
    let payload = String::from_utf8_lossy(payload);
    format!("{} {}", request.topic(), payload.trim_end_matches('\0'))
}

fn load(probe: &mut Probe) -> PeerId {
    let operator = probe.client(OWNER);
    let mut message = Message::request("config.load", 1);
    message.set_payload(crate::probe::json(NEW));
    probe.say(operator, message);
    operator
}

#[test]
fn a_module_that_starts_meanwhile_gets_it_before_it_is_asked_anything() {
    let mut probe = Probe::start(&["a", "b"]);
    let (a, _) = probe.module("a");
    let (_, child) = probe.module("b");
    probe.exit(child);
    let (b, _) = probe.module_starts();
    let operator = load(&mut probe);
    assert_eq!(takes(&mut probe, a), format!("a.config-reload {NEW}"));
    let answer = probe.heard(operator).expect("an answer");
    assert_eq!(crate::probe::outcome(&answer), (0, ""));
    assert_eq!(probe.heard(b), None, "it does not run yet");
    let ping = Message::request("b.ping", 2);
    probe.say(operator, ping);
    probe.runs(b);
    assert_eq!(takes(&mut probe, b), format!("b.config-reload {NEW}"));
    let next = probe.heard(b).expect("what was asked meanwhile");
    assert_eq!(next.topic(), "b.ping");
}

#[test]
fn a_module_that_is_started_again_while_others_take_it_gets_it_too() {
    let mut probe = Probe::start(&["a", "b"]);
    let (a, child) = probe.module("a");
    let (b, _) = probe.module("b");
    load(&mut probe);
    assert_eq!(takes(&mut probe, a), format!("a.config-reload {NEW}"));
    // It begins again with what is in force, which is the old one.
    probe.exit(child);
    let (a, _) = probe.module_runs();
    assert_eq!(probe.heard(a), None, "others have not taken it yet");
    assert_eq!(takes(&mut probe, b), format!("b.config-reload {NEW}"));
    assert_eq!(takes(&mut probe, a), format!("a.config-reload {NEW}"));
    assert_eq!(probe.heard(b), None, "it has it");
}

#[test]
fn a_module_that_is_being_loaded_gets_it_at_once() {
    let mut probe = Probe::start(&["a"]);
    probe.load("a");
    let (a, _) = probe.module_starts();
    load(&mut probe);
    assert_eq!(takes(&mut probe, a), format!("a.config-reload {NEW}"));
    probe.runs(a);
    assert_eq!(probe.heard(a), None, "it has it");
}
