//! Messages of the attack, and the answer that each must have.

use std::collections::BTreeMap;

use anyhow::Result;
use proto::{Answer, Declared, Errno, Payload, Role};
use wire::{Flags, Identity, Message};

use super::enemy::{Enemy, Who};
use crate::site::Rng;
use crate::workspace::root;

/// Kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request as its example is.
    Example,
    /// A request with a payload that is none.
    Malformed,
    /// An event that a component listens to, published without a wait.
    Event,
    /// The same through `event.publish`.
    Publish,
    /// A response that answers nothing.
    Response,
    /// Bytes that are no message.
    Bytes,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [
        Kind::Example,
        Kind::Malformed,
        Kind::Event,
        Kind::Publish,
        Kind::Response,
        Kind::Bytes,
    ];

    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Example => "requests",
            Kind::Malformed => "malformed requests",
            Kind::Event => "events",
            Kind::Publish => "events through event.publish",
            Kind::Response => "forged responses",
            Kind::Bytes => "bytes that are no message",
        }
    }
}

/// Results of messages of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    pub sent: u64,
    pub answered: u64,
    pub not_permitted: u64,
    pub other_errors: u64,
}

/// Answer required for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Must {
    /// EPERM; ENOSYS where nobody answers for the service.
    NotPermitted(String),
    /// An error.
    Fail(String),
    /// Anything, or nothing yet.
    Anything,
}

/// Generator of the attack.
pub struct Assault {
    rng: Rng,
    methods: Vec<(Declared, Vec<u8>)>,
    tag: u32,
    /// By kind.
    pub counts: [Count; 6],
    /// Errors found.
    pub wrong: Vec<String>,
}

/// Modules for whose methods `NAME.x` stands.
const NAMES: [&str; 6] = [
    "kvs",
    "content",
    "job-manager",
    "job-list",
    "job-exec",
    "resource",
];

impl Assault {
    /// Ready to begin.
    pub fn new(rng: Rng) -> Assault {
        let services = proto::services();
        let methods = services.iter().flat_map(|service| service.methods);
        Assault {
            rng,
            methods: methods.map(|method| (*method, example(method))).collect(),
            tag: 0,
            counts: [Count::default(); 6],
            wrong: Vec::new(),
        }
    }

    /// Sends `count` messages and looks at the answers that must come.
    pub fn round(&mut self, enemy: &mut Enemy, who: Who, count: u64) -> Result<()> {
        let mut owed = BTreeMap::new();
        for _ in 0..count {
            self.tag += 1;
            let kind = match self.rng.below(100) {
                0..40 => Kind::Example,
                40..75 => Kind::Malformed,
                75..83 => Kind::Event,
                83..91 => Kind::Publish,
                _ => Kind::Response,
            };
            // Valid requests of the owner are obeyed, and are no attack.
            let kind = match kind {
                Kind::Example | Kind::Event | Kind::Publish if !who.is_guest() => Kind::Malformed,
                kind => kind,
            };
            self.counts[kind as usize].sent += 1;
            if let Some(must) = self.send(enemy, who, kind) {
                owed.insert(self.tag, (kind, must));
            }
        }
        self.take(enemy, owed);
        // Bytes come last: the broker cuts off who sends them.
        self.counts[Kind::Bytes as usize].sent += 1;
        let bytes = self.bytes();
        enemy.send_bytes(&bytes);
        Ok(())
    }

    /// Sends one message; returns the answer that it must have, if it has one.
    fn send(&mut self, enemy: &mut Enemy, who: Who, kind: Kind) -> Option<Must> {
        match kind {
            Kind::Example | Kind::Malformed => self.request(enemy, who, kind == Kind::Malformed),
            Kind::Event | Kind::Publish => {
                let topic = self.event_topic();
                let payload = br#"{"id":1,"jobs":[1],"signum":9,"type":"x","severity":0}"#;
                if kind == Kind::Event {
                    let mut event = Message::event(&topic);
                    event.set_payload([payload.as_slice(), b"\0"].concat().into());
                    enemy.send(event);
                    return None;
                }
                let what = format!("event.publish of {topic}");
                let publish = proto::event::Publish {
                    topic,
                    flags: 0,
                    payload: None,
                };
                let mut request = Message::request("event.publish", self.tag);
                request.set_payload(publish.encode());
                enemy.send(request);
                Some(Must::NotPermitted(what))
            }
            Kind::Response | Kind::Bytes => {
                let (method, payload) = self.rng.choose(&self.methods).clone();
                let tag = self.rng.below(16) as u32;
                let mut response =
                    Message::request(method.topic, tag).into_response(0, payload.into());
                response.enable_routes();
                let route = format!(
                    "{:08x}-0000-4000-8000-000000000000",
                    self.rng.below(1 << 32)
                );
                let route = *self.rng.choose(&[route.as_str(), "", "0", "broker"]);
                Identity::new(route)
                    .into_iter()
                    .for_each(|route| response.push_route(route));
                enemy.send(response);
                None
            }
        }
    }

    fn request(&mut self, enemy: &mut Enemy, who: Who, malformed: bool) -> Option<Must> {
        let (method, example) = self.rng.choose(&self.methods).clone();
        let name = *self.rng.choose::<&str>(&NAMES);
        let topic = method.topic.replace("NAME", name);
        let payload = if malformed {
            self.spoil(example)
        } else {
            example
        };
        let sent = (!payload.is_empty()).then(|| payload.clone().into());
        let is_bad = (method.request_again)(sent.as_ref()).is_err();
        if !who.is_guest() && !is_bad {
            return None;
        }
        let mut request = Message::request(&topic, self.tag);
        request.set_payload(payload.into());
        request.set_flag(Flags::STREAMING, self.rng.below(2) == 0);
        enemy.send(request);
        let is_forbidden = who.is_guest() && !method.role.meets(Role::USER);
        let is_answered = method.answer != Answer::Nothing;
        match (is_forbidden, is_bad) {
            _ if !is_answered => None,
            (true, _) => Some(Must::NotPermitted(topic)),
            (false, true) => Some(Must::Fail(topic)),
            (false, false) => Some(Must::Anything),
        }
    }

    /// A payload that was changed.
    fn spoil(&mut self, example: Vec<u8>) -> Vec<u8> {
        let half = example.len() / 2;
        match self.rng.below(10) {
            0 => Vec::new(),
            1 => b"garbage\0".to_vec(),
            2 => b"[]\0".to_vec(),
            3 => b"{}\0".to_vec(),
            4 => example[..half].to_vec(),
            5 => [&example[..half], b"\0"].concat(),
            6 => [b"{\"a\":".repeat(50_000), b"\0".to_vec()].concat(),
            7 => b"\0\0\0".to_vec(),
            8 => [
                b"{\"id\":1e999,\"x\":".to_vec(),
                vec![b'9'; 1 << 16],
                b"}\0".to_vec(),
            ]
            .concat(),
            _ => br#"{"name":7,"topic":[],"path":1,"namespace":7,"key":{},"ops":3,"id":"x"}"#
                .iter()
                .chain(b"\0")
                .copied()
                .collect(),
        }
    }

    fn event_topic(&mut self) -> String {
        let events: Vec<_> = proto::events().collect();
        let id = self.rng.below(8).to_string();
        let topic = self.rng.choose(&events).topic;
        topic.replace("NAME", "primary").replace("ID", &id)
    }

    /// The beginning of a message that is none, or never ends.
    fn bytes(&mut self) -> Vec<u8> {
        let header = |length: u32| [b"\x12\0\xee\xff".as_slice(), &length.to_be_bytes()].concat();
        match self.rng.below(5) {
            0 => b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            1 => [header(u32::MAX), vec![b'x'; 1 << 16]].concat(),
            2 => header(0),
            3 => [header(256), b"half".to_vec()].concat(),
            _ => (0..4096).map(|_| self.rng.below(256) as u8).collect(),
        }
    }

    /// Takes the answers that must come, and notes those that should be others.
    fn take(&mut self, enemy: &mut Enemy, mut owed: BTreeMap<u32, (Kind, Must)>) {
        let must_come = |must: &Must| *must != Must::Anything;
        let mut n_owed = owed.values().filter(|(_, must)| must_come(must)).count();
        let (counts, wrong) = (&mut self.counts, &mut self.wrong);
        let all_came = n_owed == 0
            || enemy.take(|tag, errnum| {
                let Some((kind, must)) = owed.remove(&tag) else {
                    return false;
                };
                let count = &mut counts[kind as usize];
                count.answered += 1;
                match Errno(errnum) {
                    Errno(0) => {}
                    Errno::EPERM => count.not_permitted += 1,
                    _ => count.other_errors += 1,
                }
                n_owed -= usize::from(must_come(&must));
                match (must, Errno(errnum)) {
                    (Must::NotPermitted(_), Errno::EPERM | Errno::ENOSYS) => {}
                    (Must::NotPermitted(topic), errno) => {
                        wrong.push(format!("a guest's {topic} is answered {errno:?}"));
                    }
                    (Must::Fail(topic), Errno(0)) => {
                        wrong.push(format!("malformed {topic} is answered"));
                    }
                    (Must::Fail(_) | Must::Anything, _) => {}
                }
                n_owed == 0
            });
        if !all_came {
            let silent = owed.into_values().filter(|(_, must)| must_come(must));
            wrong.extend(silent.map(|(_, must)| format!("no answer: {must:?}")));
        }
    }
}

/// A request as it is in the examples of `proto`.
fn example(method: &Declared) -> Vec<u8> {
    let path = root().join(format!("crates/proto/goldens/{}.json", method.topic));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    match &golden["request"] {
        serde_json::Value::Null => Vec::new(),
        serde_json::Value::String(raw) => raw.clone().into_bytes(),
        request => format!("{request}\0").into_bytes(),
    }
}
