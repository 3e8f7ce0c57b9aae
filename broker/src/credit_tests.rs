//! Tests of the credit of one client, and of the order in which a module receives its
//! requests.

use bytes::Bytes;
use node::{Input, PeerId};
use wire::Message;

use super::Credit;
use crate::limits::CREDIT_BYTES;
use crate::probe::{OWNER, Probe};
use crate::router::ModuleId;

const KVS: ModuleId = ModuleId(1);
const ONE: PeerId = PeerId(1);
const OTHER: PeerId = PeerId(2);

fn message(topic: &str, tag: u32) -> Message {
    Message::request(topic, tag)
}

/// Tags of the requests that are sent, in order.
fn due(credit: &mut Credit) -> Vec<u32> {
    let mut tags = Vec::new();
    while let Some((_, message)) = credit.next_due() {
        tags.push(message.matchtag());
    }
    credit.check();
    tags
}

/// True if a request of `client` is sent at once.
fn goes(credit: &mut Credit, client: PeerId, tag: u32, is_bulk: bool) -> bool {
    let request = message("a.b", tag);
    credit.admit(client, KVS, request, is_bulk).is_some()
}

#[test]
fn small_answers_open_the_window_and_large_ones_close_it() {
    let check = |answers: &[usize], n_want: usize| {
        let mut credit = Credit::default();
        let mut n_out: usize = (0..5000)
            .map(|tag| usize::from(goes(&mut credit, ONE, tag, true)))
            .sum();
        assert_eq!(n_out, 1, "the first goes alone");
        for bytes in answers {
            credit.answered(ONE, KVS, *bytes);
            n_out = n_out - 1 + due(&mut credit).len();
        }
        assert_eq!(n_out, n_want, "{answers:?}");
    };
    check(&[CREDIT_BYTES], 1);
    check(&[8 * CREDIT_BYTES], 1);
    check(&[100], 2);
    check(&[100; 2], 4);
    check(&[100; 10], 1024);
    check(&[100, 100, 100, CREDIT_BYTES], 7);
}

#[test]
fn a_client_that_is_behind_waits_and_keeps_its_order() {
    let mut credit = Credit::default();
    credit.set_behind(ONE, true);
    assert!(goes(&mut credit, ONE, 1, false), "nothing waits before it");
    assert!(!goes(&mut credit, ONE, 2, true));
    assert!(!goes(&mut credit, ONE, 3, false), "it would overtake");
    assert!(goes(&mut credit, OTHER, 4, true) && !credit.is_idle());
    assert!(due(&mut credit).is_empty());
    credit.set_behind(ONE, false);
    assert_eq!(due(&mut credit), [2, 3]);
    assert!(credit.is_idle());
}

#[test]
fn clients_take_turns() {
    let mut credit = Credit::default();
    for client in [ONE, OTHER] {
        for tag in 0..4 {
            goes(
                &mut credit,
                client,
                u32::try_from(client.0).unwrap() * 10 + tag,
                true,
            );
        }
    }
    for client in [ONE, OTHER] {
        credit.answered(client, KVS, 1);
    }
    assert_eq!(due(&mut credit), [11, 21, 12, 22]);
}

#[test]
fn what_a_gone_client_wanted_done_is_done_and_what_it_wanted_to_read_is_not() {
    let mut credit = Credit::default();
    for (tag, is_bulk) in [(1, true), (2, true), (3, false), (4, true)] {
        goes(&mut credit, ONE, tag, is_bulk);
    }
    let left = credit.client_left(ONE);
    let tags = left.iter().map(|(_, message)| message.matchtag());
    assert_eq!(tags.collect::<Vec<_>>(), [3]);
    credit.check();
    assert!(credit.is_idle());
}

#[test]
fn what_waits_for_a_module_goes_to_its_next_process_or_is_given_back() {
    let mut credit = Credit::default();
    for tag in 1..=3 {
        goes(&mut credit, ONE, tag, true);
    }
    credit.module_ended(KVS);
    assert_eq!(due(&mut credit), [2]);
    assert_eq!(credit.module_unloaded(KVS).len(), 1);
    credit.check();
    assert!(credit.is_idle());
}

/// Topics and tags that a link has received.
fn heard(probe: &mut Probe, link: PeerId) -> Vec<Message> {
    std::iter::from_fn(|| probe.heard(link)).collect()
}

fn topics(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(Message::topic).collect()
}

#[test]
fn a_module_hears_of_others_before_the_second_lookup_of_one_who_does_not_read() {
    let mut probe = Probe::start(&["kvs"]);
    let (kvs, _) = probe.module("kvs");
    let (deaf, other) = (probe.client(OWNER), probe.client(OWNER));
    heard(&mut probe, kvs);
    for tag in 1..=20 {
        probe.say(deaf, message("kvs.lookup", tag));
    }
    probe.say(other, message("kvs.getroot", 1));
    let burst = heard(&mut probe, kvs);
    assert_eq!(topics(&burst), ["kvs.lookup", "kvs.getroot"]);

    // A large answer, which the loop cannot write: it says so.
    let large = Bytes::from(vec![b'x'; 8 * CREDIT_BYTES]);
    probe.say(kvs, Message::respond_to(&burst[0], 0, large));
    let (peer, mut is_behind) = (deaf, true);
    probe.deliver(Input::PeerFlow { peer, is_behind });
    probe.deliver(Input::Settled);
    probe.say(other, message("kvs.getroot", 2));
    assert_eq!(topics(&heard(&mut probe, kvs)), ["kvs.getroot"]);

    is_behind = false;
    probe.deliver(Input::PeerFlow { peer, is_behind });
    assert_eq!(topics(&heard(&mut probe, kvs)), ["kvs.lookup"]);
}
