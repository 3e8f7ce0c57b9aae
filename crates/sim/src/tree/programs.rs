//! A program on each rank that pings, publishes and listens, and the checkers of its
//! answers: each request is answered once by the one it was for, over the shortest way, or
//! the broker that the program sits on has ended; an event comes once, everywhere under
//! the same number, and none is missing between the first and the last that one hears, nor
//! of those that were published after it was told that it has subscribed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use node::{Input, PeerId, PeerKind};
use proto::common::Pong;
use proto::event::Subscribe;
use proto::state_machine::Wait;
use proto::{Method, Payload};
use wire::{Errno, Flags, Kind, Message};

use super::{Brokers, Due};
use crate::stage::OWNER;

/// Number of the program's link to its broker.
const PROGRAM: PeerId = PeerId(1_000_000);
/// Prefix of the events.
const TOPIC: &str = "tree.";

/// Purpose of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The broker runs.
    Running,
    /// Events.
    Subscribed,
    /// A ping of a rank, over this many brokers.
    Ping(usize, usize),
    /// Something for `truth.rs`.
    Other,
}

/// A program, from the start of its broker to its end.
#[derive(Debug, Default)]
struct Program {
    is_connected: bool,
    waiting: BTreeMap<u32, Asked>,
    is_ready: bool,
    /// The last event that was published, by whomever, when it had subscribed.
    since: u64,
    /// The events that it has received, in order: the life of rank 0, and the number.
    heard: Vec<(u64, u32)>,
    other: Option<Message>,
}

/// All programs, and their common knowledge.
#[derive(Debug)]
pub(super) struct Programs {
    all: Vec<Program>,
    last_tag: u32,
    n_published: u64,
    /// True if rank 0 publishes as soon as anybody has subscribed.
    pub is_prompt: bool,
    /// Number of each event by its topic.
    numbers: BTreeMap<String, u32>,
    /// Events by the life of rank 0 in which they were first received, and number.
    lives: BTreeMap<(u64, u32), String>,
    pub answered: u64,
    pub failed: u64,
}

impl Programs {
    pub fn new(size: usize) -> Programs {
        Programs {
            all: (0..size).map(|_| Program::default()).collect(),
            last_tag: 0,
            n_published: 0,
            is_prompt: false,
            numbers: BTreeMap::new(),
            lives: BTreeMap::new(),
            answered: 0,
            failed: 0,
        }
    }

    /// The broker of a program has ended, and with it the awaited answers of the program.
    pub fn broker_ended(&mut self, rank: usize) {
        let program = std::mem::take(&mut self.all[rank]);
        self.check_heard(rank, &program);
    }

    pub fn is_ready(&self, rank: usize) -> bool {
        self.all[rank].is_ready
    }

    /// Number of events that a program has received.
    pub fn n_heard(&self, rank: usize) -> usize {
        self.all[rank].heard.len()
    }

    /// Requests that programs still wait for.
    pub fn waiting(&self) -> Vec<String> {
        let all = self.all.iter().enumerate();
        let waiting = all.filter(|(_, program)| !program.waiting.is_empty());
        waiting
            .map(|(rank, program)| format!("rank {rank}: {:?}", program.waiting))
            .collect()
    }

    /// Nobody has missed an event between the first and the last that it received.
    fn check_heard(&self, rank: usize, program: &Program) {
        let (Some(first), Some(last)) = (program.heard.first(), program.heard.last()) else {
            return;
        };
        // Numbers begin again with each life of rank 0, which no other broker outlives.
        if first.0 == last.0 {
            let all: Vec<_> = self.lives.range(*first..=*last).map(|(n, _)| *n).collect();
            assert_eq!(program.heard, all, "rank {rank} has missed events");
            let mut before = self.lives.range((first.0, 0)..*first);
            let missed = before.find(|(_, topic)| number_in(topic) > program.since);
            assert_eq!(missed, None, "rank {rank} had subscribed before");
        }
    }

    /// The same for all that still listen.
    pub fn check_all_heard(&self) {
        for (rank, program) in self.all.iter().enumerate() {
            self.check_heard(rank, program);
        }
    }
}

/// Number of an event among all that were published.
fn number_in(topic: &str) -> u64 {
    let number = topic.strip_prefix(TOPIC).and_then(|text| text.parse().ok());
    number.unwrap_or(0)
}

impl Brokers {
    pub(super) fn connect(&mut self, rank: usize) {
        if !self.sites[rank].is_running || self.programs.is_ready(rank) {
            return;
        }
        let (peer, program) = (PROGRAM, &mut self.programs.all[rank]);
        if !std::mem::replace(&mut program.is_connected, true) {
            let kind = PeerKind::Client {
                uid: OWNER,
                gids: Vec::new(),
                pid: 1,
            };
            self.deliver(rank, Input::PeerUp { peer, kind });
        }
        let request = Wait.to_message(0);
        self.ask(rank, request, Asked::Running);
    }

    fn ask(&mut self, rank: usize, mut request: Message, asked: Asked) {
        self.programs.last_tag += 1;
        let tag = self.programs.last_tag;
        if let Kind::Request { matchtag, .. } = &mut request.kind {
            *matchtag = tag;
        }
        self.programs.all[rank].waiting.insert(tag, asked);
        self.note(|| format!("rank {rank} asks {tag}: {asked:?}"));
        let from = PROGRAM;
        let message = request;
        self.deliver(rank, Input::Message { from, message });
    }

    /// Asks one broker something that it answers at once, and gives the answer.
    pub(super) fn ask_here(&mut self, rank: usize, request: &impl Method) -> Message {
        self.ask(rank, request.to_message(0), Asked::Other);
        let answer = self.programs.all[rank].other.take();
        answer.unwrap_or_else(|| panic!("rank {rank} does not answer"))
    }

    /// A program pings a rank; one that there is not is asked for too.
    pub(super) fn ping(&mut self, from: usize, to: usize) {
        let mut request = Message::request("broker.ping", 0);
        request.kind = Kind::Request {
            nodeid: to as u32,
            matchtag: 0,
        };
        request.set_payload(bytes::Bytes::from_static(b"{}\0"));
        let n = self.n_brokers_between(from, to);
        self.ask(from, request, Asked::Ping(to, n));
    }

    /// A program pings the broker above its own.
    pub(super) fn ping_upstream(&mut self, from: usize) {
        let Some(parent) = self.parent(from) else {
            return;
        };
        let mut request = Message::request("broker.ping", 0);
        request.kind = Kind::Request {
            nodeid: from as u32,
            matchtag: 0,
        };
        request.set_flag(Flags::UPSTREAM, true);
        request.set_payload(bytes::Bytes::from_static(b"{}\0"));
        self.ask(from, request, Asked::Ping(parent, 2));
    }

    /// Number of brokers on the way between two ranks, both included.
    fn n_brokers_between(&self, one: usize, other: usize) -> usize {
        let level = |rank: usize| self.topology.level(rank as u32);
        let up = |rank| self.parent(rank).unwrap_or(0);
        if one == other || other >= self.sites.len() {
            1
        } else if level(one) > level(other) {
            1 + self.n_brokers_between(up(one), other)
        } else {
            1 + self.n_brokers_between(one, up(other))
        }
    }

    /// A program publishes an event.
    pub(super) fn publish(&mut self, rank: usize) {
        self.programs.n_published += 1;
        let message = Message::event(&format!("{TOPIC}{}", self.programs.n_published));
        let from = PROGRAM;
        self.deliver(rank, Input::Message { from, message });
    }

    pub(super) fn program_hears(&mut self, rank: usize, message: &Message) {
        match message.kind {
            Kind::Response { errnum, matchtag } => {
                let asked = self.programs.all[rank].waiting.remove(&matchtag);
                let asked = asked.unwrap_or_else(|| panic!("nobody asked for {message:?}"));
                self.note(|| format!("rank {rank} is answered {matchtag}: {}", Errno(errnum)));
                self.answered(rank, asked, Errno(errnum), message);
            }
            Kind::Event { sequence } => self.event(rank, sequence, message.topic()),
            kind => panic!("a program got {kind:?}"),
        }
    }

    fn answered(&mut self, rank: usize, asked: Asked, errno: Errno, message: &Message) {
        let is_ok = errno == Errno(0);
        match asked {
            Asked::Running if is_ok => {
                let topic = TOPIC.to_owned();
                let request = Subscribe { topic }.to_message(0);
                self.ask(rank, request, Asked::Subscribed);
            }
            // It is not so far yet, or ends.
            Asked::Running => {
                let wait = std::time::Duration::from_millis(super::PATIENCE_MS);
                let life = self.sites[rank].life;
                self.later(wait, Due::Connect(rank, life));
            }
            Asked::Subscribed => {
                assert!(is_ok, "rank {rank} cannot subscribe: {errno}");
                let since = self.programs.n_published;
                let program = &mut self.programs.all[rank];
                (program.is_ready, program.since) = (true, since);
                if self.programs.is_prompt && self.programs.is_ready(0) {
                    self.publish(0);
                }
            }
            Asked::Ping(target, n_brokers) => {
                self.programs.answered += 1;
                // Nobody is at a rank that there is not.
                self.programs.failed += u64::from(!is_ok && target < self.sites.len());
                if is_ok {
                    let pong = Pong::decode(message.payload()).expect("a pong");
                    assert_eq!(pong.rank as usize, target, "the wrong one answers");
                    // The program is on the route too.
                    let hops = pong.route.split('!').count();
                    assert_eq!(hops, n_brokers + 1, "{rank} to {target}: {}", pong.route);
                } else {
                    assert_eq!(errno, Errno::EHOSTUNREACH, "{rank} to {target}");
                }
            }
            Asked::Other => {
                assert!(is_ok, "rank {rank}: {errno}");
                self.programs.all[rank].other = Some(message.clone());
            }
        }
    }

    fn event(&mut self, rank: usize, sequence: u32, topic: &str) {
        let life = self.sites[0].life;
        let programs = &mut self.programs;
        let known = programs.numbers.entry(topic.to_owned());
        let is_new = matches!(known, Entry::Vacant(_));
        assert_eq!(*known.or_insert(sequence), sequence, "{topic}");
        if is_new {
            programs.lives.insert((life, sequence), topic.to_owned());
        }
        // Events under way when rank 0 died are of an earlier life.
        let lives = (0..=life).rev().map(|life| (life, sequence));
        let mut lives = lives.filter(|n| programs.lives.get(n).is_some_and(|t| t == topic));
        let number = lives.next().unwrap_or((life, sequence));
        let program = &mut programs.all[rank];
        let last = program.heard.last();
        assert!(
            last.is_none_or(|last| *last < number),
            "rank {rank} hears {number:?} after {last:?}"
        );
        program.heard.push(number);
    }
}
