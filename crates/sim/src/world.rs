//! Brokers, their modules, the programs on their sockets, the links between them, and the one
//! who decides on the next event. `stage.rs` sets all that up, `between.rs` joins the
//! brokers, `faults.rs` breaks it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use broker::BrokerNode;
use node::{ChildEvent, ChildId, Input, Now, Output, PeerId, PeerKind};
use proto::Method;
use proto::job_manager::ExecHello;
use wire::{Kind, Message};

use crate::between::{Between, Way};
use crate::hosted::{AnyNode, Hosted};
use crate::jobs::Shells;
use crate::play::Play;
use crate::program::Program;
use crate::rng::Rng;
use crate::stage::Loader;

/// The most steps until all is quiet after those with load and faults.
pub(crate) const QUIET_STEPS_MAX: u64 = 50_000;
/// Most time that passes while there is something to do, in milliseconds.
const MOMENT_MS: usize = 20;
/// Most messages that a module finds when it looks.
const BURST_MAX: usize = 4;
/// The time at which everything begins.
const START: f64 = 1000.0;
/// SIGKILL, as a wait status too.
pub(crate) const SIGKILL: i32 = 9;

/// A module process that is not one.
pub(crate) struct Process {
    /// Rank of its broker.
    pub(crate) rank: usize,
    pub(crate) child: ChildId,
    pub(crate) peer: PeerId,
    pub(crate) node: Box<dyn AnyNode>,
    pub(crate) name: String,
    pub(crate) to_module: VecDeque<Message>,
    pub(crate) to_broker: VecDeque<Message>,
    /// True if the broker knows of the link.
    pub(crate) known: bool,
    pub(crate) identity: String,
    pub(crate) exited: Option<i32>,
    /// Events of its children that it has not received yet.
    pub(crate) events: VecDeque<Input>,
}

/// Result of a run.
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
    /// Jobs that a scheduler let pass the first one.
    pub passed: u64,
}

/// Everything.
pub struct World {
    pub(crate) play: Play,
    pub(crate) rng: Rng,
    pub(crate) now: Now,
    /// By rank; `None` while it does not run.
    pub(crate) brokers: Vec<Option<Hosted<BrokerNode>>>,
    pub(crate) between: Between,
    pub(crate) processes: Vec<Process>,
    pub(crate) programs: Vec<Box<dyn Program>>,
    /// The link of each program.
    pub(crate) links: Vec<PeerId>,
    /// Rank of the broker on whose socket each link of a program is.
    pub(crate) homes: BTreeMap<PeerId, usize>,
    /// Messages of programs that the broker has not received.
    pub(crate) to_broker: BTreeMap<PeerId, VecDeque<Message>>,
    /// Messages for clients of [`World::by_hand`].
    pub(crate) heard: BTreeMap<PeerId, Vec<Message>>,
    /// By rank.
    pub(crate) loaders: Vec<Loader>,
    /// Job shells, and the knowledge of jobs from outside.
    pub(crate) shells: Shells,
    /// A module that reads no input, and the number of steps of that.
    pub(crate) slow: Option<(String, u64)>,
    pub(crate) last_peer: u64,
    pub(crate) seed: u64,
    pub(crate) folder: Option<tempfile::TempDir>,
    kill_percent: u64,
    pub(crate) kills: u64,
    /// job-exec or the job manager has ended, and they have not met again.
    parted: bool,
    pub(crate) trace: Vec<String>,
    tells: bool,
}

/// The trace of a run that a checker has ended, for those who have to find out.
impl Drop for World {
    #[allow(clippy::print_stderr, reason = "nobody is left to give it to")]
    fn drop(&mut self) {
        if self.tells && std::thread::panicking() {
            eprintln!("{}", self.trace.join("\n"));
        }
    }
}

impl World {
    /// A world that follows from `seed`. There is a fault in N of 100 runs of a
    /// hundred steps.
    pub fn new(play: Play, seed: u64, kill_percent: u64) -> World {
        let folder = play.has_files().then(crate::stage::folder);
        let shells = Shells::default();
        shells.ledger.borrow_mut().now = START;
        World {
            play,
            rng: Rng::new(seed),
            now: Now {
                mono: Duration::from_secs(1),
                wall: START,
            },
            brokers: Vec::new(),
            between: Between::default(),
            processes: Vec::new(),
            programs: play.programs(&shells.ledger),
            homes: BTreeMap::new(),
            shells,
            slow: None,
            links: Vec::new(),
            to_broker: BTreeMap::new(),
            heard: BTreeMap::new(),
            loaders: Vec::new(),
            last_peer: 0,
            seed,
            folder,
            kill_percent,
            kills: 0,
            parted: false,
            trace: Vec::new(),
            tells: false,
        }
    }

    /// The same, telling its whole trace if a checker speaks.
    pub fn telling(mut self) -> World {
        self.tells = true;
        self
    }

    /// Runs load and faults, then waits for quiet. Panics when a checker speaks.
    pub fn run(mut self) -> Report {
        self.set_the_stage();
        for step in 0..self.play.load_steps() {
            self.load_step(step);
        }
        for _ in 0..QUIET_STEPS_MAX {
            if self.is_quiet() {
                return self.report();
            }
            self.let_a_program_ask(false);
            self.step();
        }
        let waiting: Vec<&str> = self
            .programs
            .iter()
            .filter(|program| !program.is_done())
            .map(|program| program.name())
            .collect();
        panic!("{waiting:?} wait for ever: {:#?}", self.last_lines());
    }

    fn report(mut self) -> Report {
        Report {
            answered: self.programs.iter().map(|program| program.answered()).sum(),
            failed: self.programs.iter().map(|program| program.failed()).sum(),
            kills: self.kills,
            passed: self.shells.ledger.borrow().easy.n_passed,
            trace: std::mem::take(&mut self.trace),
        }
    }

    /// Notes something, without the name of the folder, which is new in each run.
    pub(crate) fn note(&mut self, line: String) {
        let folder = self
            .folder
            .as_ref()
            .and_then(|folder| folder.path().to_str());
        self.trace.push(match folder {
            Some(folder) if line.contains(folder) => line.replace(folder, "FOLDER"),
            _ => line,
        });
    }

    /// The end of the trace, for those who have to find out.
    pub fn last_lines(&self) -> &[String] {
        &self.trace[self.trace.len().saturating_sub(50)..]
    }

    fn load_step(&mut self, step: u64) {
        if step.is_multiple_of(100) && self.rng.chance(self.kill_percent) {
            self.break_something();
        } else if self.rng.chance(30) {
            self.let_a_program_ask(true);
        } else {
            self.step();
        }
    }

    fn let_a_program_ask(&mut self, load: bool) {
        let at = self.rng.below(self.programs.len());
        if let Some(message) = self.programs[at].ask(&mut self.rng, load) {
            self.to_broker
                .entry(self.links[at])
                .or_default()
                .push_back(message);
        }
    }

    /// One thing happens: a message arrives, work is done, or time goes on.
    pub(crate) fn step(&mut self) {
        let mut choices: Vec<Choice> = Vec::new();
        for (peer, queue) in &self.to_broker {
            if !queue.is_empty() {
                choices.push(Choice::FromProgram(*peer));
            }
        }
        for (at, process) in self.processes.iter().enumerate() {
            let is_slow = self
                .slow
                .as_ref()
                .is_some_and(|(name, _)| *name == process.name);
            if !process.to_module.is_empty() && !is_slow {
                choices.push(Choice::ToModule(at));
            }
            if !process.to_broker.is_empty() {
                choices.push(Choice::FromModule(at));
            }
            if !process.events.is_empty() {
                choices.push(Choice::Event(at));
            }
        }
        choices.extend(self.busy_shells().map(Choice::Shell));
        choices.extend(self.busy_between().into_iter().map(Choice::Between));
        choices.extend(self.to_be_started().into_iter().map(Choice::Start));
        self.slow = self
            .slow
            .take()
            .and_then(|(name, steps)| Some((name, steps.checked_sub(1)?)));
        if choices.is_empty() && self.slow.take().is_some() {
            return;
        }
        if choices.is_empty() || self.rng.chance(5) {
            choices.push(match choices.is_empty() || !self.play.has_shells() {
                true => Choice::Time,
                false => Choice::Moment,
            });
        }
        let at = self.rng.below(choices.len());
        self.perform(choices[at]);
        self.finish_step();
    }

    pub(crate) fn perform(&mut self, choice: Choice) {
        match choice {
            Choice::FromProgram(from) => {
                let queue = self.to_broker.get_mut(&from);
                if let Some(message) = queue.and_then(VecDeque::pop_front) {
                    let rank = self.home(from);
                    self.deliver_to_broker(rank, Input::Message { from, message });
                }
            }
            Choice::FromModule(at) => {
                let process = &mut self.processes[at];
                let (peer, rank) = (process.peer, process.rank);
                let identity = process.identity.clone();
                let was_known = std::mem::replace(&mut process.known, true);
                let message = process.to_broker.pop_front();
                if !was_known {
                    let kind = PeerKind::Module { identity, group: 1 };
                    self.deliver_to_broker(rank, Input::PeerUp { peer, kind });
                }
                if let Some(message) = message {
                    let from = peer;
                    self.deliver_to_broker(rank, Input::Message { from, message });
                }
            }
            Choice::ToModule(at) => {
                for _ in 0..=self.rng.below(BURST_MAX) {
                    let Some(message) = self.processes[at].to_module.pop_front() else {
                        break;
                    };
                    let is_answer = matches!(message.kind, Kind::Response { .. });
                    self.parted &= !(is_answer && message.topic() == ExecHello::TOPIC);
                    self.deliver_to_module(
                        at,
                        Input::Message {
                            from: PeerId::BROKER,
                            message,
                        },
                    );
                }
            }
            Choice::Event(at) => {
                if let Some(event) = self.processes[at].events.pop_front() {
                    self.deliver_to_module(at, event);
                }
            }
            Choice::Shell(at) => self.turn_of_shell(at),
            Choice::Between(way) => self.pass_between(way),
            Choice::Start(rank) => self.start_follower(rank),
            Choice::Time => self.pass_time(),
            Choice::Moment => self.pass_moment(),
        }
    }

    /// Time goes on to the next due event.
    pub(crate) fn pass_time(&mut self) {
        if let Some(at) = self.next_deadline() {
            self.pass_until(at);
        }
    }

    /// Time of the next due event.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let nodes = self.processes.iter().map(|process| process.node.deadline());
        let brokers = self.brokers.iter().flatten();
        let brokers = brokers.map(|broker| broker.deadline());
        nodes.chain(brokers).flatten().min()
    }

    /// Some time goes on, while there is something to do.
    fn pass_moment(&mut self) {
        let ms = self.rng.below(MOMENT_MS + 1) as u64;
        self.pass_until(self.now.mono + Duration::from_millis(ms));
    }

    fn pass_until(&mut self, at: Duration) {
        let spent = at.saturating_sub(self.now.mono);
        self.now.mono += spent;
        self.now.wall += spent.as_secs_f64();
        self.shells.ledger.borrow_mut().now = self.now.wall;
        for rank in 0..self.brokers.len() {
            let deadline = self.brokers[rank].as_ref().and_then(AnyNode::deadline);
            if deadline.is_some_and(|due| due <= at) {
                self.deliver_to_broker(rank, Input::Deadline);
            }
        }
        for process in 0..self.processes.len() {
            if self.processes[process]
                .node
                .deadline()
                .is_some_and(|due| due <= at)
            {
                self.deliver_to_module(process, Input::Deadline);
            }
        }
    }

    /// Ends the step: results, batches, exits. Then everybody is checked.
    pub(crate) fn finish_step(&mut self) {
        for rank in 0..self.brokers.len() {
            let result = |world: &mut World| world.brokers[rank].as_mut()?.take_result();
            while let Some(result) = result(self) {
                self.deliver_to_broker(rank, result);
            }
            self.deliver_to_broker(rank, Input::Settled);
        }
        for at in 0..self.processes.len() {
            while let Some(result) = self.processes[at].node.take_result() {
                self.deliver_to_module(at, result);
            }
            self.deliver_to_module(at, Input::Settled);
        }
        self.bury_the_dead();
        if !self.loaders.iter().all(Loader::is_idle) {
            self.programs
                .iter_mut()
                .for_each(|program| program.reloading());
        }
        for broker in self.brokers.iter().flatten() {
            broker.check_invariants();
        }
        for process in &self.processes {
            process.node.check_invariants();
        }
    }

    /// Rank of the broker on whose socket a link of a program is.
    pub(crate) fn home(&self, link: PeerId) -> usize {
        self.homes.get(&link).copied().unwrap_or(0)
    }

    /// A broker takes something in, if it runs.
    pub(crate) fn deliver_to_broker(&mut self, rank: usize, input: Input) {
        let Some(broker) = &mut self.brokers[rank] else {
            return;
        };
        let line = match &input {
            Input::Message { from, message } => {
                let line = node::probe::line(message);
                Some(format!("{from:?} -> broker {rank}: {line}"))
            }
            _ => None,
        };
        broker.handle(self.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| broker.poll()).collect();
        line.into_iter().for_each(|line| self.note(line));
        for output in outputs {
            self.do_for_broker(rank, output);
        }
    }

    fn do_for_broker(&mut self, rank: usize, output: Output) {
        match output {
            Output::Send { to, message } => {
                if let Some(way) = self.between.leads_to(rank, to) {
                    return self.send_between(way, message);
                }
                let line = node::probe::line(&message);
                self.note(format!("broker {rank} -> {to:?}: {line}"));
                if let Some(at) = self.links.iter().position(|link| *link == to) {
                    let more = self.programs[at].take(&message);
                    self.to_broker.entry(to).or_default().extend(more);
                } else if let Some(heard) = self.heard.get_mut(&to) {
                    heard.push(message);
                } else if let Some(loader) = self.loaders.iter_mut().find(|it| it.peer == to) {
                    let more = loader.take(&message);
                    self.to_broker.entry(to).or_default().extend(more);
                } else if let Some(process) = self.processes.iter_mut().find(|p| p.peer == to) {
                    process.to_module.push_back(message);
                } else {
                    self.shell_hears(to, &message);
                }
            }
            Output::Spawn { child, spawn } => self.start(rank, child, &spawn),
            Output::Kill { child, .. } => {
                let mut processes = self.processes.iter_mut();
                let its = |p: &&mut Process| (p.rank, p.child) == (rank, child);
                if let Some(process) = processes.find(its) {
                    process.exited = Some(SIGKILL);
                }
            }
            Output::Close { peer } => self.close_between(rank, peer),
            Output::Exit { code } if rank > 0 => self.follower_ends(rank, &format!("with {code}")),
            _ => {}
        }
    }

    fn start(&mut self, rank: usize, child: ChildId, spawn: &node::Spawn) {
        let name = &spawn.argv[0];
        let node = crate::stage::module(name, &self.shells);
        let uuid = spawn
            .env_add
            .iter()
            .find(|(name, _)| name == "FLUX_MODULE_UUID");
        self.last_peer += 1;
        self.processes.push(Process {
            rank,
            child,
            peer: PeerId(self.last_peer),
            node,
            name: name.clone(),
            to_module: VecDeque::new(),
            to_broker: VecDeque::new(),
            known: false,
            identity: uuid.map(|(_, uuid)| uuid.clone()).unwrap_or_default(),
            exited: None,
            events: VecDeque::new(),
        });
        let at = self.processes.len() - 1;
        self.deliver_to_module(
            at,
            Input::PeerUp {
                peer: PeerId::BROKER,
                kind: PeerKind::Broker,
            },
        );
    }

    pub(crate) fn deliver_to_module(&mut self, at: usize, input: Input) {
        if let Input::Message { message, .. } = &input {
            self.module_hears(at, message);
        }
        self.processes[at].node.handle(self.now, input);
        while let Some(output) = self.processes[at].node.poll() {
            if let Output::Send { message, .. } = &output {
                self.module_says(at, message);
            }
            let process = &mut self.processes[at];
            let peer = process.peer;
            match output {
                Output::Send { message, .. } => process.to_broker.push_back(message),
                Output::Exit { code } => process.exited = Some(code << 8),
                Output::Spawn { child, spawn } => self.start_shell(peer, child, &spawn),
                Output::Kill { child, signum, .. } => self.signal_shell(peer, child, signum),
                _ => {}
            }
        }
    }

    pub(crate) fn bury_the_dead(&mut self) {
        self.bury_shells();
        while let Some(at) = self.processes.iter().position(|p| p.exited.is_some()) {
            // Messages on their way to the broker arrive before the news of the end.
            while !self.processes[at].to_broker.is_empty() {
                self.perform(Choice::FromModule(at));
            }
            let process = self.processes.remove(at);
            let status = process.exited.unwrap_or(0);
            if process.name == "job-manager" && status != 0 {
                self.shells.ledger.borrow_mut().n_kills_of_manager += 1;
            }
            if process.rank == 0 && ["job-exec", "job-manager"].contains(&&*process.name) {
                let n_forgotten = u64::from(std::mem::replace(&mut self.parted, true));
                self.shells.ledger.borrow_mut().n_forgotten += n_forgotten;
            }
            self.note(format!("{} ends with {status}", process.name));
            let event = ChildEvent::Exited { status };
            let child = process.child;
            self.deliver_to_broker(process.rank, Input::Child { child, event });
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        self.to_broker.values().any(|queue| !queue.is_empty())
            || self
                .processes
                .iter()
                .any(|p| !p.to_module.is_empty() || !p.to_broker.is_empty() || !p.events.is_empty())
            || self.busy_shells().next().is_some()
            || !self.busy_between().is_empty()
            || !self.to_be_started().is_empty()
            || !self.loaders.iter().all(Loader::is_idle)
    }

    /// The quiet checker: nothing is under way and nobody waits.
    fn is_quiet(&self) -> bool {
        !self.has_work() && self.programs.iter().all(|program| program.is_done())
    }
}

/// Possible next step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Choice {
    FromProgram(PeerId),
    FromModule(usize),
    ToModule(usize),
    /// Something has happened to a child of a module.
    Event(usize),
    /// A job shell does something.
    Shell(usize),
    /// Something passes between two brokers.
    Between(Way),
    /// A broker that has ended starts again.
    Start(usize),
    /// Time goes on to the next deadline.
    Time,
    /// Some time goes on.
    Moment,
}
