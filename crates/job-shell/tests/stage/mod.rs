//! A job shell on stage: a job-exec that sends it its job, a kvs that stores all commits,
//! and tasks that act as the test says.
#![allow(dead_code, reason = "each test file uses its own part of the stage")]
#![allow(clippy::unwrap_used, reason = "a stage is part of the tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use job_shell::{Files, JobShell};
use node::probe::Probe;
use node::{ChildEvent, ChildId, Input, Output, Spawn, StdioFd};
use proto::data::array::History;
use proto::data::eventlog::decode_log;
use proto::data::{JobId, Tree, sign};
use proto::kvs::Commit;
use proto::{Errno, Payload, Refusal, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use wire::{Flags, Identity, Kind, Message};

/// The job of all tests.
pub const JOB: u64 = 1234;

/// A job to be run.
pub struct Play {
    pub command: Vec<&'static str>,
    pub ntasks: u64,
    pub options: Value,
    pub count: Value,
    pub environment: Value,
    pub expiration: f64,
    pub cwd: Option<String>,
    /// Nodes of the job, with a slot for `ntasks` tasks each if there are several, and the one
    /// of the shell on stage.
    pub nodes: u64,
    pub rank: u64,
    /// The signed request is found only when the test says so.
    pub is_found_late: bool,
    /// The job's namespace is there only when the test says so.
    pub is_closed: bool,
    /// The directory with the URI of a broker, and the action of the tasks at the end of a
    /// lease of a minute.
    pub lasting: Option<(PathBuf, &'static str)>,
}

impl Default for Play {
    fn default() -> Play {
        Play {
            command: vec!["prog"],
            ntasks: 1,
            options: json!({}),
            count: json!({"per_slot": 1}),
            environment: json!({"PATH": "/bin"}),
            expiration: 0.0,
            cwd: None,
            nodes: 1,
            rank: 0,
            is_found_late: false,
            is_closed: false,
            lasting: None,
        }
    }
}

impl Play {
    fn resources(&self) -> Value {
        let slot = json!({"type": "slot", "count": self.ntasks, "label": "task",
            "with": [{"type": "core", "count": 1}]});
        match self.nodes {
            1 => slot,
            nodes => json!({"type": "node", "count": nodes, "with": [slot]}),
        }
    }

    /// The ids from 0, this many.
    fn ids(count: u64) -> String {
        match count {
            1 => "0".to_owned(),
            count => format!("0-{}", count - 1),
        }
    }
}

/// A shell and the world around it.
pub struct Stage {
    pub probe: Probe<JobShell>,
    /// Values by key in the job's namespace.
    pub values: BTreeMap<String, Vec<u8>>,
    /// Arguments of started tasks.
    pub spawned: Vec<(ChildId, Spawn)>,
    /// The kvs is asked and does not answer.
    pub is_kvs_silent: bool,
    /// Commits that were not answered.
    pub unanswered: Vec<u32>,
    /// The shell's greetings and last words that were not answered.
    pub greetings: Vec<u32>,
    pub exits: Vec<u32>,
    /// Open requests to other shells: topic and tag.
    pub asked: Vec<(String, u32)>,
    pub rundir: TempDir,
    play: Play,
}

impl Stage {
    /// A shell that was started for this job and greets.
    pub fn start(play: Play) -> Stage {
        let lasting = play.lasting.as_ref();
        let file = lasting.map(|(folder, _)| format!("urifile={}/local-uri", folder.display()));
        let args = ["1234", "lease=exec.1", "pid=4242", "utf8=1"].into_iter();
        let args: Vec<&str> = args.chain(file.as_deref()).collect();
        let probe = Probe::start(Files::default(), &args, "{}").unwrap();
        let mut stage = Stage {
            probe,
            values: BTreeMap::new(),
            spawned: Vec::new(),
            is_kvs_silent: false,
            unanswered: Vec::new(),
            greetings: Vec::new(),
            exits: Vec::new(),
            asked: Vec::new(),
            rundir: tempfile::tempdir().unwrap(),
            play,
        };
        assert_eq!(
            stage.run(),
            [
                "subscribe shell-1234.kill",
                "hello {\"id\":1234,\"rank\":0,\"pid\":4242,\"lease\":\"exec.1\"}"
            ]
        );
        stage
    }

    /// The same, which has received its job, with tasks that were started.
    pub fn running(play: Play) -> Stage {
        let mut stage = Stage::start(play);
        stage.notify_job();
        let n = stage.spawned.len();
        for task in 0..n {
            let pid = i32::try_from(100 + task).unwrap();
            stage.child(task, ChildEvent::Started { pid });
        }
        stage
    }

    /// job-exec sends the shell its job.
    pub fn notify_job(&mut self) -> Vec<String> {
        let mut play_cwd = self.play.cwd.clone();
        let cwd = play_cwd.get_or_insert_with(|| "/".to_owned()).clone();
        let ranks = Play::ids(self.play.nodes);
        let (cores, nodelist) = match self.play.nodes {
            1 => (1, "host0".to_owned()),
            _ => (self.play.ntasks, format!("host[{ranks}]")),
        };
        let on_lost = self.play.lasting.as_ref().map(|(_, what)| what);
        let job = json!({
            "userid": 100,
            "namespace": "job-1234",
            "jobspec": {
                "version": 1,
                "resources": [self.play.resources()],
                "tasks": [{"command": self.play.command, "slot": "task",
                    "count": self.play.count}],
                "attributes": {"system": {"duration": 0, "cwd": cwd,
                    "on-lost-server": on_lost, "shell": {"options": self.play.options}}},
            },
            "R": {"version": 1, "execution": {
                "R_lite": [{"rank": ranks, "children": {"core": Play::ids(cores)}}],
                "nodelist": [nodelist],
                "starttime": 1.0,
                "expiration": self.play.expiration,
            }},
            "attrs": {
                "rank": self.play.rank.to_string(),
                "rundir": self.rundir.path().to_string_lossy(),
                "local-uri": "local:///run/local-0",
                "security.owner": "100",
                "jobid-path": "/",
            },
        });
        let is_open = !self.play.is_closed;
        let order = json!({"job": job, "expiration": self.play.expiration, "namespace": is_open,
            "lease": on_lost.map(|_| 60)});
        self.order(&order)
    }

    /// job-exec gives an order.
    pub fn order(&mut self, order: &Value) -> Vec<String> {
        let tag = *self.greetings.last().expect("the shell has greeted");
        let topic = "job-exec.shell-hello";
        self.probe.answer_stream(topic, tag, Ok(&order.to_string()));
        self.run()
    }

    /// The stream of orders ends.
    pub fn orders_end(&mut self, errno: Errno) -> Vec<String> {
        let tag = self.greetings.pop().expect("the shell has greeted");
        let refusal = Refusal::bare(errno);
        self.probe
            .answer_stream("job-exec.shell-hello", tag, Err(refusal));
        self.run()
    }

    /// Answers its last request on this topic.
    pub fn answers(&mut self, topic: &str, result: Result<&str, Refusal>) -> Vec<String> {
        let at = self.asked.iter().position(|(asked, _)| asked == topic);
        let (topic, tag) = self.asked.remove(at.expect("it was asked"));
        match topic.as_str() {
            "kvs-watch.lookup" => {
                self.asked.push((topic.clone(), tag));
                self.probe.answer_stream(&topic, tag, result);
            }
            _ => self.probe.answer(&topic, tag, result),
        }
        self.run()
    }

    /// All shells have come to the barrier.
    pub fn opens(&mut self) -> Vec<String> {
        self.answers("job-exec.shell-barrier", Ok("{}"))
    }

    /// The shell of this rank sends the leading one these messages.
    pub fn hears(&mut self, shell: u64, seq: u64, words: &Value) -> Vec<String> {
        let told = json!({"words": [{"rank": shell, "seq": seq, "words": words}], "at": seq});
        self.answers("job-exec.shell-hear", Ok(&told.to_string()))
    }

    /// The shell's last word is answered.
    pub fn acknowledge(&mut self, result: Result<&str, Refusal>) -> Vec<String> {
        let tag = self.exits.remove(0);
        self.probe.answer("job-exec.shell-exit", tag, result);
        self.run()
    }

    /// Something happens to a task.
    pub fn child(&mut self, task: usize, event: ChildEvent) -> Vec<String> {
        let (child, _) = self.spawned[task];
        self.probe.input(Input::Child { child, event });
        self.run()
    }

    /// A task writes.
    pub fn writes(&mut self, task: usize, stream: StdioFd, text: &str) -> Vec<String> {
        let data = text.to_owned().into();
        self.child(
            task,
            ChildEvent::Output {
                stream,
                data,
                eof: false,
            },
        )
    }

    /// A task closes its streams and ends.
    pub fn ends(&mut self, task: usize, status: i32) -> Vec<String> {
        let mut seen = Vec::new();
        for stream in [StdioFd::Stdout, StdioFd::Stderr] {
            let (child, _) = self.spawned[task];
            let data = bytes::Bytes::new();
            let event = ChildEvent::Output {
                stream,
                data,
                eof: true,
            };
            self.probe.input(Input::Child { child, event });
        }
        seen.extend(self.child(task, ChildEvent::Exited { status }));
        seen
    }

    /// A task reads some of its input; with `closed` it reads no more.
    pub fn reads(&mut self, task: usize, bytes: usize, closed: bool) -> Vec<String> {
        self.child(task, ChildEvent::InputTaken { bytes, closed })
    }

    /// A client sends this much input.
    pub fn send_input(&mut self, rank: &str, bytes: usize) -> Vec<String> {
        let data = json!({"stream": "stdin", "rank": rank, "data": "x".repeat(bytes)});
        self.request("stdin", &data)
    }

    /// A client sends a request to the shell.
    pub fn request(&mut self, method: &str, payload: &Value) -> Vec<String> {
        let topic = format!("100-shell-fNH.{method}");
        self.probe.request(&topic, &payload.to_string());
        self.run()
    }

    /// A client sends a request that is answered many times.
    pub fn stream(&mut self, method: &str, payload: &Value) -> Vec<String> {
        let topic = format!("100-shell-fNH.{method}");
        self.probe.stream(&topic, &payload.to_string());
        self.run()
    }

    /// Another user does.
    pub fn request_by_stranger(&mut self, method: &str, payload: &Value) -> Vec<String> {
        let topic = format!("100-shell-fNH.{method}");
        self.probe
            .request_as(&topic, &payload.to_string(), 101, Role::USER, 0);
        self.run()
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: f64) -> Vec<String> {
        self.probe.pass(Duration::from_secs_f64(seconds));
        self.run()
    }

    /// The events of a log, a line each: name, and context where it says something.
    pub fn log(&self, key: &str) -> Vec<String> {
        let bytes = self.values.get(key).map_or(&[][..], Vec::as_slice);
        let entries = decode_log(bytes).unwrap();
        let lines = entries.iter().map(|entry| match entry.context() {
            Some(context) => format!("{} {}", entry.name(), json!(context)),
            None => entry.name().to_owned(),
        });
        lines.collect()
    }

    /// The output log without its header.
    pub fn output(&self) -> Vec<String> {
        let mut lines = self.log("output");
        assert!(lines.remove(0).starts_with("header "));
        lines
    }

    /// A variable of a task's environment.
    pub fn env(&self, task: usize, name: &str) -> Option<String> {
        let env = self.spawned[task].1.env.as_ref().unwrap();
        let found = env.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }

    /// Plays on until nothing moves; returns the visible events.
    pub fn run(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            self.probe.settle();
            let outputs = self.probe.outputs();
            if outputs.is_empty() {
                break;
            }
            for output in outputs {
                seen.extend(self.note(output));
            }
        }
        seen
    }

    fn note(&mut self, output: Output) -> Option<String> {
        match output {
            Output::Send { message, .. } => self.heard(&message),
            Output::Spawn { child, spawn } => {
                let said = match &spawn.alike {
                    None => format!("spawn {}", spawn.argv.join(" ")),
                    // One of many: by which it is.
                    Some(_) => {
                        let mut own = spawn.env_add.iter();
                        let index = own.find(|(name, _)| name == "FLUX_ARRAY_INDEX");
                        format!("spawn #{}", index.unwrap().1)
                    }
                };
                self.spawned.push((child, *spawn));
                Some(said)
            }
            Output::Kill {
                child,
                signum,
                group,
            } => {
                let task = self.task_of(child);
                let group = if group { "" } else { " alone" };
                Some(format!("kill {task} {signum}{group}"))
            }
            Output::ChildInput { child, data, eof } => {
                let (task, eof) = (self.task_of(child), if eof { " eof" } else { "" });
                let text = match data.len() {
                    0..64 => format!("{:?}", String::from_utf8_lossy(&data)),
                    much => format!("{much} bytes"),
                };
                Some(format!("input {task} {text}{eof}"))
            }
            Output::ChildChannel {
                child, data, eof, ..
            } => {
                let (task, eof) = (self.task_of(child), if eof { " eof" } else { "" });
                Some(format!(
                    "pmi {task} {:?}{eof}",
                    String::from_utf8_lossy(&data)
                ))
            }
            Output::ChildFlow { child, paused } => {
                Some(format!("flow {} paused={paused}", self.task_of(child)))
            }
            Output::ChildSize { child, size } => {
                let task = self.task_of(child);
                Some(format!("size {task} {}x{}", size.rows, size.cols))
            }
            Output::Uplink { .. } => Some("uplink".to_owned()),
            _ => None,
        }
    }

    /// Disconnects the broker.
    pub fn loses_broker(&mut self) -> Vec<String> {
        let actor = &mut self.probe.actor;
        node::Host::broker_lost(&mut actor.core, &mut actor.cx);
        self.run()
    }

    /// There is another one.
    pub fn has_broker(&mut self) -> Vec<String> {
        let now = self.probe.now();
        self.probe.actor.begin_again(now);
        self.run()
    }

    fn task_of(&self, child: ChildId) -> usize {
        self.spawned
            .iter()
            .position(|(known, _)| *known == child)
            .unwrap()
    }

    fn heard(&mut self, message: &Message) -> Option<String> {
        match message.kind {
            Kind::Request { matchtag, .. } => self.asked(message, matchtag),
            Kind::Response { errnum: 0, .. } => Some(format!("{}: ok", method(message))),
            Kind::Response { errnum, .. } => {
                let text = message.error_text().unwrap_or_default();
                let said = format!("{}: {:?} {text}", method(message), Errno(errnum));
                Some(said.trim_end().to_owned())
            }
            _ => None,
        }
    }

    /// Plays the services that the shell asks.
    fn asked(&mut self, message: &Message, tag: u32) -> Option<String> {
        let topic = message.topic().to_owned();
        let text = message
            .payload()
            .and_then(|p| p.strip_suffix(b"\0"))
            .unwrap_or(b"{}");
        let payload: Value = serde_json::from_slice(text).unwrap();
        match topic.as_str() {
            "event.subscribe" => {
                self.probe.answer(&topic, tag, Ok(""));
                Some(format!("subscribe {}", payload["topic"].as_str().unwrap()))
            }
            "job-exec.shell-hello" => {
                self.greetings.push(tag);
                Some(format!("hello {payload}"))
            }
            "job-exec.shell-exit" => {
                self.exits.push(tag);
                self.keep_lines(&payload["lines"]);
                Some(format!("exit {}", payload["code"]))
            }
            "job-manager.raise" => {
                self.probe.answer(&topic, tag, Ok(""));
                Some(raised(&payload))
            }
            "service.add" => {
                self.probe.answer(&topic, tag, Ok(""));
                None
            }
            "job-exec.shell-barrier"
            | "job-exec.shell-tell"
            | "job-exec.shell-hear"
            | "100-shell-fNH.array-next"
            | "100-shell-fNH.array-ended"
            | "100-shell-fNH.array-cancel"
            | "100-shell-fNH.coprocess-write"
            | "job-info.lookup"
            | "kvs-watch.lookup" => Some(self.asked_of_others(topic, &payload, tag)),
            "job-manager.kill" => Some(format!("signal to all {}", payload["signum"])),
            "kvs.lookup" if payload["key"] == "array.log" => {
                self.find_array_log(&topic, tag);
                None
            }
            "job-manager.memo" => {
                self.probe.answer(&topic, tag, Ok(""));
                Some(format!(
                    "memo {}",
                    payload["memo"]["array"].as_str().unwrap()
                ))
            }
            "kvs.lookup" if payload["key"] != JobId(JOB).kvs_key("J") => {
                Some(self.asked_of_others(topic, &payload, tag))
            }
            "kvs.lookup" => {
                match self.play.is_found_late {
                    true => self.asked.push((topic, tag)),
                    false => self.probe.answer(&topic, tag, Ok(&self.request_found())),
                }
                None
            }
            "kvs.commit" => {
                self.commit(&Commit::decode(message.payload()).unwrap());
                match self.is_kvs_silent {
                    true => self.unanswered.push(tag),
                    false => self.commit_done(tag),
                }
                None
            }
            other => panic!("{other} is not on this stage"),
        }
    }

    /// Keeps the lines of the last message.
    fn keep_lines(&mut self, lines: &Value) {
        let keys = [
            ("exec.eventlog", "log"),
            ("output", "output"),
            ("input", "input"),
        ];
        for (key, name) in keys {
            let lines = lines[name].as_str().unwrap_or_default();
            self.append(key, lines.as_bytes());
        }
    }

    /// Answers with the log of an earlier shell of the job, if there was one.
    fn find_array_log(&mut self, topic: &str, tag: u32) {
        let found = self.values.get("array.log").map(|log| {
            let log = Tree::Val(log.clone().into());
            json!({ "val": log }).to_string()
        });
        let missing = || Refusal::bare(Errno::ENOENT);
        let found = found.as_deref().ok_or_else(missing);
        self.probe.answer(topic, tag, found);
    }

    fn request_found(&self) -> String {
        let env = &self.play.environment;
        let spec = json!({"attributes": {"system": {"environment": env}}});
        let request = sign::wrap_none(100, spec.to_string().as_bytes());
        json!({ "val": Tree::Val(request.into()) }).to_string()
    }

    /// The signed request of the job is found.
    pub fn finds_request(&mut self) -> Vec<String> {
        let found = self.request_found();
        self.answers("kvs.lookup", Ok(&found))
    }

    /// The shell asks something that the test answers.
    fn asked_of_others(&mut self, topic: String, payload: &Value, tag: u32) -> String {
        let said = match topic.as_str() {
            "job-exec.shell-barrier" => match (&payload["seq"], &payload["data"]) {
                (seq, Value::Null) => format!("barrier {seq}"),
                (seq, data) => format!("barrier {seq} {data}"),
            },
            "job-exec.shell-tell" => {
                let words = payload["words"].as_array().unwrap().iter();
                let words: Vec<String> = words.map(Value::to_string).collect();
                format!("tell {} {}", payload["seq"], words.join(" "))
            }
            "job-exec.shell-hear" => format!("hear {}", payload["after"]),
            "100-shell-fNH.array-next" => {
                let [after, slots, want] = ["after", "slots", "want"].map(|key| &payload[key]);
                format!("next after={after} slots={slots} want={want}")
            }
            "100-shell-fNH.array-ended" => {
                let history = History::read(payload["line"].as_str().unwrap());
                let ended = history.ended.values();
                let ended: Vec<String> = ended
                    .map(|ended| format!("{}:{}", ended.index, ended.how.word()))
                    .collect();
                format!("ended {}", ended.join(" "))
            }
            "100-shell-fNH.coprocess-write" => format!("coprocess {payload}"),
            "100-shell-fNH.array-cancel" => format!("cancel {}", payload["indices"]),
            "kvs.lookup" => format!("look up {}", payload["key"].as_str().unwrap()),
            "job-info.lookup" => format!("look up {} of {}", payload["keys"][0], payload["id"]),
            _ => format!("watch {}", payload["key"]),
        };
        self.asked.push((topic, tag));
        said
    }

    /// The kvs answers a commit.
    pub fn commit_done(&mut self, tag: u32) {
        let root = r#"{"rootref":"sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709","rootseq":1}"#;
        self.probe.answer("kvs.commit", tag, Ok(root));
    }

    fn commit(&mut self, commit: &Commit) {
        assert_eq!(commit.namespace, "job-1234");
        for op in &commit.ops {
            let text = serde_json::to_value(op).unwrap();
            match serde_json::from_value(text["dirent"].clone()).unwrap() {
                Tree::Val(bytes) => self.append(&op.key, &bytes),
                other => panic!("a shell commits no {}", other.kind()),
            }
        }
    }

    fn append(&mut self, key: &str, bytes: &[u8]) {
        self.values
            .entry(key.to_owned())
            .or_default()
            .extend_from_slice(bytes);
    }

    /// Publishes an event to the shell.
    pub fn event(&mut self, topic: &str, payload: &Value) -> Vec<String> {
        self.probe.event(topic, &payload.to_string());
        self.run()
    }

    /// Any message, as from a client of this name.
    pub fn message(&mut self, mut message: Message, client: &str) -> Vec<String> {
        message.set_flag(Flags::NORESPONSE, true);
        message.push_route(Identity::new(client).unwrap());
        self.probe.message(message);
        self.run()
    }
}

fn raised(payload: &Value) -> String {
    let status = payload.get("wait_status");
    let status = status.map_or(String::new(), |status| format!(" {status}"));
    format!("raise {}{status}", payload["note"].as_str().unwrap())
}

fn method(message: &Message) -> &str {
    message.topic().rsplit('.').next().unwrap_or_default()
}
