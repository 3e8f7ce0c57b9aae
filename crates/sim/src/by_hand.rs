//! A world that is moved by hand: for tests that choose the next event, one message at a
//! time, and see the state of each component.

use std::time::Duration;

use node::{Input, PeerId};
use wire::Message;

use crate::hosted::AnyNode;
use crate::play::Play;
use crate::world::{Choice, Process, QUIET_STEPS_MAX, SIGKILL, World};

/// One message, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Sender: a module, a `job shell` or a `client`.
    pub from: String,
    /// `request`, `notify`, `response` or `event`.
    pub kind: String,
    /// Topic.
    pub topic: String,
}

/// Messages after which a world should have come to rest.
const REST_STEPS_MAX: usize = 10_000;

impl World {
    /// A world in which the modules of `play` run and nothing happens by itself.
    pub fn by_hand(play: Play) -> World {
        let mut world = World::new(play, 1, 0).telling();
        world.set_the_stage();
        world.rest();
        world
    }

    /// A new client of the owner.
    pub fn client(&mut self) -> PeerId {
        let link = self.connect(0);
        self.heard.insert(link, Vec::new());
        link
    }

    /// The clients of the owner, oldest first.
    pub fn clients(&self) -> Vec<PeerId> {
        self.heard.keys().copied().collect()
    }

    /// Number of brokers.
    pub fn n_ranks(&self) -> u32 {
        self.brokers.len() as u32
    }

    /// Time that has passed, in milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now.mono.as_millis() as u64
    }

    /// A client sends a message, which is on its way then.
    pub fn send(&mut self, client: PeerId, message: Message) {
        self.to_broker.entry(client).or_default().push_back(message);
    }

    /// Messages to a client since the last call.
    pub fn heard(&mut self, client: PeerId) -> Vec<Message> {
        let heard = self.heard.get_mut(&client);
        heard.map(std::mem::take).unwrap_or_default()
    }

    /// A client's connection ends. Its messages have arrived before.
    pub fn leave(&mut self, client: PeerId) {
        while self
            .to_broker
            .get(&client)
            .is_some_and(|queue| !queue.is_empty())
        {
            self.perform(Choice::FromProgram(client));
        }
        self.to_broker.remove(&client);
        self.heard.remove(&client);
        let rank = self.home(client);
        self.deliver_to_broker(rank, Input::PeerDown { peer: client });
        self.finish_step();
    }

    /// One message arrives, always the first that can. False if none is on its way.
    pub fn deliver(&mut self) -> bool {
        let mut programs = self.to_broker.iter();
        let program = programs.find(|(_, queue)| !queue.is_empty());
        let stalled = self.slow.as_ref().map(|(name, _)| name.as_str());
        let moves = |process: &Process| stalled != Some(process.name.as_str());
        let mut modules = self.processes.iter();
        let to_module = modules.position(|p| moves(p) && !p.to_module.is_empty());
        let mut modules = self.processes.iter();
        let from_module = modules.position(|p| moves(p) && !p.to_broker.is_empty());
        if let Some((link, _)) = program {
            self.perform(Choice::FromProgram(*link));
        } else if let Some(at) = to_module {
            let from = PeerId::BROKER;
            if let Some(message) = self.processes[at].to_module.pop_front() {
                self.deliver_to_module(at, Input::Message { from, message });
            }
        } else if let Some(at) = from_module {
            self.perform(Choice::FromModule(at));
        } else if let Some(way) = self.busy_between().first() {
            self.pass_between(*way);
        } else {
            return false;
        }
        self.finish_step();
        true
    }

    /// A module takes nothing in and says nothing until [`World::move_on`], its successors
    /// included.
    pub fn stall(&mut self, module: &str) {
        self.slow = Some((module.to_owned(), u64::MAX));
    }

    /// Resumes stalled components.
    pub fn move_on(&mut self) {
        self.slow = None;
    }

    /// A module dies with the messages that it has not looked at. The broker starts another.
    pub fn kill_module(&mut self, module: &str) {
        if let Some(process) = self.processes.iter_mut().find(|it| it.name == module) {
            process.to_module.clear();
            process.to_broker.clear();
            process.exited = Some(SIGKILL);
        }
        self.finish_step();
    }

    /// The broker of a rank dies, which is not 0, and all that is on it. Others are notified
    /// with the next delivery.
    pub fn end_rank(&mut self, rank: usize) {
        self.follower_ends(rank, "by hand");
        self.finish_step();
    }

    /// Brokers that have ended start again, once they can.
    pub fn start_ranks(&mut self) {
        for _ in 0..QUIET_STEPS_MAX {
            if self.brokers.iter().all(Option::is_some) && !self.has_work() {
                return;
            }
            self.step();
        }
        panic!("the brokers do not come back: {:#?}", self.last_lines());
    }

    /// Delivers everything that is on its way, and its immediate results.
    pub fn rest(&mut self) {
        for _ in 0..REST_STEPS_MAX {
            if !self.deliver() {
                return;
            }
        }
        panic!("no rest: {:#?}", self.last_lines());
    }

    /// The next timer goes off, with its results.
    pub fn wait(&mut self) {
        self.pass_time();
        self.finish_step();
        self.rest();
    }

    /// Plays on for some milliseconds. Job shells have this many turns, and receive their
    /// events.
    pub fn play(&mut self, ms: u64, mut turns: usize) {
        let end = self.now.mono + Duration::from_millis(ms);
        for _ in 0..REST_STEPS_MAX {
            self.rest();
            let event = self.processes.iter().position(|it| !it.events.is_empty());
            let shell = self.busy_shells().next().filter(|_| turns > 0);
            if let Some(at) = event {
                self.perform(Choice::Event(at));
            } else if let Some(at) = shell {
                turns -= 1;
                self.perform(Choice::Shell(at));
            } else if self.next_deadline().is_some_and(|at| at <= end) {
                self.pass_time();
            } else {
                // The component that was last resumed may have more to send.
                let before = self.trace.len();
                self.finish_step();
                self.rest();
                if self.trace.len() == before {
                    return;
                }
            }
            self.finish_step();
        }
        panic!("no rest: {:#?}", self.last_lines());
    }

    /// All messages that modules, shells and clients have sent so far, events among them.
    pub fn sent(&self) -> Vec<Sent> {
        let name_of = |peer: &str| {
            let mut modules = self.processes.iter();
            let module = modules.find(|it| format!("{:?}", it.peer) == peer);
            let is_client = self.heard.keys().any(|link| format!("{link:?}") == peer);
            module.map_or_else(
                || if is_client { "client" } else { "job shell" }.to_owned(),
                |it| it.name.clone(),
            )
        };
        let read = |line: &String| {
            let (peer, message) = line.split_once(" -> broker 0: ")?;
            let mut words = message.split(' ');
            Some(Sent {
                from: name_of(peer),
                kind: words.next()?.to_owned(),
                topic: words.next()?.to_owned(),
            })
        };
        self.trace.iter().filter_map(read).collect()
    }

    /// Number of requests for which each component keeps state.
    pub fn tokens(&self) -> Vec<(String, usize)> {
        let modules = self.processes.iter();
        let modules = modules.map(|process| (process.name.clone(), process.node.n_tokens()));
        let brokers = self.brokers.iter().flatten();
        let brokers = brokers.map(|broker| ("broker".to_owned(), broker.n_tokens()));
        modules.chain(brokers).collect()
    }
}
