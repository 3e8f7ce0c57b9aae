//! Tests of the cost of each operation with the maximum number of watchers: counted in
//! watchers visited, not in time.

use node::probe::{Probe, line};
use node::{Input, Now, PeerId};
use proto::Role;
use wire::{Errno, Flags, Identity, Message};

use crate::KvsWatch;
use crate::limits::WATCHERS_MAX;

const ROOT: &str = "sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// Many watchers, each a client of its own. Not checked after every step, which would
/// look at all of them.
struct Crowd(Probe<KvsWatch>);

impl Crowd {
    fn hand_in(&mut self, message: Message) {
        let from = PeerId::BROKER;
        let input = Input::Message { from, message };
        self.0.actor.handle(Now::default(), input);
    }

    fn request(&mut self, client: usize, topic: &str, tag: u32, json: &str, flags: u8) {
        let mut request = Message::request(topic, tag);
        request.set_payload(format!("{json}\0").into());
        request.set_flag(flags, true);
        (request.userid, request.rolemask) = (100, Role::OWNER);
        request.push_route(Identity::new(&format!("client{client}")).unwrap());
        self.hand_in(request);
    }

    fn watch(&mut self, client: usize, key: &str) {
        let json = format!(r#"{{"namespace":"primary","key":"{key}","flags":4}}"#);
        self.request(client, "kvs-watch.lookup", 1, &json, Flags::STREAMING);
    }

    /// Answers every lookup that was made: each key is there.
    fn answer_lookups(&mut self) {
        for message in self.0.messages() {
            if message.topic() == "kvs.lookup-plus" {
                let json = format!(
                    r#"{{"val":{{"ver":1,"type":"val","data":""}},"rootseq":1,"rootref":"{ROOT}"}}"#
                );
                let response = Message::respond_to(&message, 0, format!("{json}\0").into());
                self.hand_in(response);
            }
        }
    }

    fn setroot(&mut self, seq: i64, keys: &str) {
        let mut event = Message::event("kvs.namespace-primary-setroot");
        let json = format!(
            r#"{{"namespace":"primary","rootseq":{seq},"rootref":"{ROOT}","names":[],"keys":{keys},"owner":100}}"#
        );
        event.set_payload(format!("{json}\0").into());
        (event.userid, event.rolemask) = (100, Role::OWNER);
        self.hand_in(event);
    }

    /// Watchers looked at since the last look.
    fn n_touched(&mut self) -> usize {
        std::mem::take(&mut self.0.actor.core.n_touched)
    }
}

#[test]
fn one_of_very_many_watchers_costs_what_one_costs() {
    let mut crowd = Crowd(Probe::start((), &[], "{}").unwrap());
    for client in 0..WATCHERS_MAX {
        crowd.watch(client, &format!("key{client}"));
    }
    assert_eq!(crowd.n_touched(), WATCHERS_MAX, "each was looked at once");
    crowd.answer_lookups();
    assert_eq!(crowd.n_touched(), WATCHERS_MAX);
    let n_sent = crowd.0.messages().len();
    assert_eq!(n_sent, WATCHERS_MAX, "each has its value");

    crowd.watch(WATCHERS_MAX, "one-more");
    let said: Vec<String> = crowd.0.messages().iter().map(line).collect();
    let full = format!(
        "response kvs-watch.lookup #1 {:?} \"too many watchers\"",
        Errno::ENOBUFS
    );
    assert_eq!(said, [full]);
    assert_eq!(crowd.n_touched(), 0);

    crowd.setroot(2, r#"{"key77":null,"other":null}"#);
    crowd.answer_lookups();
    assert_eq!(
        crowd.n_touched(),
        2,
        "the event, and the answer to its lookup"
    );
    assert_eq!(crowd.0.messages().len(), 1);
    crowd.setroot(3, r#"{"other":null}"#);
    assert_eq!(crowd.n_touched(), 0);

    crowd.request(
        5,
        "kvs-watch.cancel",
        0,
        r#"{"matchtag":1}"#,
        Flags::NORESPONSE,
    );
    assert_eq!(crowd.n_touched(), 1);
    crowd.request(6, "kvs-watch.disconnect", 0, "{}", Flags::NORESPONSE);
    assert_eq!(crowd.n_touched(), 1);
    crowd.watch(WATCHERS_MAX, "one-more");
    assert_eq!(crowd.n_touched(), 1);
    crowd.request(7, "kvs-watch.stats-get", 2, "{}", 0);
    assert_eq!(crowd.n_touched(), 0);
    node::Host::check_invariants(&crowd.0.actor.core);
}
