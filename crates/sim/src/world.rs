//! The stage: a broker, its modules, its clients, the links between them, and the
//! one who decides what happens next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use broker::attrs::Attrs;
use broker::files::Files;
use broker::{BrokerNode, Setup};
use heartbeat::Heartbeat;
use node::{ChildEvent, ChildId, Input, ModuleNode, Now, Output, PeerId, PeerKind};
use proto::{Object, Payload};
use wire::Message;

use crate::clients::Client;
use crate::echo::Echo;
use crate::hosted::{AnyNode, Hosted};
use crate::rng::Rng;

/// Clients at work in every run.
const CLIENTS: u64 = 3;
/// Number of the first client's link; modules count up from below.
const FIRST_CLIENT: u64 = 1_000_000;
/// The owner of the instance.
const OWNER: u32 = 100;
/// Steps with load and faults, then at most so many until all is quiet.
const LOAD_STEPS: u64 = 1500;
const QUIET_STEPS_MAX: u64 = 50_000;
/// Steps that bring a broker to RUN.
const START_STEPS: u64 = 16;
/// SIGKILL, as a wait status too.
const SIGKILL: i32 = 9;

/// A module process that is not one.
struct Process {
    child: ChildId,
    peer: PeerId,
    node: Box<dyn AnyNode>,
    to_module: VecDeque<Message>,
    to_broker: VecDeque<Message>,
    /// Whether the broker has been told of the link.
    known: bool,
    identity: String,
    exited: Option<i32>,
}

/// What a run amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One line a step.
    pub trace: Vec<String>,
    /// Requests that got their final answer.
    pub answered: u64,
    /// Of those, with an error.
    pub failed: u64,
    /// Modules killed.
    pub kills: u64,
}

/// Everything.
pub struct World {
    rng: Rng,
    now: Now,
    broker: Hosted<BrokerNode>,
    processes: Vec<Process>,
    clients: BTreeMap<PeerId, Client>,
    to_broker: BTreeMap<PeerId, VecDeque<Message>>,
    last_peer: u64,
    kill_percent: u64,
    kills: u64,
    trace: Vec<String>,
}

impl World {
    /// A world that follows from `seed`. Modules are killed in so many of 100 runs of
    /// a hundred steps.
    pub fn new(seed: u64, kill_percent: u64) -> World {
        let mut attrs = Attrs::default();
        attrs.put("local-uri", "local:///sim/local-0");
        attrs.put("hostname", "sim");
        attrs
            .set_from_command_line("ferroflux.personality=minimal")
            .expect("it is in the table");
        attrs
            .set_from_command_line("broker.rc2_none")
            .expect("it is in the table");
        let setup = Setup {
            attrs,
            config: Object::default(),
            env: BTreeMap::new(),
            owner: OWNER,
            seed,
            endpoint: "sim".to_owned(),
            program: Vec::new(),
            cleanup_folders: String::new(),
        };
        let known = ["echo", "heartbeat"].map(|name| (name.to_owned(), name.to_owned()));
        let files = Files {
            known: known.into(),
            ..Files::default()
        };
        let node = BrokerNode::new(setup, |_| proto::common::RusageReply::default());
        World {
            rng: Rng::new(seed),
            now: Now {
                mono: Duration::from_secs(1),
                wall: 1000.0,
            },
            broker: Hosted::new(node, files),
            processes: Vec::new(),
            clients: BTreeMap::new(),
            to_broker: BTreeMap::new(),
            last_peer: 0,
            kill_percent,
            kills: 0,
            trace: Vec::new(),
        }
    }

    /// Runs load and faults, then waits for quiet. Panics when a checker speaks.
    pub fn run(mut self) -> Report {
        self.set_the_stage();
        for step in 0..LOAD_STEPS {
            self.load_step(step);
        }
        for _ in 0..QUIET_STEPS_MAX {
            if self.is_quiet() {
                return self.report();
            }
            self.step();
        }
        let waiting: usize = self.clients.values().map(Client::n_waiting).sum();
        panic!(
            "{waiting} requests have no answer: {:#?}",
            self.last_lines()
        );
    }

    fn report(self) -> Report {
        Report {
            answered: self.clients.values().map(|client| client.answered).sum(),
            failed: self.clients.values().map(|client| client.failed).sum(),
            kills: self.kills,
            trace: self.trace,
        }
    }

    /// The end of the trace, for whoever has to find out.
    pub fn last_lines(&self) -> &[String] {
        &self.trace[self.trace.len().saturating_sub(50)..]
    }

    /// Starts the broker, loads the modules, connects the clients.
    fn set_the_stage(&mut self) {
        self.tell_broker(Input::PeerUp {
            peer: PeerId::BROKER,
            kind: PeerKind::Broker,
        });
        for n in 0..CLIENTS {
            let peer = PeerId(FIRST_CLIENT + n);
            let kind = PeerKind::Client {
                uid: OWNER,
                gids: Vec::new(),
                pid: 1,
            };
            self.clients.insert(peer, Client::default());
            self.to_broker.insert(peer, VecDeque::new());
            self.tell_broker(Input::PeerUp { peer, kind });
        }
        // The broker answers requests once it is past its first states.
        for _ in 0..START_STEPS {
            self.pass_time();
            self.finish_step();
        }
        let loader = PeerId(FIRST_CLIENT + CLIENTS);
        self.tell_broker(Input::PeerUp {
            peer: loader,
            kind: PeerKind::Client {
                uid: OWNER,
                gids: Vec::new(),
                pid: 1,
            },
        });
        for name in ["echo", "heartbeat"] {
            let load = proto::module::Load {
                path: name.to_owned(),
                args: Vec::new(),
                name: None,
                loader: None,
                exec: None,
            };
            let mut request = Message::request("module.load", 1);
            request.set_payload(load.encode());
            self.tell_broker(Input::Message {
                from: loader,
                message: request,
            });
        }
        for _ in 0..QUIET_STEPS_MAX {
            if self.processes.len() == 2 && !self.has_work() {
                return;
            }
            self.step();
        }
        panic!("the modules do not start: {:#?}", self.last_lines());
    }

    fn load_step(&mut self, step: u64) {
        if step.is_multiple_of(100) && self.rng.chance(self.kill_percent) {
            self.kill_a_module();
        } else if self.rng.chance(30) {
            let n = self.rng.below(CLIENTS as usize) as u64;
            let peer = PeerId(FIRST_CLIENT + n);
            let client = self.clients.get_mut(&peer).expect("clients stay");
            let message = client.ask(&mut self.rng);
            self.to_broker.entry(peer).or_default().push_back(message);
        } else {
            self.step();
        }
    }

    /// One thing happens: a message arrives, work is done, or time goes on.
    fn step(&mut self) {
        let mut choices: Vec<Choice> = Vec::new();
        for (peer, queue) in &self.to_broker {
            if !queue.is_empty() {
                choices.push(Choice::FromClient(*peer));
            }
        }
        for (at, process) in self.processes.iter().enumerate() {
            if !process.to_module.is_empty() {
                choices.push(Choice::ToModule(at));
            }
            if !process.to_broker.is_empty() {
                choices.push(Choice::FromModule(at));
            }
        }
        if choices.is_empty() || self.rng.chance(5) {
            choices.push(Choice::Time);
        }
        let at = self.rng.below(choices.len());
        self.perform(choices[at]);
        self.finish_step();
    }

    fn perform(&mut self, choice: Choice) {
        match choice {
            Choice::FromClient(from) => {
                let queue = self.to_broker.get_mut(&from);
                if let Some(message) = queue.and_then(VecDeque::pop_front) {
                    self.tell_broker(Input::Message { from, message });
                }
            }
            Choice::FromModule(at) => {
                let process = &mut self.processes[at];
                let (peer, identity) = (process.peer, process.identity.clone());
                let was_known = std::mem::replace(&mut process.known, true);
                let message = process.to_broker.pop_front();
                if !was_known {
                    self.tell_broker(Input::PeerUp {
                        peer,
                        kind: PeerKind::Module { identity },
                    });
                }
                if let Some(message) = message {
                    self.tell_broker(Input::Message {
                        from: peer,
                        message,
                    });
                }
            }
            Choice::ToModule(at) => {
                if let Some(message) = self.processes[at].to_module.pop_front() {
                    self.tell_module(
                        at,
                        Input::Message {
                            from: PeerId::BROKER,
                            message,
                        },
                    );
                }
            }
            Choice::Time => self.pass_time(),
        }
    }

    /// Time goes on to whatever is due next.
    fn pass_time(&mut self) {
        let nodes = self.processes.iter().map(|process| process.node.deadline());
        let Some(at) = nodes.chain([self.broker.deadline()]).flatten().min() else {
            return;
        };
        let spent = at.saturating_sub(self.now.mono);
        self.now.mono += spent;
        self.now.wall += spent.as_secs_f64();
        if self.broker.deadline().is_some_and(|due| due <= at) {
            self.tell_broker(Input::Deadline);
        }
        for process in 0..self.processes.len() {
            if self.processes[process]
                .node
                .deadline()
                .is_some_and(|due| due <= at)
            {
                self.tell_module(process, Input::Deadline);
            }
        }
    }

    /// Ends what the step began: results, batches, exits. Then everybody is checked.
    fn finish_step(&mut self) {
        while let Some(result) = self.broker.take_result() {
            self.tell_broker(result);
        }
        self.tell_broker(Input::Settled);
        for at in 0..self.processes.len() {
            while let Some(result) = self.processes[at].node.take_result() {
                self.tell_module(at, result);
            }
            self.tell_module(at, Input::Settled);
        }
        self.bury_the_dead();
        self.broker.check_invariants();
        for process in &self.processes {
            process.node.check_invariants();
        }
    }

    fn tell_broker(&mut self, input: Input) {
        if let Input::Message { from, message } = &input {
            self.trace.push(format!(
                "{from:?} -> broker: {}",
                node::probe::line(message)
            ));
        }
        self.broker.handle(self.now, input);
        while let Some(output) = self.broker.poll() {
            self.do_for_broker(output);
        }
    }

    fn do_for_broker(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => {
                self.trace
                    .push(format!("broker -> {to:?}: {}", node::probe::line(&message)));
                if let Some(client) = self.clients.get_mut(&to) {
                    client.take(&message);
                } else if let Some(process) = self.processes.iter_mut().find(|p| p.peer == to) {
                    process.to_module.push_back(message);
                }
            }
            Output::Spawn { child, spawn } => self.start(child, &spawn),
            Output::Kill { child, .. } => {
                if let Some(process) = self.processes.iter_mut().find(|p| p.child == child) {
                    process.exited = Some(SIGKILL);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, child: ChildId, spawn: &node::Spawn) {
        let node: Box<dyn AnyNode> = match spawn.argv[0].as_str() {
            "echo" => Box::new(Hosted::new(ModuleNode::<Echo>::default(), ())),
            "heartbeat" => Box::new(Hosted::new(ModuleNode::<Heartbeat>::default(), ())),
            other => panic!("no such module: {other}"),
        };
        let uuid = spawn
            .env_add
            .iter()
            .find(|(name, _)| name == "FLUX_MODULE_UUID");
        self.last_peer += 1;
        self.processes.push(Process {
            child,
            peer: PeerId(self.last_peer),
            node,
            to_module: VecDeque::new(),
            to_broker: VecDeque::new(),
            known: false,
            identity: uuid.map(|(_, uuid)| uuid.clone()).unwrap_or_default(),
            exited: None,
        });
        let at = self.processes.len() - 1;
        self.tell_module(
            at,
            Input::PeerUp {
                peer: PeerId::BROKER,
                kind: PeerKind::Broker,
            },
        );
    }

    fn tell_module(&mut self, at: usize, input: Input) {
        let process = &mut self.processes[at];
        process.node.handle(self.now, input);
        while let Some(output) = process.node.poll() {
            match output {
                Output::Send { message, .. } => process.to_broker.push_back(message),
                Output::Exit { code } => process.exited = Some(code << 8),
                _ => {}
            }
        }
    }

    /// A module dies: what it had said arrives in part, what it was told is lost.
    fn kill_a_module(&mut self) {
        if self.processes.is_empty() {
            return;
        }
        let at = self.rng.below(self.processes.len());
        let process = &mut self.processes[at];
        let arrives = self.rng.below(process.to_broker.len() + 1);
        process.to_broker.truncate(arrives);
        process.to_module.clear();
        process.exited = Some(SIGKILL);
        self.kills += 1;
        self.trace.push(format!("kill {:?}", process.peer));
        self.bury_the_dead();
    }

    fn bury_the_dead(&mut self) {
        while let Some(at) = self.processes.iter().position(|p| p.exited.is_some()) {
            // What is on its way to the broker arrives before the news of the end.
            while !self.processes[at].to_broker.is_empty() {
                self.perform(Choice::FromModule(at));
            }
            let process = self.processes.remove(at);
            let status = process.exited.unwrap_or(0);
            self.trace
                .push(format!("{:?} ends with {status}", process.peer));
            let event = ChildEvent::Exited { status };
            self.tell_broker(Input::Child {
                child: process.child,
                event,
            });
        }
    }

    fn has_work(&self) -> bool {
        self.to_broker.values().any(|queue| !queue.is_empty())
            || self
                .processes
                .iter()
                .any(|p| !p.to_module.is_empty() || !p.to_broker.is_empty())
    }

    /// The quiet checker: nothing is under way and nobody waits.
    fn is_quiet(&self) -> bool {
        !self.has_work() && self.clients.values().all(|client| client.n_waiting() == 0)
    }
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Choice {
    FromClient(PeerId),
    FromModule(usize),
    ToModule(usize),
    Time,
}
