//! A kvs, a content store that answers on command, and clients.
//!
//! Commands: `commit [#N] [as=UID] [in=NS] [once=W:N] [nomerge] [sync] OP...` where an OP is
//! `key=value`, `key+=value`, `-key`, `key` (a directory) or `key@[NS::]target`; `lookup [as=UID]
//! [in=NS] [plus] [readdir|treeobj|readlink] KEY`; `request [#N] TOPIC JSON` and `guest TOPIC
//! JSON`; `settle`; `stored [ERRNO]` and `loaded [ERRNO]` (content answers, for its oldest batch),
//! `newest [ERRNO]` (the same for its newest batch); `restart ARGS...`; `stop`; `damage` (content
//! loses its blobs) and `garble` (they become something else); `forget` (content loses records and
//! checkpoints); `checkpoint N` (someone else makes one); `pass SECONDS`. `rank N` begins again on
//! that rank, where requests to other ranks are answered by `answer TOPIC TAG JSON|ERRNO`, events
//! are received by `event TOPIC JSON`, and the first four blobs are there to be named. In the
//! output, blobs are numbered in the order in which they come up.

use std::collections::BTreeMap;

use bytes::Bytes;
use node::probe::{Probe, line};
use proto::content::{Checkpoint, Checkpoints, Commit, Record, RecordList};
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::{self, NO_MERGE, Op, READDIR, READLINK, SYNC, TREEOBJ};
use proto::{Errno, Payload, Refusal, Role};
use wire::{Flags, Identity, Kind, Message};

use crate::Kvs;

pub struct Stage {
    probe: Probe<Kvs>,
    blobs: BTreeMap<Bytes, Bytes>,
    records: BTreeMap<String, Bytes>,
    checkpoints: Vec<Checkpoint>,
    /// Requests to content that wait for `stored` and `loaded`.
    commits: Vec<(u32, Commit)>,
    loads: Vec<(u32, Bytes)>,
    names: Vec<String>,
    tag: u32,
}

impl Stage {
    pub fn new() -> Stage {
        let mut stage = Stage {
            probe: start(&[]),
            blobs: BTreeMap::new(),
            records: BTreeMap::new(),
            checkpoints: Vec::new(),
            commits: Vec::new(),
            loads: Vec::new(),
            names: Vec::new(),
            tag: 0,
        };
        stage.begin();
        stage
    }

    /// Lets the module start without telling of it.
    fn begin(&mut self) {
        while !self.said().is_empty() {
            self.stored("");
        }
    }

    pub fn play(&mut self, command: &str) -> Vec<String> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match word {
            "commit" => self.commit(rest),
            "lookup" => self.lookup(rest),
            "settle" => self.probe.settle(),
            "stored" => self.stored(rest),
            "newest" => {
                let newest = self.commits.pop().unwrap();
                self.commits.insert(0, newest);
                self.stored(rest);
            }
            "loaded" => self.loaded(rest),
            "damage" => self.blobs.clear(),
            "garble" => {
                let garbage = Bytes::from_static(b"no tree object");
                let blobs = self.blobs.values_mut();
                blobs.for_each(|blob| *blob = garbage.clone());
            }
            "forget" => {
                self.records.clear();
                self.checkpoints.clear();
            }
            "pass" => self
                .probe
                .pass(std::time::Duration::from_secs(rest.parse().unwrap())),
            "checkpoint" => self.checkpoints.insert(0, self.own_checkpoint(rest)),
            "rank" => self.begin_on(rest),
            "answer" => {
                let mut words = rest.splitn(3, ' ');
                let (topic, tag) = (words.next().unwrap(), words.next().unwrap());
                let result = words.next().unwrap();
                let result = match result.starts_with('{') {
                    true => Ok(Bytes::from(self.unnamed(result) + "\0")),
                    false => refusal_of(result).map(|()| Bytes::new()),
                };
                self.answer(topic, tag.parse().unwrap(), result);
            }
            "event" => {
                let (topic, json) = rest.split_once(' ').unwrap_or((rest, ""));
                let json = self.unnamed(json);
                self.probe.event(topic, &json);
            }
            "versions" => self.versions(rest),
            "stop" => self.request("kvs.shutdown", Bytes::new(), 100, None),
            "restart" => self.restart(rest),
            "request" | "guest" => {
                let (number, rest) = number_of(rest);
                let (topic, json) = rest.split_once(' ').unwrap_or((rest, ""));
                let payload = match json {
                    "" => Bytes::new(),
                    json => Bytes::from(self.unnamed(json) + "\0"),
                };
                self.request(
                    topic,
                    payload,
                    if word == "guest" { 200 } else { 100 },
                    number,
                );
            }
            _ => panic!("unknown command {command}"),
        }
        self.said()
    }

    /// Events of the primary namespace, with these numbers.
    fn versions(&mut self, numbers: &str) {
        let (first, last) = numbers.split_once("..=").unwrap();
        for seq in first.parse::<u64>().unwrap()..=last.parse().unwrap() {
            let root = self.unnamed(&format!("@{}", seq % 4));
            let json = format!(
                r#"{{"namespace":"primary","rootseq":{seq},"rootref":"{root}","names":[],"keys":{{}},"owner":100}}"#
            );
            self.probe.event("kvs.namespace-primary-setroot", &json);
        }
    }

    fn restart(&mut self, args: &str) {
        let args = self.unnamed(args);
        let args: Vec<&str> = args.split_whitespace().collect();
        (self.commits, self.loads) = (Vec::new(), Vec::new());
        self.probe = start(&args);
    }

    fn begin_on(&mut self, rank: &str) {
        let attrs = [("rank", rank), ("broker.uuid", &format!("broker-{rank}"))];
        self.probe = Probe::start_with((), &[], "{}", &attrs).unwrap();
        (self.commits, self.loads) = (Vec::new(), Vec::new());
        let names = (0..4_u8).map(|n| BlobRef::of(HashKind::Sha1, &[n]).to_string());
        self.names = names.collect();
    }

    fn own_checkpoint(&self, sequence: &str) -> Checkpoint {
        Checkpoint {
            version: 1,
            rootref: Tree::empty_dir().blobref(HashKind::Sha1).to_string(),
            sequence: sequence.parse().unwrap(),
            timestamp: 1.0,
        }
    }

    fn request(&mut self, topic: &str, payload: Bytes, userid: u32, number: Option<u64>) {
        self.tag += 1;
        let mut message = Message::request(topic, self.tag);
        message.set_payload(payload);
        message.userid = userid;
        message.rolemask = if userid == 100 {
            Role::OWNER
        } else {
            Role::USER
        };
        message.push_route(Identity::new("client").unwrap());
        if let Some(number) = number {
            message.push_route(node::number_route(number).unwrap());
        }
        message.push_route(Identity::new("broker").unwrap());
        self.probe.message(message);
    }

    fn commit(&mut self, rest: &str) {
        let mut request = kvs::Commit::new("primary");
        let mut userid = 100;
        let (number, rest) = number_of(rest);
        for word in rest.split_whitespace() {
            if let Some(uid) = word.strip_prefix("as=") {
                userid = uid.parse().unwrap();
            } else if let Some(namespace) = word.strip_prefix("in=") {
                request.namespace = namespace.to_owned();
            } else if let Some(token) = word.strip_prefix("once=") {
                request.once = Some(token.to_owned());
            } else if word == "nomerge" {
                request.flags |= NO_MERGE;
            } else if word == "sync" {
                request.flags |= SYNC;
            } else {
                request.ops.push(op_of(word));
            }
        }
        self.request("kvs.commit", request.encode(), userid, number);
    }

    fn lookup(&mut self, rest: &str) {
        let mut request = kvs::Lookup::new("primary", "", 0);
        let (mut userid, mut topic) = (100, "kvs.lookup");
        for word in rest.split_whitespace() {
            if let Some(uid) = word.strip_prefix("as=") {
                userid = uid.parse().unwrap();
            } else if let Some(namespace) = word.strip_prefix("in=") {
                request.namespace = Some(namespace.to_owned());
            } else {
                match word {
                    "plus" => topic = "kvs.lookup-plus",
                    "readdir" => request.flags |= READDIR,
                    "readlink" => request.flags |= READLINK,
                    "treeobj" => request.flags |= TREEOBJ,
                    key => request.key = key.to_owned(),
                }
            }
        }
        self.request(topic, request.encode(), userid, None);
    }

    /// Content stores the oldest batch, or refuses it.
    fn stored(&mut self, errno: &str) {
        if self.commits.is_empty() {
            return;
        }
        let (tag, commit) = self.commits.remove(0);
        if errno.is_empty() {
            self.blobs.extend(commit.blobs);
            for edit in commit.edits {
                // Garbled or lost blobs cannot be edited.
                let base = self.blobs.get(&edit.base);
                let blob = base.and_then(|base| edit.apply(base));
                self.blobs
                    .extend(blob.map(|blob| (edit.digest.clone(), blob)));
            }
            for Record { key, value } in commit.records {
                match value {
                    Some(value) => drop(self.records.insert(key, value)),
                    None => drop(self.records.remove(&key)),
                }
            }
            self.checkpoints.splice(0..0, commit.checkpoint);
        }
        self.answer(
            "content.commit",
            tag,
            refusal_of(errno).map(|()| Bytes::new()),
        );
    }

    /// Content answers all loads.
    fn loaded(&mut self, errno: &str) {
        for (tag, digest) in std::mem::take(&mut self.loads) {
            let blob = self.blobs.get(&digest).cloned();
            let blob = blob.ok_or(Refusal::bare(Errno::ENOENT));
            self.answer("content.load", tag, refusal_of(errno).and(blob));
        }
        self.probe.settle();
    }

    fn answer(&mut self, topic: &str, tag: u32, result: Result<Bytes, Refusal>) {
        let request = Message::request(topic, tag);
        let message = match result {
            Ok(payload) => request.into_response(0, payload),
            Err(refusal) => {
                let text = format!("{}\0", refusal.text.unwrap_or_default());
                request.into_response(refusal.errno.0, text.into())
            }
        };
        self.probe.message(message);
    }

    /// Messages since the last call, as text. Content's own answers that need no command
    /// are given on the way.
    fn said(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let messages = self.probe.messages();
            if messages.is_empty() {
                return lines;
            }
            for message in messages {
                let said = self.hear(&message);
                lines.extend(said.map(|line| self.named(&line)));
            }
        }
    }

    fn hear(&mut self, message: &Message) -> Option<String> {
        let Kind::Request { matchtag: tag, .. } = message.kind else {
            let private = message.has(Flags::PRIVATE).then_some("private ");
            return Some(format!("{}{}", private.unwrap_or_default(), line(message)));
        };
        match message.topic() {
            "content.records" => {
                let records = self.records.iter().map(|(key, value)| Record {
                    key: key.clone(),
                    value: Some(value.clone()),
                });
                let list = RecordList(records.collect()).encode();
                self.answer("content.records", tag, Ok(list));
                None
            }
            "content.checkpoint-get" => {
                let value = self.checkpoints.clone();
                let result = match value.is_empty() {
                    true => Err(Refusal::bare(Errno::ENOENT)),
                    false => Ok(Checkpoints { value }.encode()),
                };
                self.answer("content.checkpoint-get", tag, result);
                None
            }
            "content.load" => {
                let digest = message.payload().cloned().unwrap_or_default();
                let name = BlobRef::from_digest(&digest).unwrap();
                self.loads.push((tag, digest));
                Some(format!("content.load {name}"))
            }
            "content.commit" => {
                let commit = Commit::decode(message.payload()).unwrap();
                let text = describe(&commit);
                self.commits.push((tag, commit));
                Some(text)
            }
            _ => Some(line(message)),
        }
    }

    /// Names blobs by number.
    fn named(&mut self, line: &str) -> String {
        let mut named = line.to_owned();
        while let Some(at) = named.find("sha1-") {
            let name = named[at..at + 45].to_owned();
            let number = self.names.iter().position(|known| *known == name);
            let number = number.unwrap_or_else(|| {
                self.names.push(name.clone());
                self.names.len() - 1
            });
            named = named.replace(&name, &format!("@{number}"));
        }
        named
    }

    fn unnamed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, name) in self.names.iter().enumerate().rev() {
            text = text.replace(&format!("@{number}"), name);
        }
        text
    }
}

fn start(args: &[&str]) -> Probe<Kvs> {
    Probe::start((), args, "{}").unwrap()
}

/// The number that a request begins with, as the broker would have given it.
fn number_of(text: &str) -> (Option<u64>, &str) {
    match text.strip_prefix('#').and_then(|text| text.split_once(' ')) {
        Some((number, rest)) => (Some(number.parse().unwrap()), rest),
        None => (None, text),
    }
}

fn op_of(word: &str) -> Op {
    if let Some(key) = word.strip_prefix('-') {
        Op::unlink(key)
    } else if let Some((key, value)) = word.split_once("+=") {
        Op::append(key, value.to_owned())
    } else if let Some((key, value)) = word.split_once('=') {
        Op::put(key, value.to_owned())
    } else if let Some((key, target)) = word.split_once('@') {
        match target.split_once("::") {
            Some((namespace, target)) => Op::symlink(key, Some(namespace), target),
            None => Op::symlink(key, None, target),
        }
    } else {
        Op::mkdir(word)
    }
}

fn refusal_of(errno: &str) -> Result<(), Refusal> {
    match errno {
        "" => Ok(()),
        "ENOSPC" => Err(Refusal::new(Errno::ENOSPC, "content.sqlite: disk is full")),
        "EOPNOTSUPP" => Err(Refusal::bare(Errno::EOPNOTSUPP)),
        "ENOSYS" => Err(Refusal::bare(Errno::ENOSYS)),
        "EHOSTUNREACH" => Err(Refusal::bare(Errno::EHOSTUNREACH)),
        "EIO" => Err(Refusal::bare(Errno::EIO)),
        "REPLACED" => Err(proto::content::CommitError::Replaced.into()),
        _ => panic!("unknown errno {errno}"),
    }
}

fn describe(commit: &Commit) -> String {
    let mut text = format!("content.commit {} blobs", commit.blobs.len());
    if !commit.edits.is_empty() {
        text.push_str(&format!(" {} edits", commit.edits.len()));
    }
    for Record { key, value } in &commit.records {
        let sign = if value.is_some() { "" } else { "-" };
        text.push_str(&format!(" {sign}{key}"));
    }
    if let Some(checkpoint) = &commit.checkpoint {
        text.push_str(&format!(
            " checkpoint {} {}",
            checkpoint.rootref, checkpoint.sequence
        ));
    }
    text
}
