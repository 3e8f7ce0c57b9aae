//! A job-exec on stage: a kvs that stores all that is committed, a job manager that
//! listens, and children that obey the test.
#![allow(dead_code, reason = "each test file uses its own part of the stage")]
#![allow(clippy::unwrap_used, reason = "a stage is part of the tests")]
#![allow(
    clippy::disallowed_types,
    reason = "the worker of a module must be `Send`"
)]

pub mod forest;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ahead::TextLog;
use job_exec::{JobExec, Process, Processes, Seen, Surroundings};
use node::probe::Probe;
use node::{ChildEvent, ChildId, Input, Output, StdioFd};
use proto::data::Tree;
use proto::data::eventlog::decode_log;
use proto::job_exec::{BarrierOpen, Progress, ShellBatches, ShellOrder, Step};
use proto::kvs::{APPEND, Commit};
use proto::{Errno, Payload, Refusal, Role};
use serde_json::{Value, json};
use wire::{Flags, Identity, Kind, Message};

/// The job that most tests are about.
pub const JOB: u64 = 1234;

/// Root in the responses of a kvs.
const ROOT: &str = "sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// The number of every shell.
pub const SHELL_PID: i32 = 4242;

/// Processes visible on the host.
#[derive(Clone)]
pub struct Table {
    /// At [`SHELL_PID`]: a process, unless the test says another.
    seen: Arc<Mutex<Seen>>,
    /// Log of jobs that have begun; without one each waits for its log in the KVS.
    pub begun: Option<TextLog>,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            seen: Arc::new(Mutex::new(Table::process(100, "boot-1"))),
            begun: None,
        }
    }
}

impl Table {
    /// A process that was started then.
    pub fn process(start: u64, boot: &str) -> Seen {
        Seen::Runs(Process {
            pid: SHELL_PID,
            start,
            boot: boot.to_owned(),
        })
    }

    /// Puts another thing in the place of the process.
    pub fn put(&self, seen: Seen) {
        *self.seen.lock().unwrap() = seen;
    }
}

impl Processes for Table {
    fn look(&mut self, _: i32) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

/// A job-exec and the world around it.
pub struct Stage {
    pub probe: Probe<JobExec>,
    /// Values by `namespace:key`.
    pub values: BTreeMap<String, Vec<u8>>,
    /// The kvs is asked and does not answer.
    pub is_kvs_silent: bool,
    /// Commits that were not answered.
    pub unanswered: Vec<(String, u32)>,
    /// The processes of the host.
    pub table: Table,
    /// True if the job manager stores the data of a job that ended soon.
    pub together: bool,
    /// Ranks of the job that is asked for.
    pub ranks: String,
    /// Messages to other ranks.
    pub out: Vec<Message>,
    /// The highest job id.
    last: u64,
    last_child: Option<ChildId>,
    /// The lease of the shell that was started last.
    pub last_lease: String,
    /// Number of the last letters that a leading shell was given.
    pub last_at: u64,
}

impl Stage {
    /// A job-exec that comes up in an instance where these namespaces are left.
    pub fn start(conf: &str, namespaces: &[&str]) -> Stage {
        Stage::start_among(Table::default(), conf, namespaces, JOB - 1)
    }

    /// One that notes which jobs have begun.
    pub fn start_noting(conf: &str) -> Stage {
        let table = Table {
            begun: Some(TextLog::default()),
            ..Table::default()
        };
        Stage::start_among(table, conf, &[], JOB - 1)
    }

    /// One in an instance with jobs up to `last`.
    fn start_among(table: Table, conf: &str, namespaces: &[&str], last: u64) -> Stage {
        let mut stage = Stage::new(table, conf, namespaces, last, 1);
        assert_eq!(stage.run(), ["exec-hello"]);
        stage
    }

    /// A job-exec of rank 0 in an instance of this size.
    pub fn start_of(size: u32) -> Stage {
        Stage::new(Table::default(), "{}", &[], JOB - 1, size)
    }

    /// The shell that was started last, and its lease.
    pub fn started(&self) -> Option<(ChildId, String)> {
        Some((self.last_child?, self.last_lease.clone()))
    }

    fn new(table: Table, conf: &str, namespaces: &[&str], last: u64, size: u32) -> Stage {
        let around = Surroundings {
            job_shell: "/libexec/flux-shell".to_owned(),
            processes: Box::new(table.clone()),
            begun: match table.begun.clone() {
                Some(begun) => Box::new(begun),
                None => Box::new(ahead::NoLog),
            },
        };
        let size = size.to_string();
        let attrs = [
            ("local-uri", "local:///run/local-0"),
            ("hostname", "host0"),
            ("size", &size),
        ];
        let probe = Probe::start_with(around, &[], conf, &attrs).unwrap();
        let mut stage = Stage {
            probe,
            values: BTreeMap::new(),
            is_kvs_silent: false,
            unanswered: Vec::new(),
            table,
            together: false,
            ranks: "0".to_owned(),
            out: Vec::new(),
            last,
            last_child: None,
            last_lease: String::new(),
            last_at: 0,
        };
        for namespace in namespaces {
            stage.values.insert(format!("{namespace}:"), Vec::new());
        }
        stage
    }

    /// Asks for a job with these `attributes.system.exec` and nothing else of note.
    pub fn ask(&mut self, exec: &Value, reattach: bool) -> Vec<String> {
        self.ask_as(exec, reattach, 100, 0.0, "manager")
    }

    /// The same for a user, with an expiration, from a job manager of this identity.
    pub fn ask_as(
        &mut self,
        exec: &Value,
        reattach: bool,
        userid: u32,
        expiration: f64,
        manager: &str,
    ) -> Vec<String> {
        let ranks: proto::data::IdSet = self.ranks.parse().unwrap();
        let hosts: Vec<String> = ranks.iter().map(|rank| format!("host{rank}")).collect();
        let start = json!({
            "id": JOB,
            "userid": userid,
            "jobspec": {
                "version": 1,
                "resources": [{"type": "slot", "count": 1, "label": "task",
                    "with": [{"type": "core", "count": 1}]}],
                "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
                "attributes": {"system": {"duration": 0, "exec": exec}},
            },
            "reattach": reattach,
            "together": self.together,
            "R": {"version": 1, "execution": {
                "R_lite": [{"rank": self.ranks, "children": {"core": "0"}}],
                "nodelist": hosts, "starttime": 1.0, "expiration": expiration,
            }},
        });
        let mut message = Message::request("job-exec.start", 0);
        message.set_payload(proto::payload::encode_json(&start));
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new(manager).unwrap());
        self.probe.message(message);
        self.run()
    }

    /// Something happens to the shell that was started last.
    pub fn child(&mut self, event: ChildEvent) -> Vec<String> {
        let child = self.last_child.expect("a shell was started");
        self.probe.input(Input::Child { child, event });
        self.run()
    }

    /// The shell that was started last closes its streams and ends.
    pub fn child_ends(&mut self, status: i32) -> Vec<String> {
        let mut seen = self.child(ChildEvent::Exited { status });
        for stream in [StdioFd::Stdout, StdioFd::Stderr] {
            let data = bytes::Bytes::new();
            seen.extend(self.child(ChildEvent::Output {
                stream,
                data,
                eof: true,
            }));
        }
        seen
    }

    /// The shell that was started last runs.
    pub fn child_runs(&mut self) -> Vec<String> {
        self.child(ChildEvent::Started { pid: SHELL_PID })
    }

    /// The shell that was started last greets.
    pub fn hello(&mut self, again: bool) -> Vec<String> {
        let lease = self.last_lease.clone();
        self.hello_as(&lease, again)
    }

    /// A shell with this lease greets.
    pub fn hello_as(&mut self, lease: &str, again: bool) -> Vec<String> {
        let hello = json!({"id": JOB, "rank": 0, "pid": SHELL_PID, "lease": lease, "again": again});
        self.request("job-exec.shell-hello", &hello, Flags::STREAMING)
    }

    /// The shell that was started last sends its last message.
    pub fn exit(&mut self, code: u8) -> Vec<String> {
        let lease = self.last_lease.clone();
        self.exit_as(&lease, code)
    }

    /// A shell with this lease sends its last message.
    pub fn exit_as(&mut self, lease: &str, code: u8) -> Vec<String> {
        let log = "{\"timestamp\":1.5,\"name\":\"shell.task-exit\"}\n";
        let exit = json!({"id": JOB, "rank": 0, "lease": lease, "code": code,
            "lines": {"log": log}});
        self.request("job-exec.shell-exit", &exit, 0)
    }

    /// A request of the job manager with this identity.
    pub fn manager(&mut self, manager: &str, topic: &str, payload: &Value) -> Vec<String> {
        let mut message = Message::request(topic, 0);
        message.set_payload(proto::payload::encode_json(payload));
        message.set_flag(Flags::NORESPONSE, true);
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new(manager).unwrap());
        self.probe.message(message);
        self.run()
    }

    /// The connection of all shells is lost.
    pub fn shells_gone(&mut self) -> Vec<String> {
        let mut message = Message::request("job-exec.disconnect", 0);
        message.set_flag(Flags::NORESPONSE, true);
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new("client").unwrap());
        self.probe.message(message);
        self.run()
    }

    /// Any request of the owner.
    pub fn request(&mut self, topic: &str, payload: &Value, flags: u8) -> Vec<String> {
        self.probe
            .request_as(topic, &payload.to_string(), 100, Role::OWNER, flags);
        self.run()
    }

    /// An exception was raised on the job.
    pub fn exception(&mut self, payload: &Value) -> Vec<String> {
        self.probe.event("job-exception", &payload.to_string());
        self.run()
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: f64) -> Vec<String> {
        self.probe.pass(Duration::from_secs_f64(seconds));
        self.run()
    }

    /// Names of the events in the log at `namespace:key`.
    pub fn log(&self, key: &str) -> String {
        let bytes = self.values.get(key).map_or(&[][..], Vec::as_slice);
        let entries = decode_log(bytes).unwrap();
        let names: Vec<&str> = entries.iter().map(proto::data::Entry::name).collect();
        names.join(" ")
    }

    /// Successor of this job-exec, with the state that it finds.
    pub fn heir(self) -> Stage {
        let namespaces: Vec<String> = self
            .values
            .keys()
            .filter_map(|key| key.split_once(':'))
            .filter(|(namespace, _)| *namespace != "primary")
            .map(|(namespace, _)| namespace.to_owned())
            .collect();
        let names: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        let mut heir = Stage::start_among(self.table, "{}", &names, JOB);
        heir.values = self.values;
        heir
    }

    /// The same in an instance of this size, which has not looked around yet.
    pub fn heir_of(self, size: u32) -> Stage {
        let mut heir = Stage::new(self.table, "{}", &[], JOB, size);
        heir.values = self.values;
        heir
    }

    /// A new job-exec whose kvs is at work for this one still, and has its values later.
    pub fn heir_of_a_slow_kvs(self) -> Stage {
        let mut heir = Stage::new(self.table, "{}", &[], JOB, 1);
        heir.values = self.values;
        heir.is_kvs_silent = true;
        assert_eq!(heir.run(), [""; 0]);
        heir
    }

    /// The kvs answers the request that it was asked first, and from then on.
    pub fn kvs_speaks(&mut self, answer: Result<&str, Refusal>) -> Vec<String> {
        self.is_kvs_silent = false;
        let (topic, tag) = self.unanswered.remove(0);
        self.probe.answer(&topic, tag, answer);
        self.run()
    }

    /// Plays on until nothing moves; returns the notes of an onlooker.
    pub fn run(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            self.probe.settle();
            let mut outputs = self.probe.outputs();
            // Work done on the spot may have further results.
            self.probe.settle();
            outputs.extend(self.probe.outputs());
            if outputs.is_empty() {
                return seen;
            }
            for output in outputs {
                seen.extend(self.note(output));
            }
        }
    }

    fn note(&mut self, output: Output) -> Option<String> {
        match output {
            Output::Send { message, .. } => self.heard(&message),
            Output::Spawn { child, spawn } => {
                self.last_child = Some(child);
                let env = |name: &str| {
                    let found = spawn.env_add.iter().find(|(key, _)| key == name);
                    found.map(|(_, value)| value.clone()).unwrap_or_default()
                };
                self.last_lease = env("FLUX_SHELL_LEASE");
                Some(format!(
                    "spawn {} in {}",
                    spawn.argv.join(" "),
                    env("FLUX_KVS_NAMESPACE")
                ))
            }
            Output::Kill { signum, .. } => Some(format!("kill {signum}")),
            _ => None,
        }
    }

    fn heard(&mut self, message: &Message) -> Option<String> {
        match message.kind {
            Kind::Request { matchtag, .. } => self.asked(message, matchtag),
            Kind::Response { .. }
                if message
                    .routes_from_sender()
                    .any(|hop| hop.as_str().starts_with("hand-")) =>
            {
                self.out.push(message.clone());
                None
            }
            Kind::Response { errnum, .. } => {
                if let Ok(heard) = ShellBatches::decode(message.payload()) {
                    self.last_at = heard.at;
                }
                Some(response(message, errnum))
            }
            _ => None,
        }
    }

    /// Plays the services that job-exec asks.
    fn asked(&mut self, message: &Message, tag: u32) -> Option<String> {
        let topic = message.topic().to_owned();
        let payload = || -> Value {
            let text = message
                .payload()
                .and_then(|p| p.strip_suffix(b"\0"))
                .unwrap_or(b"{}");
            serde_json::from_slice(text).unwrap()
        };
        let answer = match topic.as_str() {
            "event.subscribe" => Ok(String::new()),
            "overlay.topology" | "overlay.rank-of" | "job-exec.ping" | "state-machine.monitor" => {
                self.out.push(message.clone());
                return None;
            }
            "job-manager.exec-hello" => {
                self.probe.answer(&topic, tag, Ok(""));
                return Some("exec-hello".to_owned());
            }
            "job-manager.getinfo" => Ok(json!({"max_jobid": self.last}).to_string()),
            "orphans.report" => {
                let report = payload();
                let [cause, of] = ["cause", "topic"].map(|key| report[key].as_str().unwrap());
                return Some(format!("orphan {cause} {of}"));
            }
            "resource.drain" => {
                let drain = payload();
                let ranks = drain["targets"].as_str().unwrap();
                return Some(format!("drain {ranks} {}", drain["reason"]));
            }
            _ if self.is_kvs_silent => {
                self.unanswered.push((topic, tag));
                return None;
            }
            "kvs.namespace-list" => Ok(self.namespaces()),
            "kvs.namespace-create" => {
                let key = format!("{}:", payload()["namespace"].as_str().unwrap());
                match self.values.insert(key, Vec::new()) {
                    None => Ok(String::new()),
                    Some(_) => Err(Refusal::bare(Errno::EEXIST)),
                }
            }
            "kvs.namespace-remove" => {
                let namespace = format!("{}:", payload()["namespace"].as_str().unwrap());
                self.values.retain(|key, _| !key.starts_with(&namespace));
                self.probe.answer(&topic, tag, Ok(""));
                return Some("namespace removed".to_owned());
            }
            "kvs.getroot" => self.getroot(&payload()),
            "kvs.lookup" => self.lookup(&payload()),
            "kvs.commit" => Ok(self.commit(&Commit::decode(message.payload()).unwrap())),
            other => panic!("{other} is not on this stage"),
        };
        self.probe.answer(
            &topic,
            tag,
            answer.as_ref().map(String::as_str).map_err(Clone::clone),
        );
        None
    }

    fn namespaces(&self) -> String {
        let names = self.values.keys().filter_map(|key| key.strip_suffix(':'));
        let list: Vec<Value> = names
            .map(|name| json!({"namespace": name, "owner": 100, "flags": 0}))
            .collect();
        json!({ "namespaces": list }).to_string()
    }

    fn getroot(&self, request: &Value) -> Result<String, Refusal> {
        let namespace = request["namespace"].as_str().unwrap();
        if !self.values.contains_key(&format!("{namespace}:")) {
            return Err(Refusal::bare(Errno::EOPNOTSUPP));
        }
        let root = json!({"owner": 100, "rootseq": 1, "rootref": ROOT, "flags": 0,
            "namespace": namespace});
        Ok(root.to_string())
    }

    fn lookup(&self, request: &Value) -> Result<String, Refusal> {
        let key = request["key"].as_str().unwrap();
        let namespace = request["namespace"].as_str().unwrap();
        let has_namespace = self.values.contains_key(&format!("{namespace}:"));
        if namespace != "primary" && !has_namespace {
            return Err(Refusal::bare(Errno::EOPNOTSUPP));
        }
        let found = self.values.get(&format!("{namespace}:{key}"));
        let bytes = found.ok_or(Refusal::bare(Errno::ENOENT))?;
        Ok(json!({ "val": Tree::Val(bytes.clone().into()) }).to_string())
    }

    /// Stores values, and the kind of `guest`.
    fn commit(&mut self, commit: &Commit) -> String {
        for op in &commit.ops {
            let key = format!("{}:{}", commit.namespace, op.key);
            let text = serde_json::to_value(op).unwrap();
            let tree: Tree = serde_json::from_value(text["dirent"].clone()).unwrap();
            match tree {
                Tree::Val(bytes) if op.flags & APPEND != 0 => {
                    self.values
                        .entry(key)
                        .or_default()
                        .extend_from_slice(&bytes);
                }
                Tree::Val(bytes) => {
                    self.values.insert(key, bytes.to_vec());
                }
                other => {
                    self.values.insert(key, other.kind().as_bytes().to_vec());
                }
            }
        }
        json!({"rootref": ROOT, "rootseq": 1}).to_string()
    }

    /// Type of `guest`: `symlink`, `dirref` or nothing.
    pub fn guest(&self) -> String {
        let key = format!("primary:{}", proto::data::JobId(JOB).kvs_key("guest"));
        let kind = self.values.get(&key).cloned().unwrap_or_default();
        String::from_utf8(kind).unwrap()
    }

    /// The guest log where it stays.
    pub fn kept_log(&self) -> String {
        let key = proto::data::JobId(JOB).kvs_key("guest.exec.eventlog");
        self.log(&format!("primary:{key}"))
    }

    /// The kvs loses the value of the job's `guest` key.
    pub fn forget_guest(&mut self) {
        let key = proto::data::JobId(JOB).kvs_key("guest");
        self.values.remove(&format!("primary:{key}"));
    }

    /// The key of the guest log in the primary namespace.
    pub fn primary_log(&self) -> String {
        format!(
            "primary:{}",
            proto::data::JobId(JOB).kvs_key("guest.exec.eventlog")
        )
    }
}

fn response(message: &Message, errnum: u32) -> String {
    if errnum != 0 {
        let text = message.error_text().unwrap_or_default();
        let topic = message.topic().trim_start_matches("job-exec.");
        return format!("{topic}: {:?} {text}", Errno(errnum))
            .trim_end()
            .to_owned();
    }
    match message.topic() {
        "job-exec.start" => {
            let progress = Progress::decode(message.payload()).unwrap();
            match progress.step {
                Step::Start(_) => "start".to_owned(),
                Step::Reattached(_) => "reattached".to_owned(),
                Step::Exception {
                    kind,
                    severity,
                    note,
                } => {
                    format!("exception {kind} {severity}: {note}")
                }
                Step::Finish { status } => format!("finish {status}"),
                Step::Over { status, lines } => {
                    let logs = decode_log(lines.log.as_bytes()).unwrap();
                    let names = logs.iter().map(proto::data::Entry::name);
                    format!("over {status}: {}", names.collect::<Vec<&str>>().join(" "))
                }
                Step::Release { ranks, is_final } => format!("release {ranks} {is_final}"),
            }
        }
        "job-exec.shell-hello" => {
            let order = ShellOrder::decode(message.payload()).unwrap();
            let signal = order
                .signal
                .map_or(String::new(), |signum| format!(" signal {signum}"));
            let job = if order.job.is_some() { " job" } else { "" };
            let lost = order.lost.map_or(String::new(), |lost| {
                format!(" lost {} {}: {}", lost.ranks, lost.severity, lost.message)
            });
            // In the first order it is among the rest.
            let is_news = order.namespace && order.expiration.is_none();
            let namespace = if is_news { " namespace" } else { "" };
            format!("order{job}{signal}{namespace}{lost}")
        }
        "job-exec.shell-barrier" => {
            let open = BarrierOpen::decode(message.payload()).unwrap();
            format!("shell-barrier: {}", json!(open.data))
        }
        "job-exec.shell-hear" => {
            let heard = ShellBatches::decode(message.payload()).unwrap();
            let told = heard.words.iter().map(|told| {
                let words: Vec<&str> = told.words.iter().map(|word| word.as_str()).collect();
                format!("{}.{} {}", told.rank, told.seq, words.join(" "))
            });
            format!("shell-hear: {}", told.collect::<Vec<String>>().join(", "))
        }
        topic => topic.trim_start_matches("job-exec.").to_owned() + ": ok",
    }
}
