//! A module in a test's hands: requests go in as JSON, all its messages come out as lines
//! of text, and nothing else happens behind the test's back.

use std::time::Duration;

use bytes::Bytes;
use proto::common::Welcome;
use proto::{Object, Refusal, Role};
use wire::{Errno, Flags, Identity, Kind, Message};

use crate::contract::{Input, Now, Output, PeerId};
use crate::{Actor, Module};

/// One module under test, started, with its worker run inline.
pub struct Probe<M: Module> {
    /// The module.
    pub actor: Actor<M>,
    worker: M::Worker,
    now: Now,
    next_tag: u32,
}

impl<M: Module> Probe<M> {
    /// Starts a module as user 100's instance of size 1, with these arguments and
    /// this configuration (a JSON object).
    pub fn start(worker: M::Worker, args: &[&str], conf: &str) -> Result<Probe<M>, Refusal> {
        Probe::start_with(worker, args, conf, &[])
    }

    /// The same with further attributes, or other values for those three.
    pub fn start_with(
        worker: M::Worker,
        args: &[&str],
        conf: &str,
        attrs: &[(&str, &str)],
    ) -> Result<Probe<M>, Refusal> {
        let mut welcome = Welcome {
            name: M::NAME.to_owned(),
            ..Welcome::default()
        };
        welcome.uuid = format!("{}-uuid", M::NAME);
        welcome.args = Some(args.iter().map(|arg| (*arg).to_owned()).collect());
        welcome.conf = Object(serde_json::from_str(conf).expect("a test gives a JSON object"));
        let instance = [("rank", "0"), ("size", "1"), ("security.owner", "100")];
        for &(name, value) in instance.iter().chain(attrs) {
            welcome.attrs.insert(name.to_owned(), value.to_owned());
        }
        let now = Now {
            mono: Duration::from_secs(1),
            wall: 1000.0,
        };
        let actor = Actor::new(now, welcome, M::routes(), M::start)?;
        Ok(Probe {
            actor,
            worker,
            now,
            next_tag: 1,
        })
    }

    /// Sends a request as the owner; returns its matchtag.
    pub fn request(&mut self, topic: &str, json: &str) -> u32 {
        self.request_as(topic, json, 100, Role::OWNER, 0)
    }

    /// Sends a streaming request as the owner; returns its matchtag.
    pub fn stream(&mut self, topic: &str, json: &str) -> u32 {
        self.request_as(topic, json, 100, Role::OWNER, Flags::STREAMING)
    }

    /// Sends a request from client `client`, with a credential and flags of the
    /// test's choice.
    pub fn request_as(
        &mut self,
        topic: &str,
        json: &str,
        userid: u32,
        rolemask: Role,
        flags: u8,
    ) -> u32 {
        let tag = self.next_tag;
        self.next_tag += 1;
        let mut message = Message::request(topic, tag);
        message.set_payload(json_payload(json));
        message.set_flag(flags, true);
        (message.userid, message.rolemask) = (userid, rolemask);
        if let Some(identity) = Identity::new("client") {
            message.push_route(identity);
        }
        self.message(message);
        tag
    }

    /// Hands in any message.
    pub fn message(&mut self, message: Message) {
        self.input(Input::Message {
            from: PeerId::BROKER,
            message,
        });
    }

    /// Publishes an event to the module as the owner.
    pub fn event(&mut self, topic: &str, json: &str) {
        self.event_as(topic, json, 100, Role::OWNER);
    }

    /// The same with a credential of the test's choice.
    pub fn event_as(&mut self, topic: &str, json: &str, userid: u32, rolemask: Role) {
        let mut message = Message::event(topic);
        message.set_payload(json_payload(json));
        (message.userid, message.rolemask) = (userid, rolemask);
        self.message(message);
    }

    /// Answers the module's own request with matchtag `tag`: JSON or an error.
    pub fn answer(&mut self, topic: &str, tag: u32, result: Result<&str, Refusal>) {
        self.answer_flagged(topic, tag, result, 0);
    }

    /// The same for a streaming request.
    pub fn answer_stream(&mut self, topic: &str, tag: u32, result: Result<&str, Refusal>) {
        self.answer_flagged(topic, tag, result, Flags::STREAMING);
    }

    fn answer_flagged(&mut self, topic: &str, tag: u32, result: Result<&str, Refusal>, flags: u8) {
        let mut request = Message::request(topic, tag);
        request.set_flag(flags, true);
        let mut response = match result {
            Ok(json) => request.into_response(0, json_payload(json)),
            Err(refusal) => {
                let text = refusal
                    .text
                    .as_deref()
                    .map_or(Bytes::new(), crate::cx::nul_terminated);
                request.into_response(refusal.errno.0, text)
            }
        };
        (response.userid, response.rolemask) = (100, Role::OWNER);
        self.message(response);
    }

    /// Hands in anything.
    pub fn input(&mut self, input: Input) {
        self.actor.handle(self.now, input);
        self.actor.core.check_invariants();
    }

    /// Reports that everything that had arrived was handled.
    pub fn settle(&mut self) {
        self.input(Input::Settled);
    }

    /// Current time.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Lets time pass, timers included.
    pub fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall += time.as_secs_f64();
        self.input(Input::Deadline);
    }

    /// Everything said since the last look, with work done on the spot.
    pub fn outputs(&mut self) -> Vec<Output> {
        let mut said = Vec::new();
        while let Some(output) = self.actor.poll() {
            match output {
                Output::Work { work, job, .. } => {
                    let result = job(&mut self.worker);
                    self.input(Input::Work { work, result });
                }
                other => said.push(other),
            }
        }
        said
    }

    /// Messages said since the last look.
    pub fn messages(&mut self) -> Vec<Message> {
        let outputs = self.outputs().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Send { message, .. } => Some(message),
                _ => None,
            })
            .collect()
    }

    /// Everything said since the last look, one line each: see [`line`].
    pub fn said(&mut self) -> Vec<String> {
        let outputs = self.outputs().into_iter();
        outputs
            .map(|output| match output {
                Output::Send { message, .. } => line(&message),
                other => format!("{other:?}"),
            })
            .collect()
    }
}

/// A test may end in the middle of a conversation: open requests are no mistake of the
/// module.
impl<M: Module> Drop for Probe<M> {
    fn drop(&mut self) {
        self.actor.cx.closing.set(true);
    }
}

/// A message on one line: `request TOPIC #TAG PAYLOAD`, `response TOPIC #TAG PAYLOAD`,
/// `response TOPIC #TAG ERRNO "text"`, or `event TOPIC PAYLOAD`.
pub fn line(message: &Message) -> String {
    let payload = message.payload().map_or(String::new(), |payload| {
        let text = payload.strip_suffix(b"\0").unwrap_or(payload);
        format!(" {}", String::from_utf8_lossy(text))
    });
    let topic = message.topic();
    match message.kind {
        Kind::Request { matchtag, .. } if message.has(Flags::NORESPONSE) => {
            debug_assert_eq!(matchtag, 0);
            format!("notify {topic}{payload}")
        }
        Kind::Request { matchtag, .. } => format!("request {topic} #{matchtag}{payload}"),
        Kind::Response {
            errnum: 0,
            matchtag,
        } => format!("response {topic} #{matchtag}{payload}"),
        Kind::Response { errnum, matchtag } => {
            let text = message
                .error_text()
                .map_or(String::new(), |text| format!(" {text:?}"));
            format!("response {topic} #{matchtag} {:?}{text}", Errno(errnum))
        }
        Kind::Event { .. } => format!("event {topic}{payload}"),
        Kind::Control { control, status } => format!("control {control} {status}"),
    }
}

fn json_payload(json: &str) -> Bytes {
    if json.is_empty() {
        Bytes::new()
    } else {
        crate::cx::nul_terminated(json)
    }
}
