//! A tree of kvs with clients on every rank, on one thread and one seed: messages take their
//! time, and any kvs dies at any moment. The broker of the test acts as brokers do: links
//! keep the order, unanswered requests are handed to the next process, and answers to a dead
//! process are dropped.
//!
//! Leaves whose clients ask seldom do not follow the changes meanwhile.
//!
//! Checked is that nothing acknowledged is lost, nothing is applied twice, who has made a
//! version sees it, and no rank goes back to an older one.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use node::number_route;
use node::probe::Probe;
use proto::content::{CheckpointGet, Commit as Batch, Record, RecordList};
use proto::event::{Subscribe, Unsubscribe};
use proto::kvs::{Commit, Committed, Found, GetRoot, Lookup, Root};
use proto::{Errno, Method, Payload, Refusal, Role};
use wire::{Identity, Kind, Message};

use crate::Kvs;

/// Receiver of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Client(usize),
    /// A process of the kvs of this rank, and the tag that it has given.
    Kvs(usize, u64, u32),
    /// The test itself.
    Test,
}

/// A request that a broker has given to its kvs.
#[derive(Debug, Clone)]
struct Call {
    asker: Asker,
    number: u64,
    request: Message,
}

struct Site {
    kvs: Probe<Kvs>,
    process: u64,
    /// Messages not yet handled by the kvs.
    inbox: VecDeque<Message>,
    calls: BTreeMap<u32, Call>,
    subscribed: Vec<String>,
    /// To the parent, and from it.
    up: VecDeque<(Asker, Message)>,
    down: VecDeque<Message>,
    n_requests: u64,
    /// Newest version that was seen here.
    seen: i64,
}

/// Request that a client waits for.
#[derive(Debug)]
enum Waits {
    Commit(String),
    Root,
    Value(Vec<String>),
}

struct Client {
    rank: usize,
    waits: Option<Waits>,
    /// Values whose commits were acknowledged on this rank, to this client.
    acked: Vec<String>,
    least: i64,
}

#[derive(Default)]
struct Content {
    /// The process of the kvs that has opened the records last.
    writer: u64,
    stored: u64,
    blobs: BTreeMap<Bytes, Bytes>,
    records: BTreeMap<String, Bytes>,
    queue: VecDeque<(u64, Message)>,
}

struct World {
    sites: Vec<Site>,
    clients: Vec<Client>,
    content: Content,
    tag: u32,
    random: u64,
    /// Factor by which clients of leaves ask, and kvs die, less often than others.
    calm: usize,
    /// Number of times that a rank has ceased to follow.
    n_rests: usize,
    n_values: usize,
    all: Vec<String>,
    answer: Option<Message>,
}

fn start(rank: usize, process: u64) -> Probe<Kvs> {
    let (rank, broker) = (rank.to_string(), format!("broker-{rank}"));
    let attrs = [("rank", rank.as_str()), ("broker.uuid", broker.as_str())];
    let merge = format!("transaction-merge={}", process % 2);
    Probe::start_with((), &[&merge], "{}", &attrs).unwrap()
}

impl World {
    fn new(size: usize, seed: u64) -> World {
        let site = |rank| Site {
            kvs: start(rank, 1),
            process: 1,
            inbox: VecDeque::new(),
            calls: BTreeMap::new(),
            subscribed: Vec::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            n_requests: 1000 * rank as u64,
            seen: 0,
        };
        let client = |n| Client {
            rank: n % size,
            waits: None,
            acked: Vec::new(),
            least: 0,
        };
        World {
            sites: (0..size).map(site).collect(),
            clients: (0..3 * size).map(client).collect(),
            content: Content::default(),
            tag: 1 << 20,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            calm: 1,
            n_rests: 0,
            n_values: 0,
            all: Vec::new(),
            answer: None,
        }
    }

    fn below(&mut self, n: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % n
    }

    /// A binary tree.
    fn parent(rank: usize) -> usize {
        (rank - 1) / 2
    }

    fn children(&self, rank: usize) -> impl Iterator<Item = usize> + use<> {
        let size = self.sites.len();
        (2 * rank + 1..=2 * rank + 2).filter(move |child| *child < size)
    }

    fn step(&mut self, deadly: bool) {
        let rank = self.below(self.sites.len());
        match self.below(12) {
            0..=3 => self.let_kvs_work(rank),
            4 | 5 => self.carry_up(rank),
            6 | 7 => self.carry_down(rank),
            8 | 9 => self.let_content_work(),
            10 => {
                let client = self.below(self.clients.len());
                self.let_client_ask(client);
            }
            _ if deadly && self.below(12 * self.calm) == 0 => self.kill(rank),
            _ => {}
        }
    }

    fn let_kvs_work(&mut self, rank: usize) {
        for _ in 0..=self.below(4) {
            let Some(message) = self.sites[rank].inbox.pop_front() else {
                break;
            };
            self.sites[rank].kvs.message(message);
        }
        self.sites[rank].kvs.settle();
        self.hear(rank);
    }

    fn hear(&mut self, rank: usize) {
        for message in self.sites[rank].kvs.messages() {
            match message.kind {
                Kind::Event { .. } => {
                    let mut event = message;
                    (event.userid, event.rolemask) = (100, Role::OWNER);
                    self.publish(rank, &event);
                }
                Kind::Response { matchtag, .. } => {
                    let call = self.sites[rank].calls.remove(&matchtag);
                    call.into_iter()
                        .for_each(|call| self.answer(call, message.clone()));
                }
                Kind::Request { matchtag, .. } => self.route(rank, matchtag, message),
                Kind::Control { .. } => {}
            }
        }
    }

    /// Rank 0 has published: who is below gets it in its turn.
    fn publish(&mut self, rank: usize, event: &Message) {
        for child in self.children(rank) {
            self.sites[child].down.push_back(event.clone());
        }
    }

    fn route(&mut self, rank: usize, tag: u32, message: Message) {
        let site = &mut self.sites[rank];
        match message.topic() {
            "event.subscribe" => {
                let topic = Subscribe::decode(message.payload()).unwrap().topic;
                site.subscribed.push(topic);
                self.give_back(rank, message, Ok(Bytes::new()));
            }
            "event.unsubscribe" => {
                let topic = Unsubscribe::decode(message.payload()).unwrap().topic;
                let at = site.subscribed.iter().position(|known| *known == topic);
                site.subscribed.remove(at.expect("it was subscribed to"));
                self.n_rests += 1;
                self.give_back(rank, message, Ok(Bytes::new()));
            }
            "content.load" => {
                let digest = message.payload().unwrap();
                let blob = self.content.blobs.get(digest).cloned();
                self.give_back(rank, message, blob.ok_or(Refusal::bare(Errno::ENOENT)));
            }
            topic if topic.starts_with("content.") => {
                let process = self.sites[rank].process;
                self.content.queue.push_back((process, message));
            }
            _ => {
                let asker = Asker::Kvs(rank, site.process, tag);
                site.up.push_back((asker, message));
            }
        }
    }

    fn give_back(&mut self, rank: usize, request: Message, result: Result<Bytes, Refusal>) {
        let response = match result {
            Ok(payload) => request.into_response(0, payload),
            Err(refusal) => request.into_response(refusal.errno.0, Bytes::new()),
        };
        self.sites[rank].inbox.push_back(response);
    }

    fn carry_up(&mut self, rank: usize) {
        if let Some((asker, message)) = self.sites[rank].up.pop_front() {
            self.ask(Self::parent(rank), asker, message);
        }
    }

    /// A broker gets a request for its kvs.
    fn ask(&mut self, rank: usize, asker: Asker, request: Message) {
        let site = &mut self.sites[rank];
        site.n_requests += 1;
        let number = site.n_requests;
        self.hand(
            rank,
            Call {
                asker,
                number,
                request,
            },
        );
    }

    fn hand(&mut self, rank: usize, call: Call) {
        self.tag += 1;
        let mut message = Message::request(call.request.topic(), self.tag);
        message.set_payload(call.request.payload().cloned().unwrap_or_default());
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new("sender").unwrap());
        if message.topic() == Commit::TOPIC {
            message.push_route(number_route(call.number).unwrap());
        }
        message.push_route(Identity::new("broker").unwrap());
        self.sites[rank].calls.insert(self.tag, call);
        self.sites[rank].inbox.push_back(message);
    }

    fn answer(&mut self, call: Call, response: Message) {
        match call.asker {
            Asker::Client(client) => self.client_hears(client, &response),
            Asker::Test => self.answer = Some(response),
            Asker::Kvs(rank, process, tag) => {
                let Kind::Response { errnum, .. } = response.kind else {
                    return;
                };
                let request = Message::request(response.topic(), tag);
                let payload = response.payload().cloned().unwrap_or_default();
                let response = request.into_response(errnum, payload);
                // One of a process that has died goes nowhere, but takes its time.
                if self.sites[rank].process == process {
                    self.sites[rank].down.push_back(response);
                }
            }
        }
    }

    fn carry_down(&mut self, rank: usize) {
        let Some(message) = self.sites[rank].down.pop_front() else {
            return;
        };
        if let Kind::Event { .. } = message.kind {
            self.publish(rank, &message);
            let site = &mut self.sites[rank];
            let topic = message.topic();
            if !site
                .subscribed
                .iter()
                .any(|prefix| topic.starts_with(prefix.as_str()))
            {
                return;
            }
        }
        self.sites[rank].inbox.push_back(message);
    }

    fn let_content_work(&mut self) {
        let Some((process, message)) = self.content.queue.pop_front() else {
            return;
        };
        let content = &mut self.content;
        let result = match message.topic() {
            "content.records" => {
                content.writer = process;
                content.stored = 0;
                let records = content.records.iter().map(|(key, value)| Record {
                    key: key.clone(),
                    value: Some(value.clone()),
                });
                Ok(RecordList(records.collect()).encode())
            }
            "content.commit" => {
                let batch = Batch::decode(message.payload()).unwrap();
                content.commit(process, batch)
            }
            CheckpointGet::TOPIC => Err(Refusal::bare(Errno::ENOENT)),
            topic => panic!("{topic}"),
        };
        if self.sites[0].process == process {
            self.give_back(0, message, result);
        }
    }

    fn kill(&mut self, rank: usize) {
        let site = &mut self.sites[rank];
        site.process += 1;
        site.kvs = start(rank, site.process);
        site.inbox.clear();
        site.subscribed.clear();
        // Messages from the parent for the dead process are lost with it.
        site.down
            .retain(|message| matches!(message.kind, Kind::Event { .. }));
        let dead = site.process - 1;
        // Its messages are on their way, and come in before those of the next one.
        let mut calls: Vec<Call> = std::mem::take(&mut site.calls).into_values().collect();
        calls.sort_by_key(|call| call.number);
        for call in calls {
            self.hand(rank, call);
        }
        self.hear(rank);
        if rank != 0 {
            let is_its =
                |call: &Call| matches!(call.asker, Asker::Kvs(r, p, _) if r == rank && p == dead);
            let parent = &mut self.sites[Self::parent(rank)];
            // Its requests may be done all the same, but nobody waits for them.
            parent.calls.retain(|_, call| !is_its(call));
        }
    }

    fn let_client_ask(&mut self, n: usize) {
        let is_leaf = self.children(self.clients[n].rank).next().is_none();
        if self.clients[n].waits.is_some() || is_leaf && self.below(self.calm) > 0 {
            return;
        }
        let namespace = "primary".to_owned();
        let (waits, topic, payload) = match self.below(5) {
            0 => (Waits::Root, GetRoot::TOPIC, GetRoot { namespace }.encode()),
            1 => {
                let request = Lookup::new("primary", "log", 0);
                let acked = self.clients[n].acked.clone();
                (Waits::Value(acked), Lookup::TOPIC, request.encode())
            }
            _ => {
                self.n_values += 1;
                let value = format!("<{}>", self.n_values);
                self.all.push(value.clone());
                let request = Commit::new("primary").append("log", value.clone());
                (Waits::Commit(value), Commit::TOPIC, request.encode())
            }
        };
        self.clients[n].waits = Some(waits);
        let mut message = Message::request(topic, 1);
        message.set_payload(payload);
        self.ask(self.clients[n].rank, Asker::Client(n), message);
    }

    fn client_hears(&mut self, n: usize, response: &Message) {
        let client = &mut self.clients[n];
        let seen = &mut self.sites[client.rank].seen;
        let errnum = match response.kind {
            Kind::Response { errnum, .. } => errnum,
            _ => return,
        };
        match client.waits.take().expect("it has asked") {
            Waits::Commit(value) if errnum == 0 => {
                let made = Committed::decode(response.payload()).unwrap();
                client.acked.push(value);
                client.least = client.least.max(made.rootseq);
            }
            Waits::Commit(_) => {}
            Waits::Root => {
                let root = Root::decode(response.payload()).unwrap();
                assert!(root.rootseq >= client.least, "its own commit is not there");
                assert!(root.rootseq >= *seen, "rank {} has gone back", client.rank);
                *seen = root.rootseq;
            }
            Waits::Value(acked) => {
                let text = match errnum {
                    0 => Found::decode(response.payload()).unwrap().bytes().unwrap(),
                    _ => Bytes::new(),
                };
                let text = String::from_utf8_lossy(&text);
                for value in acked {
                    assert!(
                        text.contains(&value),
                        "{value} is not in {text:?}, errno {errnum}"
                    );
                }
            }
        }
    }

    /// Everything that is under way comes to its end.
    fn come_to_rest(&mut self) {
        (0..100).for_each(|_| self.work_everywhere());
        for (n, client) in self.clients.iter().enumerate() {
            assert!(
                client.waits.is_none(),
                "client {n} waits for {:?}",
                client.waits
            );
        }
    }

    fn work_everywhere(&mut self) {
        for rank in 0..self.sites.len() {
            (0..5).for_each(|_| self.let_kvs_work(rank));
            (0..5).for_each(|_| self.carry_up(rank));
            (0..5).for_each(|_| self.carry_down(rank));
            (0..5).for_each(|_| self.let_content_work());
        }
    }

    fn log(&mut self, rank: usize) -> String {
        let mut message = Message::request(Lookup::TOPIC, 1);
        message.set_payload(Lookup::new("primary", "log", 0).encode());
        (message.userid, message.rolemask) = (100, Role::OWNER);
        self.ask(rank, Asker::Test, message);
        while self.answer.is_none() {
            self.work_everywhere();
        }
        let answer = self.answer.take().expect("it is there");
        let found = Found::decode(answer.payload()).unwrap();
        String::from_utf8_lossy(&found.bytes().unwrap()).into_owned()
    }
}

impl Content {
    fn commit(&mut self, process: u64, batch: Batch) -> Result<Bytes, Refusal> {
        if self.writer != process {
            return Err(proto::content::CommitError::Replaced.into());
        }
        assert_eq!(batch.after, self.stored, "batches come in order");
        self.stored = batch.number;
        self.blobs.extend(batch.blobs);
        for edit in batch.edits {
            let blob = self.blobs.get(&edit.base).and_then(|base| edit.apply(base));
            self.blobs
                .insert(edit.digest, blob.expect("its base is there"));
        }
        for Record { key, value } in batch.records {
            match value {
                Some(value) => drop(self.records.insert(key, value)),
                None => drop(self.records.remove(&key)),
            }
        }
        Ok(Bytes::new())
    }
}

/// Plays one seed. Returns the number of acknowledged commits.
fn play(seed: u64) -> usize {
    play_in(&mut World::new(6, seed), 3000)
}

fn play_in(world: &mut World, n_steps: usize) -> usize {
    (0..6).for_each(|rank| world.hear(rank));
    for step in 0..n_steps {
        world.step(step > 200);
    }
    world.come_to_rest();
    let log = world.log(0);
    for rank in 1..6 {
        assert_eq!(world.log(rank), log, "rank {rank} has something else");
    }
    for value in &world.all {
        assert!(
            log.matches(value.as_str()).count() <= 1,
            "{value} twice in {log}"
        );
    }
    let acked: Vec<&String> = world
        .clients
        .iter()
        .flat_map(|client| &client.acked)
        .collect();
    for value in &acked {
        assert!(log.contains(value.as_str()), "{value} is lost: {log}");
    }
    acked.len()
}

const SEEDS: u64 = 20;

#[test]
fn commits_from_all_ranks_are_done_once_whatever_dies() {
    let mut n_acked = 0;
    for seed in 1..=SEEDS {
        let played = std::panic::catch_unwind(|| play(seed));
        n_acked += played.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(n_acked > 300, "only {n_acked} commits");
}

#[test]
fn ranks_that_seldom_ask_do_not_follow_and_never_go_back() {
    let mut n_rests = 0;
    for seed in 1..=SEEDS / 4 {
        let mut world = World::new(6, seed);
        world.calm = 50;
        let played = std::panic::AssertUnwindSafe(|| play_in(&mut world, 20_000));
        let played = std::panic::catch_unwind(played);
        played.unwrap_or_else(|_| panic!("seed {seed}"));
        n_rests += world.n_rests;
    }
    assert!(n_rests > 10, "only {n_rests} times");
}
