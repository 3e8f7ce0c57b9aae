//! job-execs on several ranks, and the brokers between them: messages of one go to the one
//! above or below in the tree, or is answered as brokers do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use job_exec::{JobExec, Surroundings};
use node::probe::Probe;
use node::{ChildEvent, ChildId, Input, Output, StdioFd};
use proto::data::Topology;
use proto::data::topology::Scheme;
use proto::job_exec::ShellBatches;
use proto::state_machine::RUN;
use proto::{Errno, Payload, Refusal, Role};
use serde_json::{Value, json};
use wire::{Flags, Identity, Kind, Message};

use super::{JOB, SHELL_PID, Stage, Table, response};

/// All of them.
pub struct Forest {
    /// The job-exec of rank 0, and its requests.
    pub head: Stage,
    hands: BTreeMap<u32, Probe<JobExec>>,
    topology: Topology,
    /// Ranks whose broker is not there.
    pub dark: BTreeSet<u32>,
    /// Ranks whose broker is shutting down.
    pub ending: BTreeSet<u32>,
    /// Number of earlier brokers of a rank.
    former: BTreeMap<u32, u32>,
    /// Requests of hands to the one above that are open: topic and matchtag.
    open: BTreeMap<u32, Vec<(String, u32)>>,
    /// The shell of each rank that was started last, and its lease.
    shells: BTreeMap<u32, (ChildId, String)>,
    /// Messages on the link above each rank, both ways.
    pub links: BTreeMap<u32, usize>,
    last_at: u64,
}

fn surroundings() -> Surroundings {
    Surroundings {
        job_shell: "/libexec/flux-shell".to_owned(),
        processes: Box::new(Table::default()),
        begun: Box::new(ahead::NoLog),
    }
}

impl Forest {
    /// `size` of them in a tree where each broker has up to `k` children.
    pub fn new(size: u32, k: u32) -> Forest {
        let head = Stage::start_of(size);
        let mut forest = Forest {
            head,
            hands: BTreeMap::new(),
            topology: Topology::new(Scheme::Kary(k), size),
            dark: BTreeSet::new(),
            ending: BTreeSet::new(),
            former: BTreeMap::new(),
            open: BTreeMap::new(),
            shells: BTreeMap::new(),
            links: BTreeMap::new(),
            last_at: 0,
        };
        assert_eq!(forest.run(), ["0: exec-hello"]);
        for rank in 1..size {
            forest.starts(rank);
        }
        assert_eq!(forest.run(), [""; 0]);
        forest.links.clear();
        forest
    }

    /// A hand starts, again maybe.
    pub fn starts(&mut self, rank: u32) {
        let size = self.topology.size().to_string();
        let (own, host) = (rank.to_string(), format!("host{rank}"));
        let uuid = format!("{rank}.{}", self.former.get(&rank).unwrap_or(&0));
        let attrs = [
            ("size", &*size),
            ("rank", &own),
            ("hostname", &host),
            ("broker.uuid", &uuid),
        ];
        let probe = Probe::start_with(surroundings(), &[], "{}", &attrs).unwrap();
        self.hands.insert(rank, probe);
    }

    fn parent(&self, rank: u32) -> u32 {
        self.topology.parent(rank).unwrap()
    }

    /// A hand ends; its broker reports that.
    pub fn dies(&mut self, rank: u32) -> Vec<String> {
        self.open.remove(&rank);
        match rank {
            0 => {
                let head = std::mem::replace(&mut self.head, Stage::start_of(1));
                self.head = head.heir_of(self.topology.size());
            }
            _ => {
                self.hands.remove(&rank);
                let mut gone = Message::request("job-exec.disconnect", 0);
                gone.set_flag(Flags::NORESPONSE, true);
                let parent = self.parent(rank);
                self.deliver_up(rank, parent, gone);
            }
        }
        for child in self.topology.children(rank).to_vec() {
            self.cut(child);
        }
        self.run()
    }

    /// Drops requests of a hand to the one above.
    fn cut(&mut self, rank: u32) {
        let open = self.open.remove(&rank).unwrap_or_default();
        if let Some(hand) = self.hands.get_mut(&rank) {
            for (topic, tag) in open {
                hand.answer_stream(&topic, tag, Err(Refusal::bare(Errno::EHOSTUNREACH)));
            }
        }
    }

    /// Loses a broker and all below it.
    pub fn falls(&mut self, rank: u32) -> Vec<String> {
        let mut below = vec![rank];
        while let Some(rank) = below.pop() {
            self.dark.insert(rank);
            self.hands.remove(&rank);
            self.open.remove(&rank);
            below.extend(self.topology.children(rank));
        }
        let mut gone = Message::request("job-exec.disconnect", 0);
        gone.set_flag(Flags::NORESPONSE, true);
        let parent = self.parent(rank);
        self.deliver_up(rank, parent, gone);
        self.run()
    }

    /// Starts the job-execs of a rank again, without knowledge.
    pub fn rises(&mut self, rank: u32) -> Vec<String> {
        let mut below = vec![rank];
        while let Some(rank) = below.pop() {
            self.dark.remove(&rank);
            *self.former.entry(rank).or_default() += 1;
            self.starts(rank);
            below.extend(self.topology.children(rank));
        }
        self.run()
    }

    /// Replaces the broker of a leaf by another before anybody has noticed.
    pub fn replaced(&mut self, rank: u32) -> Vec<String> {
        self.hands.remove(&rank);
        self.open.remove(&rank);
        let mut gone = Message::request("job-exec.disconnect", 0);
        gone.set_flag(Flags::NORESPONSE, true);
        let parent = self.parent(rank);
        self.deliver_up(rank, parent, gone);
        self.rises(rank)
    }

    /// Asks for a job on these ranks.
    pub fn ask(&mut self, ranks: &str, exec: &Value) -> Vec<String> {
        self.ask_again(ranks, exec, false)
    }

    /// The same, maybe again.
    pub fn ask_again(&mut self, ranks: &str, exec: &Value, reattach: bool) -> Vec<String> {
        self.head.ranks = ranks.to_owned();
        let said = self.head.ask(exec, reattach);
        self.finish(said)
    }

    /// Messages of the head, and all that follows from them.
    fn finish(&mut self, said: Vec<String>) -> Vec<String> {
        let said = said.into_iter().map(|line| format!("0: {line}"));
        let mut said: Vec<String> = said.collect();
        said.extend(self.run());
        said
    }

    /// Something happens to the shell of a rank.
    pub fn child(&mut self, rank: u32, event: ChildEvent) -> Vec<String> {
        let child = self.shells[&rank].0;
        let input = Input::Child { child, event };
        match rank {
            0 => self.head.probe.input(input),
            _ => self.hands.get_mut(&rank).unwrap().input(input),
        }
        self.run()
    }

    /// The shells of these ranks run.
    pub fn run_shells(&mut self, ranks: &[u32]) -> Vec<String> {
        let runs = |rank: &u32| self.child(*rank, ChildEvent::Started { pid: SHELL_PID });
        ranks.iter().flat_map(runs).collect()
    }

    /// The shell of a rank closes its streams and ends.
    pub fn shell_ends(&mut self, rank: u32, status: i32) -> Vec<String> {
        let mut seen = self.child(rank, ChildEvent::Exited { status });
        for stream in [StdioFd::Stdout, StdioFd::Stderr] {
            let data = bytes::Bytes::new();
            seen.extend(self.child(
                rank,
                ChildEvent::Output {
                    stream,
                    data,
                    eof: true,
                },
            ));
        }
        seen
    }

    /// The shell of a rank asks the job-exec there.
    pub fn request(&mut self, rank: u32, topic: &str, payload: &Value, flags: u8) -> Vec<String> {
        let payload = payload.to_string();
        let probe = match rank {
            0 => &mut self.head.probe,
            _ => self.hands.get_mut(&rank).unwrap(),
        };
        probe.request_as(topic, &payload, 100, Role::OWNER, flags);
        self.run()
    }

    /// The shell of a rank sends a request that climbs to the next job-exec above, its own
    /// being away.
    pub fn climbs(&mut self, rank: u32, topic: &str, payload: &Value, flags: u8) -> Vec<String> {
        let mut request = Message::request(topic, 77);
        request.set_payload(format!("{payload}\0").into());
        if flags != 0 {
            request.set_flag(Flags::STREAMING, true);
        }
        request.push_route(Identity::new(&format!("shell-{rank}")).unwrap());
        self.deliver_up(rank, self.parent(rank), request);
        self.run()
    }

    /// The lease of the shell of a rank.
    pub fn lease(&self, rank: u32) -> String {
        self.shells[&rank].1.clone()
    }

    fn words(&self, rank: u32, more: Value) -> Value {
        let lease = self.shells.get(&rank).map(|(_, lease)| lease.clone());
        let ranks: proto::data::IdSet = self.head.ranks.parse().unwrap();
        let shell = ranks.position(rank);
        let mut words = json!({"id": JOB, "rank": shell, "lease": lease.unwrap_or_default()});
        if let (Value::Object(words), Value::Object(more)) = (&mut words, more) {
            words.extend(more);
        }
        words
    }

    pub fn hello(&mut self, rank: u32, again: bool) -> Vec<String> {
        let words = self.words(rank, json!({"pid": SHELL_PID, "again": again}));
        self.request(rank, "job-exec.shell-hello", &words, Flags::STREAMING)
    }

    pub fn exit(&mut self, rank: u32, code: u8) -> Vec<String> {
        let words = self.words(rank, json!({"code": code}));
        self.request(rank, "job-exec.shell-exit", &words, 0)
    }

    pub fn barrier(&mut self, rank: u32, seq: u32, data: Value) -> Vec<String> {
        let words = self.words(rank, json!({"seq": seq, "data": data}));
        self.request(rank, "job-exec.shell-barrier", &words, 0)
    }

    pub fn tell(&mut self, rank: u32, seq: u64, word: &str) -> Vec<String> {
        let words = self.words(rank, json!({"seq": seq, "words": [word]}));
        self.request(rank, "job-exec.shell-tell", &words, 0)
    }

    /// The leading shell takes all its messages, and asks for more.
    pub fn hear(&mut self, rank: u32) -> Vec<String> {
        let words = self.words(rank, json!({"after": self.last_at}));
        self.request(rank, "job-exec.shell-hear", &words, 0)
    }

    /// An exception was raised on the job.
    pub fn cancel(&mut self) -> Vec<String> {
        let said = self
            .head
            .exception(&json!({"id": JOB, "type": "cancel", "severity": 0}));
        self.finish(said)
    }

    /// A job of these ranks runs, and its shells have met once.
    pub fn running(&mut self, ranks: &str) {
        let set: proto::data::IdSet = ranks.parse().unwrap();
        let all: Vec<u32> = set.iter().collect();
        self.ask(ranks, &json!({}));
        self.run_shells(&all);
        for rank in &all {
            assert_eq!(self.hello(*rank, false), [format!("{rank}: order job")]);
        }
        let met: Vec<String> = all
            .iter()
            .flat_map(|rank| self.barrier(*rank, 0, json!({})))
            .collect();
        assert_eq!(met.len(), all.len(), "{met:?}");
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: f64) -> Vec<String> {
        let time = Duration::from_secs_f64(seconds);
        self.head.probe.pass(time);
        for hand in self.hands.values_mut() {
            hand.pass(time);
        }
        self.run()
    }

    /// Plays on until nothing moves; returns the notes of an onlooker, with the rank.
    pub fn run(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let said = self.head.run();
            let mut is_quiet = said.is_empty() && self.head.out.is_empty();
            seen.extend(said.into_iter().map(|line| format!("0: {line}")));
            for message in std::mem::take(&mut self.head.out) {
                self.sent(0, message);
            }
            if let Some((child, lease)) = self.head.started() {
                self.shells.insert(0, (child, lease));
            }
            let ranks: Vec<u32> = self.hands.keys().copied().collect();
            for rank in ranks {
                for output in self.outputs(rank) {
                    is_quiet = false;
                    let line = self.note(rank, output);
                    seen.extend(line.map(|line| format!("{rank}: {line}")));
                }
            }
            if is_quiet {
                return seen;
            }
        }
    }

    fn outputs(&mut self, rank: u32) -> Vec<Output> {
        let Some(hand) = self.hands.get_mut(&rank) else {
            return Vec::new();
        };
        hand.settle();
        let mut outputs = hand.outputs();
        hand.settle();
        outputs.extend(hand.outputs());
        outputs
    }

    fn note(&mut self, rank: u32, output: Output) -> Option<String> {
        match output {
            Output::Send { message, .. } => match message.kind {
                Kind::Response { errnum, .. } if sender_of(&message).is_none() => {
                    if let Ok(heard) = ShellBatches::decode(message.payload()) {
                        self.last_at = heard.at;
                    }
                    Some(response(&message, errnum))
                }
                _ => {
                    self.sent(rank, message);
                    None
                }
            },
            Output::Spawn { child, spawn } => {
                let lease = spawn
                    .env_add
                    .iter()
                    .find(|(key, _)| key == "FLUX_SHELL_LEASE");
                let lease = lease.map(|(_, lease)| lease.clone()).unwrap_or_default();
                self.shells.insert(rank, (child, lease));
                Some("spawn".to_owned())
            }
            Output::Kill { signum, .. } => Some(format!("kill {signum}")),
            _ => None,
        }
    }

    /// A job-exec has sent something that is not for its own shell.
    fn sent(&mut self, rank: u32, message: Message) {
        match message.kind {
            Kind::Response { .. } => self.deliver_down(message),
            Kind::Request { matchtag, nodeid } => {
                let topic = message.topic().to_owned();
                if message.has(Flags::UPSTREAM) {
                    let open = self.open.entry(rank).or_default();
                    open.push((topic, matchtag));
                    let parent = self.parent(rank);
                    return self.deliver_up(rank, parent, message);
                }
                if topic == "job-exec.shell-barrier" {
                    // The head is asked for answers that a job-exec does not know.
                    return self.deliver_up(rank, nodeid, message);
                }
                let answer = self.broker(rank, nodeid, &topic, &message);
                let probe = match rank {
                    0 => &mut self.head.probe,
                    _ => self.hands.get_mut(&rank).unwrap(),
                };
                probe.answer(
                    &topic,
                    matchtag,
                    answer.as_ref().map(String::as_str).map_err(Clone::clone),
                );
            }
            _ => {}
        }
    }

    /// Response of brokers.
    fn broker(
        &self,
        rank: u32,
        nodeid: u32,
        topic: &str,
        message: &Message,
    ) -> Result<String, Refusal> {
        let payload = message.payload().and_then(|p| p.strip_suffix(b"\0"));
        let payload: Value = serde_json::from_slice(payload.unwrap_or(b"{}")).unwrap();
        match topic {
            "event.subscribe" => Ok(String::new()),
            "overlay.topology" => Ok(self.tree(rank).to_string()),
            "overlay.rank-of" => {
                let uuid = payload["uuid"].as_str().unwrap();
                let uuid = uuid
                    .split('/')
                    .next()
                    .unwrap()
                    .trim_start_matches("broker-");
                match uuid.parse() {
                    Ok(child) if self.topology.parent(child) == Some(rank) => {
                        Ok(json!({ "rank": child }).to_string())
                    }
                    _ => Err(Refusal::bare(Errno::ENOENT)),
                }
            }
            "job-exec.ping" if self.dark.contains(&nodeid) || nodeid >= self.topology.size() => {
                Err(Refusal::bare(Errno::EHOSTUNREACH))
            }
            "job-exec.ping" if !self.hands.contains_key(&nodeid) => {
                Err(Refusal::bare(Errno::ENOSYS))
            }
            "job-exec.ping" => {
                Ok(json!({"route": "", "userid": 0, "rolemask": 1, "rank": nodeid}).to_string())
            }
            "state-machine.monitor" => {
                let state = if self.ending.contains(&nodeid) {
                    8
                } else {
                    RUN
                };
                Ok(json!({ "state": state }).to_string())
            }
            other => panic!("{other} of rank {rank} is not on this stage"),
        }
    }

    fn tree(&self, rank: u32) -> Value {
        let children = self.topology.children(rank).iter();
        let children: Vec<Value> = children.map(|child| self.tree(*child)).collect();
        json!({"rank": rank, "size": self.topology.descendants(rank) + 1, "children": children})
    }

    /// A request goes up one link, and further if there is no job-exec.
    fn deliver_up(&mut self, from: u32, to: u32, mut message: Message) {
        if message.n_routes() == 0 {
            message.push_route(Identity::new(&format!("hand-{from}")).unwrap());
        }
        *self.links.entry(from).or_default() += 1;
        message.push_route(Identity::new(&format!("broker-{from}")).unwrap());
        if to != 0 && !self.hands.contains_key(&to) {
            let above = self.parent(to);
            return self.deliver_up(to, above, message);
        }
        message.push_route(Identity::new(&format!("broker-{to}")).unwrap());
        (message.userid, message.rolemask) = (100, Role::OWNER);
        if let Kind::Request { nodeid, .. } = &mut message.kind {
            *nodeid = from;
        }
        match to {
            0 => self.head.probe.message(message),
            _ => self.hands.get_mut(&to).unwrap().message(message),
        }
    }

    fn deliver_down(&mut self, mut message: Message) {
        let Some(rank) = sender_of(&message) else {
            return;
        };
        *self.links.entry(rank).or_default() += 1;
        while message.pop_route().is_some() {}
        if let (Kind::Response { matchtag, errnum }, Some(open)) =
            (message.kind, self.open.get_mut(&rank))
            && (errnum != 0 || !message.has(Flags::STREAMING))
        {
            open.retain(|(_, tag)| *tag != matchtag);
        }
        if let Some(hand) = self.hands.get_mut(&rank) {
            hand.message(message);
        }
    }
}

/// The hand to which a response goes.
fn sender_of(message: &Message) -> Option<u32> {
    let mut routes = message.routes_from_sender();
    let first = routes.next()?.as_str();
    first.strip_prefix("hand-")?.parse().ok()
}
