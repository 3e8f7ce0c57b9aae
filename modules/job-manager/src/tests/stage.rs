//! A job manager between a KVS, a scheduler, an execution service and clients, all played
//! by the test.

use std::collections::BTreeMap;
use std::time::Duration;

use ahead::{Log, NoLog, TextLog};
use node::probe::{Probe, line};
use proto::data::eventlog::decode_log;
use proto::data::{JobId, Tree};
use proto::kvs::{Commit, Dirent, Found, Lookup, Op, READDIR};
use proto::{Errno, Payload, Refusal, Role};
use wire::{Flags, Identity, Kind, Message};

use crate::JobManager;
use crate::joblog::{Record, decode};

/// The stage. Commits wait for `store`; lookups are answered at once.
pub struct Stage {
    probe: Probe<JobManager>,
    kvs: BTreeMap<String, Vec<u8>>,
    /// Tag and payload of the commit that waits.
    commit: Option<(u32, Commit)>,
    /// Tag of the request that follows `resource.R`.
    watch: u32,
    /// The last commit that was applied.
    once: Option<String>,
    /// Other requests that are not answered: topic and tag.
    asked: Vec<(String, u32)>,
    /// The configuration from the next start on.
    conf: String,
    /// Tags of the requests for processes, by rank and in their order.
    processes: Vec<(u32, u32)>,
    /// Lookups from which on there is no KVS, and the error.
    pub kvs_leaves: Option<(usize, Errno)>,
    /// The job log has its rows in segments soon.
    folds_early: bool,
    /// The file of events that are ahead of the KVS, from the next start on if there is
    /// one.
    early: Option<TextLog>,
}

/// The file of events that are ahead of the KVS.
pub fn log(early: Option<&TextLog>) -> Box<dyn Log> {
    match early {
        Some(early) => Box::new(early.clone()),
        None => Box::new(NoLog),
    }
}

const JOBSPEC: &str =
    r#"{"resources":[],"tasks":[],"attributes":{"system":{"duration":0}},"version":1}"#;
const R: &str = r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0"}}],"nodelist":["h0"],"starttime":1000.0,"expiration":0.0}}"#;
/// Resources of jobs in queues: they must be countable.
const ONE_CORE: &str =
    r#"[{"type":"slot","count":1,"label":"t","with":[{"type":"core","count":1}]}]"#;
/// Three ranks.
const MANY: &str = r#"{"version":1,"execution":{"R_lite":[{"rank":"0-2","children":{"core":"0"}}],"nodelist":["h[0-2]"],"starttime":1000.0,"expiration":0.0}}"#;

impl Stage {
    pub fn new() -> Stage {
        let mut stage = Stage {
            probe: Probe::start(log(None), &[], "{}").expect("the job manager starts"),
            early: None,
            kvs: BTreeMap::new(),
            commit: None,
            once: None,
            watch: 0,
            asked: Vec::new(),
            conf: "{}".to_owned(),
            processes: Vec::new(),
            kvs_leaves: None,
            folds_early: false,
        };
        stage.said();
        stage.store();
        stage.said();
        // The head of an empty job log.
        stage.probe.settle();
        stage.said();
        stage.store();
        stage
    }

    /// Plays one command; returns the output.
    pub fn play(&mut self, command: &str) -> Vec<String> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let (first, json) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "submit" => self.submit(first, json),
            "request" => drop(self.probe.request(first, json)),
            "stream" => drop(self.probe.stream(first, json)),
            "guest" | "guest-stream" => {
                let (topic, json) = json.split_once(' ').unwrap_or((json, ""));
                let uid = first.parse().expect("a user id");
                let flags = if verb == "guest" { 0 } else { Flags::STREAMING };
                self.probe.request_as(topic, json, uid, Role::USER, flags);
            }
            "numbered" => self.request_numbered(first, json),
            "from" => self.request_from(first, json),
            "event" => self.probe.event(first, json),
            "alloc" => self.alloc(first, json),
            "exec" => self.untagged("job-exec.start", json.replace("ID", first)),
            "refuse" => self.untagged_error(first, json),
            "store" if self.commit.is_none() => return vec!["nothing to store".to_owned()],
            "store" => self.store(),
            "lose-kvs" => self.lose_kvs(first == "applied"),
            "no-room" => self.refuse_commit(),
            "pass" => self
                .probe
                .pass(Duration::from_secs_f64(first.parse().expect("seconds"))),
            "expiration" => {
                let val = Tree::Val(ending(first).into());
                let payload = Found { val }.encode();
                let text = String::from_utf8_lossy(&payload).replace('\0', "");
                self.probe
                    .answer_stream("kvs-watch.lookup", self.watch, Ok(&text));
            }
            "conf" => rest.clone_into(&mut self.conf),
            "early" => self.early = Some(TextLog::default()),
            "early-text" => {
                let text = self.early.as_ref().map(TextLog::text);
                return text
                    .unwrap_or_default()
                    .lines()
                    .map(str::to_owned)
                    .collect();
            }
            "early-line" => self.add_early(rest),
            "early-full" => self
                .early
                .iter()
                .for_each(|early| early.fill(first == "on")),
            "restart" => {
                let mut said = self.restart();
                self.probe.settle();
                said.extend(self.said());
                return said;
            }
            "process" => self.process(first, json),
            "answer" => self.answer(first, json),
            "drop" => drop(self.kvs.remove(first)),
            "put" => drop(
                self.kvs
                    .insert(first.to_owned(), json.replace("\\n", "\n").into()),
            ),
            "dump" => return self.dump(),
            other => panic!("no such command: {other}"),
        }
        self.probe.settle();
        self.said()
    }

    /// Asks for a stream; returns its tag and the output.
    pub fn stream(&mut self, topic: &str, json: &str) -> (u32, Vec<String>) {
        let tag = self.probe.stream(topic, json);
        self.probe.settle();
        (tag, self.said())
    }

    /// True if a commit waits for `store`.
    pub fn waits_to_store(&self) -> bool {
        self.commit.is_some()
    }

    /// From the next start on no rows are kept in memory that the job log has in segments,
    /// and it has them there soon.
    pub fn keep_no_rows(&mut self) {
        self.folds_early = true;
        self.play(r#"conf {"job-manager":{"inactive-memory":"1"}}"#);
    }

    /// Inactive jobs whose rows are in the job log only.
    pub fn n_away(&self) -> usize {
        self.probe.actor.core.jobs.n_away()
    }

    /// The keys below this one.
    pub fn keys(&self, dir: &str) -> Vec<String> {
        let keys = self.kvs.keys();
        keys.filter(|key| is_within(key, dir)).cloned().collect()
    }

    /// Puts a job into the KVS with these events, as another job manager would have.
    pub fn put_job(&mut self, id: u64, jobspec: &str, events: &[&str]) {
        let context = |name: &str| match name {
            "submit" => r#","context":{"userid":100,"urgency":16,"flags":0,"version":1}"#,
            "exception" => r#","context":{"type":"cancel","severity":0,"note":""}"#,
            "memo" => r#","context":{"a":1}"#,
            _ => "",
        };
        let line = |name: &&str| {
            format!(
                "{{\"timestamp\":1.0,\"name\":\"{name}\"{}}}\n",
                context(name)
            )
        };
        let log: String = events.iter().map(line).collect();
        self.kvs.insert(JobId(id).kvs_key("eventlog"), log.into());
        self.kvs
            .insert(JobId(id).kvs_key("jobspec"), jobspec.into());
        self.kvs.remove("job-log.head");
    }

    fn submit(&mut self, id: &str, settings: &str) {
        let setting = |name: &str| {
            let words = settings.split_whitespace();
            let mut pairs = words.filter_map(|word| word.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (user, urgency) = (
            setting("user").unwrap_or("100"),
            setting("urgency").unwrap_or("16"),
        );
        let flags = setting("flags").unwrap_or("0");
        let in_queue = setting("queue").map(|queue| {
            let queue = format!(r#""system":{{"queue":"{queue}","#);
            let jobspec = JOBSPEC.replace(r#""system":{"#, &queue);
            jobspec.replacen("[]", ONE_CORE, 1)
        });
        let jobspec = in_queue.as_deref().or(setting("jobspec"));
        let jobspec = jobspec.unwrap_or(JOBSPEC);
        let number: u64 = id.parse().expect("a number");
        let key = JobId(number).kvs_key("jobspec");
        self.kvs.insert(key, jobspec.into());
        let job = format!(
            r#"{{"id":{id},"userid":{user},"urgency":{urgency},"t_submit":999.5,"flags":{flags},"jobspec":{jobspec}}}"#
        );
        self.probe
            .request("job-manager.submit", &format!(r#"{{"jobs":[{job}]}}"#));
    }

    /// A request from a client, scheduler or execution service by name.
    fn request_from(&mut self, who: &str, rest: &str) {
        let (topic, json) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut message = Message::request(topic, 1);
        if !json.is_empty() {
            message.set_payload(format!("{json}\0").into());
        }
        message.set_flag(
            Flags::STREAMING,
            topic.ends_with("hello") && topic.contains("sched"),
        );
        message.set_flag(Flags::NORESPONSE, topic.ends_with("disconnect"));
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new(who).expect("a short name"));
        self.probe.message(message);
    }

    fn alloc(&mut self, id: &str, what: &str) {
        let (what, mut more) = what.split_once(' ').unwrap_or((what, ""));
        let number: u64 = id.parse().expect("a number");
        let rest = match what {
            "until" => {
                let r = ending(std::mem::take(&mut more));
                let json = format!(r#""type":0,"R":{r}"#);
                self.kvs.insert(JobId(number).kvs_key("R"), r.into());
                json
            }
            "ok" => {
                self.kvs.insert(JobId(number).kvs_key("R"), R.into());
                format!(r#""type":0,"R":{R}"#)
            }
            "many" => {
                self.kvs.insert(JobId(number).kvs_key("R"), MANY.into());
                format!(r#""type":0,"R":{MANY}"#)
            }
            "note" => r#""type":1"#.to_owned(),
            "deny" => r#""type":2"#.to_owned(),
            "canceled" => r#""type":3"#.to_owned(),
            "says" => std::mem::take(&mut more).to_owned(),
            other => panic!("no such answer: {other}"),
        };
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(",{more}")
        };
        self.untagged("sched.alloc", format!(r#"{{"id":{id},{rest}{more}}}"#));
    }

    fn untagged(&mut self, topic: &str, json: String) {
        let payload = format!("{json}\0");
        let response = Message::request(topic, 0).into_response(0, payload.into());
        self.probe.message(response);
    }

    fn untagged_error(&mut self, topic: &str, text: &str) {
        let payload = format!("{text}\0");
        let response = Message::request(topic, 0).into_response(Errno::ENOSYS.0, payload.into());
        self.probe.message(response);
    }

    /// Applies the commit that waits and answers it.
    fn store(&mut self) {
        let (tag, commit) = self.commit.take().expect("a commit waits");
        self.apply(commit);
        self.probe
            .answer("kvs.commit", tag, Ok(r#"{"rootref":"sha1-0","rootseq":1}"#));
    }

    fn apply(&mut self, commit: Commit) {
        if commit.once.is_some() && commit.once == self.once {
            return;
        }
        self.once = commit.once;
        for op in commit.ops {
            match op.dirent {
                Some(Dirent::Tree(Tree::Val(value))) if op.flags != 0 => {
                    self.kvs.entry(op.key).or_default().extend(value);
                }
                Some(Dirent::Tree(Tree::Val(value))) => drop(self.kvs.insert(op.key, value.into())),
                Some(other) => drop(self.kvs.insert(op.key, format!("{other:?}").into())),
                None => self.kvs.retain(|key, _| !is_within(key, &op.key)),
            }
        }
    }

    /// A request that the broker has given a number, as it comes the first time and again.
    fn request_numbered(&mut self, number: &str, rest: &str) {
        let (topic, json) = rest.split_once(' ').unwrap_or((rest, ""));
        let number = number.parse().expect("a number");
        let mut message = Message::request(topic, u32::try_from(number).expect("a tag"));
        message.set_payload(format!("{json}\0").into());
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new("client").expect("a name"));
        message.push_route(node::number_route(number).expect("a name"));
        message.push_route(Identity::new("broker").expect("a name"));
        self.probe.message(message);
    }

    /// A service answers the oldest request for it: with JSON, or an error by name and text.
    fn answer(&mut self, topic: &str, error: &str) {
        let at = self.asked.iter().position(|(asked, _)| asked == topic);
        let (_, tag) = self.asked.remove(at.expect("the service was asked"));
        let (errno, text) = error.split_once(' ').unwrap_or((error, ""));
        let answer = match errno {
            "" => Ok(""),
            json if json.starts_with('{') => Ok(error),
            name => {
                let errno = (1..256)
                    .map(Errno)
                    .find(|errno| format!("{errno:?}") == name);
                let errno = errno.expect("an error by its name");
                Err(Refusal::new(errno, text.to_owned()))
            }
        };
        self.probe.answer(topic, tag, answer);
    }

    /// Something happens to the oldest process of a rank: it is `told` in JSON, or it ends with
    /// a status, or in an error by number.
    fn process(&mut self, rank: &str, what: &str) {
        let rank: u32 = rank.parse().expect("a rank");
        let at = self.processes.iter().position(|(on, _)| *on == rank);
        let at = at.expect("a process was asked for on this rank");
        let tag = self.processes[at].1;
        let topic = "rexec.exec";
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        if verb == "told" {
            return self.probe.answer_stream(topic, tag, Ok(rest));
        }
        self.processes.remove(at);
        let end = match verb {
            "ends" => {
                let finished = format!(
                    r#"{{"type":"finished","status":{}}}"#,
                    rest.parse::<i32>().expect("a number")
                );
                self.probe.answer_stream(topic, tag, Ok(&finished));
                Refusal::END
            }
            "fails" => Refusal::bare(Errno(rest.parse().expect("a number"))),
            other => panic!("no such end: {other}"),
        };
        self.probe.answer(topic, tag, Err(end));
    }

    /// The KVS dies, with the commit that waits applied or not.
    /// There is no room for the commit.
    fn refuse_commit(&mut self) {
        let (tag, _) = self.commit.take().expect("a commit waits");
        let full = Refusal::new(Errno::ENOSPC, "disk is full");
        self.probe.answer("kvs.commit", tag, Err(full));
    }

    /// Adds a line to the file of events that are ahead of the KVS.
    fn add_early(&mut self, line: &str) {
        let log = self.early.iter_mut();
        log.for_each(|log| log.append(&format!("{line}\n")).expect("it has room"));
    }

    fn lose_kvs(&mut self, is_applied: bool) {
        let (tag, commit) = self.commit.take().expect("a commit waits");
        if is_applied {
            self.apply(commit);
        }
        let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
        self.probe.answer("kvs.commit", tag, Err(lost));
    }

    /// True if the job manager has announced its end.
    pub fn is_ending(&self) -> bool {
        self.probe.actor.cx.is_ending()
    }

    /// The job manager dies and another one starts.
    fn restart(&mut self) -> Vec<String> {
        self.commit = None;
        self.processes.clear();
        self.probe = Probe::start(log(self.early.as_ref()), &[], &self.conf)
            .expect("the job manager starts");
        if self.folds_early {
            self.probe.actor.core.joblog.fold_early();
        }
        self.said();
        self.store();
        self.said()
    }

    fn dump(&self) -> Vec<String> {
        let show = |(key, value): (&String, &Vec<u8>)| match decode_log(value) {
            Ok(entries) if key.ends_with("eventlog") => {
                let names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
                format!("{key}: {}", names.join(" "))
            }
            _ => format!("{key}: {}", in_one_line(value)),
        };
        let is_ours = |key: &str| {
            !key.ends_with("jobspec") && !key.ends_with(".R") && !key.starts_with("job-log")
        };
        self.kvs
            .iter()
            .filter(|(key, _)| is_ours(key))
            .map(show)
            .collect()
    }

    /// Everything said, lookups answered.
    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let messages = self.probe.messages();
            if messages.is_empty() {
                return said;
            }
            for message in messages {
                match (message.topic(), message.kind) {
                    ("kvs-watch.lookup", Kind::Request { matchtag, .. }) => self.watch = matchtag,
                    ("event.subscribe" | "state-machine.monitor", _) => {}
                    ("kvs.lookup", Kind::Request { matchtag, .. }) => {
                        self.look_up(&message, matchtag)
                    }
                    ("kvs.commit", Kind::Request { matchtag, .. }) => {
                        let commit = Commit::decode(message.payload()).expect("a commit");
                        said.push(format!("commit {}", shown(&commit)));
                        assert!(self.commit.is_none(), "one commit at a time");
                        self.commit = Some((matchtag, commit));
                    }
                    ("rexec.exec" | "rexec.kill", Kind::Request { nodeid, matchtag }) => {
                        if message.topic() == "rexec.exec" {
                            self.processes.push((nodeid, matchtag));
                        }
                        said.push(format!("to rank {nodeid}: {}", shown_process(&message)));
                    }
                    (topic, kind) => {
                        let line = match kind {
                            Kind::Request {
                                matchtag: tag @ 1..,
                                ..
                            } => {
                                self.asked.push((topic.to_owned(), tag));
                                without_tag(&message)
                            }
                            _ => line(&message),
                        };
                        said.push(
                            line.replace(JOBSPEC, "JOBSPEC")
                                .replace(ONE_CORE, "[ONE CORE]")
                                .replace(R, "R")
                                .replace(MANY, "MANY"),
                        );
                    }
                }
            }
        }
    }

    fn look_up(&mut self, message: &Message, tag: u32) {
        if let Some((n, errno)) = &mut self.kvs_leaves {
            let Some(left) = n.checked_sub(1) else {
                let away = Err(Refusal::bare(*errno));
                return self.probe.answer("kvs.lookup", tag, away);
            };
            *n = left;
        }
        let lookup = Lookup::decode(message.payload()).expect("a lookup");
        let found = match lookup.flags {
            READDIR => self.names_in(&lookup.key),
            0 => self
                .kvs
                .get(&lookup.key)
                .map(|value| Tree::Val(value.clone().into())),
            _ => Some(Tree::symlink("moved")),
        };
        match found {
            Some(val) => {
                let payload = Found { val }.encode();
                let text = String::from_utf8_lossy(&payload).replace('\0', "");
                self.probe.answer("kvs.lookup", tag, Ok(&text));
            }
            None => self
                .probe
                .answer("kvs.lookup", tag, Err(Refusal::bare(Errno::ENOENT))),
        }
    }

    fn names_in(&self, dir: &str) -> Option<Tree> {
        let below = self
            .kvs
            .keys()
            .filter_map(|key| key.strip_prefix(dir)?.strip_prefix('.'));
        let names = below.filter_map(|rest| rest.split('.').next());
        let entries: BTreeMap<Box<str>, Tree> =
            names.map(|name| (name.into(), Tree::empty_dir())).collect();
        (!entries.is_empty()).then_some(Tree::Dir(entries))
    }
}

/// R until a time.
fn ending(time: &str) -> String {
    R.replace(r#""expiration":0.0"#, &format!(r#""expiration":{time}"#))
}

fn is_within(key: &str, dir: &str) -> bool {
    key.strip_prefix(dir)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A request whose tag is of no interest: it is one of many.
fn without_tag(message: &Message) -> String {
    line(message).replace(&format!(" #{}", message.matchtag()), "")
}

/// A request for a process or to one, in a few words.
fn shown_process(message: &Message) -> String {
    let Ok(exec) = proto::rexec::Exec::decode(message.payload()) else {
        return without_tag(message);
    };
    let env = exec
        .env_add
        .iter()
        .map(|(name, value)| format!("{name}={value} "));
    let (env, command) = (env.collect::<String>(), exec.cmd.cmdline.join(" "));
    format!("run {env}{command}")
}

/// A commit in a few words: keys, and names of events.
fn shown(commit: &Commit) -> String {
    // The head goes with each change of the log, and is of interest when the log begins.
    let begins = commit.ops.iter().any(|op| op.key == "job-log");
    let is_told = |op: &&Op| begins || op.key != "job-log.head";
    let ops = commit.ops.iter().filter(is_told);
    let ops = ops.map(|op| match &op.dirent {
        Some(Dirent::Tree(Tree::Val(value))) if op.key.starts_with("job-log") => {
            format!("{}{}", op.key, shown_log(value))
        }
        Some(Dirent::Tree(Tree::Val(value))) if op.flags != 0 => {
            let entries = decode_log(value).expect("an event log");
            let names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
            format!("{}+[{}]", op.key, names.join(" "))
        }
        Some(Dirent::Tree(Tree::Val(value))) => {
            format!("{}={}", op.key, in_one_line(value))
        }
        Some(_) => format!("{}=...", op.key),
        None => format!("-{}", op.key),
    });
    ops.collect::<Vec<_>>().join(" ")
}

/// A value as text: the output of a command ends at an empty line.
fn in_one_line(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace('\n', "\\n")
}

/// Records of the job log in a few words.
fn shown_log(frames: &[u8]) -> String {
    let Ok(frames) = decode(frames) else {
        return "=...".to_owned();
    };
    let words = frames.into_iter().flatten().map(|record| match record {
        Record::Submitted(id) => format!("submitted {id}"),
        Record::Retired(row) => format!("retired {}", row.id),
        Record::Purged(ids) => format!("purged {ids:?}"),
        Record::Unwaited(id, _) => format!("unwaited {id}"),
        Record::Waited(id) => format!("waited {id}"),
        Record::Complete => "complete".to_owned(),
    });
    format!("+({})", words.collect::<Vec<_>>().join(", "))
}
