//! A broker in a test's hands: links come up and send messages, and every message of the
//! broker to a link waits there until it is looked at.

use std::collections::{BTreeMap, VecDeque};

use node::{ChildEvent, ChildId, Input, Node, Now, Output, PeerId, PeerKind};
use proto::attr::names;
use proto::module::{Load, Status};
use proto::{Method as _, Object};
use wire::{Flags, Identity, Kind, Message};

use crate::attrs::Attrs;
use crate::files::Files;
use crate::{BrokerNode, Ids, Setup};

/// The owner of the instance.
pub(crate) const OWNER: u32 = 100;

/// A module's process, as far as the broker has started it.
#[derive(Debug)]
pub(crate) struct Started {
    pub child: ChildId,
    pub identity: String,
}

/// One broker under test.
pub(crate) struct Probe {
    pub node: BrokerNode,
    pub now: Now,
    files: Files,
    pub said: BTreeMap<PeerId, VecDeque<Message>>,
    pub closed: Vec<PeerId>,
    pub killed: Vec<ChildId>,
    pub started: VecDeque<Started>,
    /// Commands and signals sent to children that are no modules, in order.
    pub to_children: Vec<(ChildId, String)>,
    /// Under which the last module has come up.
    pub last_identity: String,
    last_link: u64,
    last_tag: u32,
}

impl Probe {
    /// A broker that is online, with these modules to load, and lets guests in.
    pub fn start(modules: &[&str]) -> Probe {
        Probe::begin(Attrs::default(), crate::Links::alone(), modules)
    }

    /// Rank 1 of seven brokers, two below each, on the hosts h0 to h6. It has said hello.
    pub fn start_below() -> Probe {
        let scheme = proto::data::topology::Scheme::Kary(2);
        let tree = proto::data::Topology::new(scheme, 7);
        let mut attrs = Attrs::default();
        for (attr, value) in [
            (&names::RANK, "1"),
            (&names::SIZE, "7"),
            (&names::HOSTLIST, "h[0-6]"),
            (&names::HOSTNAME, "h1"),
        ] {
            attrs.put(attr, value);
        }
        let mut probe = Probe::begin(attrs, crate::Links::new(tree), &[]);
        let (peer, kind) = (PeerId::PARENT, PeerKind::Parent);
        probe.deliver(Input::PeerUp { peer, kind });
        probe
    }

    fn begin(mut attrs: Attrs, links: crate::Links, modules: &[&str]) -> Probe {
        attrs.put(&names::LOCAL_URI, "local:///nowhere");
        for attr in ["ferroflux.personality=minimal", "broker.rc2_none"] {
            attrs
                .set_from_command_line(attr)
                .expect("the test has set this up");
        }
        let access = serde_json::json!({"access": {"allow-guest-user": true}});
        let setup = Setup {
            attrs,
            config: Object(
                access
                    .as_object()
                    .expect("the test has set this up")
                    .clone(),
            ),
            env: BTreeMap::new(),
            owner: OWNER,
            ids: Ids::from_seed(7),
            uuid: Ids::from_seed(8).next_uuid(),
            links,
            endpoint: "nowhere".to_owned(),
            program: Vec::new(),
            cleanup_folders: String::new(),
        };
        let known = modules
            .iter()
            .map(|name| ((*name).to_owned(), (*name).to_owned()));
        let mut probe = Probe {
            node: BrokerNode::new(setup, |_| proto::common::RusageReply::default()),
            now: Now::default(),
            files: Files {
                known: known.collect(),
                ..Files::default()
            },
            said: BTreeMap::new(),
            closed: Vec::new(),
            killed: Vec::new(),
            started: VecDeque::new(),
            to_children: Vec::new(),
            last_identity: String::new(),
            last_link: 0,
            last_tag: 1000,
        };
        let (peer, kind) = (PeerId::BROKER, PeerKind::Broker);
        probe.deliver(Input::PeerUp { peer, kind });
        for _ in 0..16 {
            probe.pass(std::time::Duration::from_secs(1));
        }
        probe
    }

    /// Time goes on.
    pub fn pass(&mut self, time: std::time::Duration) {
        self.now.mono += time;
        self.deliver(Input::Deadline);
    }

    pub fn deliver(&mut self, input: Input) {
        self.node.handle(self.now, input);
        while let Some(output) = self.node.poll() {
            match output {
                Output::Send { to, message } => {
                    self.said.entry(to).or_default().push_back(message);
                }
                Output::Close { peer } => self.closed.push(peer),
                Output::Spawn { child, spawn } => {
                    let mut env = spawn.env_add.iter();
                    match env.find(|(name, _)| name == "FLUX_MODULE_UUID") {
                        Some((_, identity)) => self.started.push_back(Started {
                            child,
                            identity: identity.clone(),
                        }),
                        None => {
                            let text = format!("spawn {}", spawn.argv.join(" "));
                            self.to_children.push((child, text));
                        }
                    }
                }
                Output::Kill {
                    child,
                    signum,
                    group,
                } => {
                    self.killed.push(child);
                    let whom = if group { "group" } else { "process" };
                    self.to_children
                        .push((child, format!("kill {whom} {signum}")));
                }
                Output::ChildInput { child, data, eof } => {
                    let text = format!("input {} bytes eof={eof}", data.len());
                    self.to_children.push((child, text));
                }
                Output::ChildFlow { child, paused } => {
                    self.to_children.push((child, format!("paused={paused}")));
                }
                Output::Work { work, job, .. } => {
                    let result = job(&mut self.files);
                    self.node.handle(self.now, Input::Work { work, result });
                }
                _ => {}
            }
        }
        self.node.check_invariants();
    }

    fn link(&mut self) -> PeerId {
        self.last_link += 1;
        PeerId(self.last_link)
    }

    /// A program of this user connects.
    pub fn client(&mut self, uid: u32) -> PeerId {
        let peer = self.link();
        let kind = PeerKind::Client {
            uid,
            gids: Vec::new(),
            pid: 1,
        };
        self.deliver(Input::PeerUp { peer, kind });
        peer
    }

    /// A link comes up on the modules' socket.
    pub fn module_link(&mut self, identity: &str, group: i32) -> PeerId {
        let peer = self.link();
        let kind = PeerKind::Module {
            identity: identity.to_owned(),
            group,
        };
        self.deliver(Input::PeerUp { peer, kind });
        peer
    }

    /// The next process that is started comes up and reports that it runs.
    pub fn module_runs(&mut self) -> (PeerId, ChildId) {
        let (peer, child) = self.module_starts();
        self.runs(peer);
        (peer, child)
    }

    /// The next process that is started comes up and sends nothing yet.
    pub fn module_starts(&mut self) -> (PeerId, ChildId) {
        while self.started.is_empty() {
            self.pass(std::time::Duration::from_secs(1));
        }
        let Started { child, identity } =
            self.started.pop_front().expect("the test has set this up");
        let pid = child.0 as i32;
        let event = ChildEvent::Started { pid };
        self.deliver(Input::Child { child, event });
        let peer = self.module_link(&identity, pid);
        self.last_identity = identity;
        let welcome = self.heard(peer).expect("the test has set this up");
        assert_eq!(welcome.topic(), "welcome");
        (peer, child)
    }

    /// A module reports that it runs.
    pub fn runs(&mut self, peer: PeerId) {
        let mut message = Message::request(Status::TOPIC, 0);
        message.set_flag(Flags::NORESPONSE, true);
        message.set_payload(json("{\"status\":1}"));
        self.say(peer, message);
    }

    /// Loads a module.
    pub fn module(&mut self, name: &str) -> (PeerId, ChildId) {
        self.load(name);
        self.module_runs()
    }

    /// Asks for a module to be loaded.
    pub fn load(&mut self, name: &str) {
        let loader = self.client(OWNER);
        let load = Load {
            path: name.to_owned(),
            args: Vec::new(),
            name: None,
            loader: None,
            exec: None,
        };
        self.say(loader, load.to_message(1));
    }

    /// There is no such program any more.
    pub fn forget_program(&mut self, name: &str) {
        self.files.known.retain(|known, _| known != name);
    }

    /// A module's process ends.
    pub fn exit(&mut self, child: ChildId) {
        let event = ChildEvent::Exited { status: 1 << 8 };
        self.deliver(Input::Child { child, event });
    }

    /// A link sends a message.
    pub fn say(&mut self, from: PeerId, message: Message) {
        self.deliver(Input::Message { from, message });
    }

    /// A link asks something; gives the answer.
    pub fn call(&mut self, from: PeerId, topic: &str, payload: &str) -> Message {
        self.last_tag += 1;
        let mut message = Message::request(topic, self.last_tag);
        message.set_payload(json(payload));
        self.say(from, message);
        self.heard(from).expect("the test has set this up")
    }

    /// The next message that the broker has for a link.
    pub fn heard(&mut self, link: PeerId) -> Option<Message> {
        self.said.get_mut(&link)?.pop_front()
    }
}

/// A JSON payload.
pub(crate) fn json(text: &str) -> bytes::Bytes {
    bytes::Bytes::from(format!("{text}\0"))
}

/// Number and text of an answer.
pub(crate) fn outcome(message: &Message) -> (u32, &str) {
    match message.kind {
        Kind::Response { errnum, .. } => (errnum, message.error_text().unwrap_or_default()),
        other => panic!("not a response: {other:?}"),
    }
}

/// An identity.
pub(crate) fn identity(text: &str) -> Identity {
    Identity::new(text).expect("the test has set this up")
}
