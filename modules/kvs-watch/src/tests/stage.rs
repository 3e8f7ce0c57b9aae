//! kvs-watch, a kvs made of maps, and a client.
//!
//! Commands: `watch [as=UID] [in=NS] [single] FLAG... KEY` (FLAGs are the names of
//! `proto::kvs`); `commit [in=NS] [untold] OP...` where an OP is `key=value`,
//! `key+=value`, `-key`, `key/`, `key@[NS::]target` or `key!` (its blobs become one);
//! `create NS UID`; `remove NS`; `hold` (the kvs answers no more) and `release` (it answers
//! what it was asked, the newest first); `restart` (the kvs dies and is back),
//! `restarted` (it has been back for a while), `restore` (it is back with one version); `lose`
//! (content loses its blobs); `cancel TAG`; `disconnect [CLIENT]`; `forge JSON` (a guest
//! publishes an event); `stats`. A `watch` or `cancel` may have `by=CLIENT`.

use std::collections::BTreeMap;

use node::probe::{Probe, line};
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::{
    CreatedEvent, FoundPlus, LookupPlus, READDIR, READLINK, RemovedEvent, SetrootEvent, TREEOBJ,
};
use proto::{Errno, Payload, Role, kvs, kvs_watch};
use wire::{Flags, Identity, Kind, Message};

use crate::KvsWatch;

type Version = BTreeMap<String, Tree>;

struct Namespace {
    owner: u32,
    /// All versions, the first empty.
    versions: Vec<Version>,
}

pub struct Stage {
    probe: Probe<KvsWatch>,
    namespaces: BTreeMap<String, Namespace>,
    blobs: BTreeMap<BlobRef, String>,
    holding: bool,
    held: Vec<Message>,
    tag: u32,
}

impl Stage {
    pub fn new() -> Stage {
        let primary = Namespace {
            owner: 100,
            versions: vec![Version::new()],
        };
        Stage {
            probe: Probe::start((), &[], "{}").unwrap(),
            namespaces: BTreeMap::from([("primary".to_owned(), primary)]),
            blobs: BTreeMap::new(),
            holding: false,
            held: Vec::new(),
            tag: 0,
        }
    }

    pub fn play(&mut self, command: &str) -> Vec<String> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match word {
            "watch" => self.watch(rest),
            "commit" => self.commit(rest),
            "create" => self.create(rest),
            "remove" => {
                self.namespaces.remove(rest);
                let namespace = rest.to_owned();
                self.event(rest, "removed", &RemovedEvent { namespace });
            }
            "lose" => self.blobs.clear(),
            "hold" => self.holding = true,
            "release" => self.release(),
            "restart" => self.restart(),
            "restarted" => self.send_restarted(),
            "restore" => {
                let primary = self.namespaces.get_mut("primary").unwrap();
                primary.versions = vec![primary.versions.pop().unwrap()];
                self.send_restarted();
            }
            "cancel" => {
                let (client, tag) = rest.split_once(' ').unwrap_or(("by=client", rest));
                let client = client.strip_prefix("by=").unwrap();
                let matchtag = tag.parse().unwrap();
                let cancel = proto::common::Cancel { matchtag };
                self.request_by(client, "kvs-watch.cancel", &cancel, 100, Flags::NORESPONSE);
            }
            "disconnect" => {
                let client = if rest.is_empty() { "client" } else { rest };
                let topic = "kvs-watch.disconnect";
                self.request_by(client, topic, &proto::Empty, 100, Flags::NORESPONSE);
            }
            "forge" => {
                let mut message = Message::event("kvs.namespace-primary-setroot");
                message.set_payload(format!("{rest}\0").into());
                (message.userid, message.rolemask) = (200, Role::USER);
                self.probe.message(message);
            }
            "stats" => {
                self.request("kvs-watch.stats-get", &kvs_watch::StatsGet, 100, 0);
            }
            _ => panic!("unknown command {command}"),
        }
        self.said()
    }

    fn request(&mut self, topic: &str, payload: &impl Payload, userid: u32, flags: u8) {
        self.request_by("client", topic, payload, userid, flags);
    }

    fn request_by(
        &mut self,
        client: &str,
        topic: &str,
        payload: &impl Payload,
        userid: u32,
        flags: u8,
    ) {
        self.tag += 1;
        let mut message = Message::request(topic, self.tag);
        message.set_payload(payload.encode());
        message.set_flag(flags, true);
        message.userid = userid;
        message.rolemask = if userid == 100 {
            Role::OWNER
        } else {
            Role::USER
        };
        message.push_route(Identity::new(client).unwrap());
        self.probe.message(message);
    }

    fn watch(&mut self, rest: &str) {
        let mut request = kvs_watch::Lookup::new("primary", "", 0);
        let (mut userid, mut flags, mut client) = (100, Flags::STREAMING, "client");
        for word in rest.split(' ') {
            if let Some(name) = word.strip_prefix("by=") {
                client = name;
            } else if let Some(uid) = word.strip_prefix("as=") {
                userid = uid.parse().unwrap();
            } else if let Some(namespace) = word.strip_prefix("in=") {
                request.namespace = namespace.to_owned();
            } else if word == "single" {
                flags = 0;
            } else {
                match flag_of(word) {
                    Some(flag) => request.flags |= flag,
                    None => request.key = word.to_owned(),
                }
            }
        }
        self.request_by(client, "kvs-watch.lookup", &request, userid, flags);
    }

    fn commit(&mut self, rest: &str) {
        let (mut name, mut told, mut keys) = ("primary", true, BTreeMap::new());
        let mut ops = Vec::new();
        for word in rest.split_whitespace() {
            if let Some(namespace) = word.strip_prefix("in=") {
                name = namespace;
            } else if word == "untold" {
                told = false;
            } else {
                ops.push(word);
            }
        }
        let mut version = self.namespaces[name].versions.last().unwrap().clone();
        for op in ops {
            keys.insert(self.apply(&mut version, op), ());
        }
        self.namespaces
            .get_mut(name)
            .unwrap()
            .versions
            .push(version);
        if told {
            let event = self.setroot(name, keys, false);
            self.event(name, "setroot", &event);
        }
    }

    /// Does one operation and returns the key that it wrote.
    fn apply(&mut self, version: &mut Version, op: &str) -> String {
        let (key, tree) = if let Some(key) = op.strip_suffix('!') {
            let Some(Tree::ValRef(names)) = version.get(key) else {
                panic!("{key} has no blobs");
            };
            let text: String = names.iter().map(|name| self.blobs[name].as_str()).collect();
            (key, Tree::ValRef(vec![self.blob(&text)]))
        } else if let Some(key) = op.strip_prefix('-') {
            version.remove(key);
            return key.to_owned();
        } else if let Some(key) = op.strip_suffix('/') {
            (key, Tree::DirRef(self.blob(key)))
        } else if let Some((key, target)) = op.split_once('@') {
            (key, link_to(target))
        } else if let Some((key, value)) = op.split_once("+=") {
            let mut names = match version.get(key) {
                Some(Tree::ValRef(names)) => names.clone(),
                Some(Tree::Val(bytes)) => vec![self.blob(std::str::from_utf8(bytes).unwrap())],
                _ => vec![],
            };
            names.push(self.blob(value));
            (key, Tree::ValRef(names))
        } else {
            let (key, value) = op.split_once('=').unwrap();
            (key, Tree::Val(value.to_owned().into()))
        };
        version.insert(key.to_owned(), tree);
        key.to_owned()
    }

    fn blob(&mut self, text: &str) -> BlobRef {
        let name = BlobRef::of(HashKind::Sha1, text.as_bytes());
        self.blobs.insert(name, text.to_owned());
        name
    }

    fn setroot(&self, name: &str, keys: BTreeMap<String, ()>, restarted: bool) -> SetrootEvent {
        let namespace = &self.namespaces[name];
        let seq = namespace.versions.len() - 1;
        SetrootEvent {
            namespace: name.to_owned(),
            rootseq: seq as i64,
            rootref: root_of(name, seq).to_string(),
            names: vec![],
            keys,
            owner: namespace.owner,
            restarted,
        }
    }

    fn create(&mut self, rest: &str) {
        let (name, uid) = rest.split_once(' ').unwrap();
        let namespace = Namespace {
            owner: uid.parse().unwrap(),
            versions: vec![Version::new()],
        };
        let event = CreatedEvent {
            namespace: name.to_owned(),
            rootseq: 0,
            rootref: root_of(name, 0).to_string(),
            owner: namespace.owner,
        };
        self.namespaces.insert(name.to_owned(), namespace);
        self.event(name, "created", &event);
    }

    fn event(&mut self, namespace: &str, what: &str, event: &impl Payload) {
        let mut message = Message::event(&format!("kvs.namespace-{namespace}-{what}"));
        message.set_payload(event.encode());
        (message.userid, message.rolemask) = (100, Role::OWNER);
        self.probe.message(message);
    }

    fn release(&mut self) {
        self.holding = false;
        for request in std::mem::take(&mut self.held).into_iter().rev() {
            self.answer(&request);
        }
    }

    fn restart(&mut self) {
        self.holding = false;
        for request in std::mem::take(&mut self.held) {
            let text = "module disconnect\0".into();
            self.probe
                .message(request.into_response(Errno::EHOSTUNREACH.0, text));
        }
        self.send_restarted();
    }

    fn send_restarted(&mut self) {
        let names: Vec<String> = self.namespaces.keys().cloned().collect();
        for name in names {
            let event = self.setroot(&name, BTreeMap::new(), true);
            self.event(&name, "setroot", &event);
        }
    }

    /// Messages since the last call; requests to the kvs are answered on the way.
    fn said(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let messages = self.probe.messages();
            if messages.is_empty() {
                return lines;
            }
            for message in messages {
                let is_request = matches!(message.kind, Kind::Request { .. });
                match message.topic() {
                    "kvs.lookup-plus" | "content.load" if is_request && self.holding => {
                        self.held.push(message);
                    }
                    "kvs.lookup-plus" | "content.load" if is_request => self.answer(&message),
                    _ => lines.push(shown(&message)),
                }
            }
        }
    }

    fn answer(&mut self, request: &Message) {
        let response = match request.topic() {
            "content.load" => {
                let name = BlobRef::from_digest(request.payload().unwrap()).unwrap();
                let blob = self.blobs.get(&name).ok_or(Errno::ENOENT);
                blob.map(|blob| blob.clone().into())
            }
            _ => self.look_up(request).map(|found| found.encode()),
        };
        let response = match response {
            Ok(payload) => Message::respond_to(request, 0, payload),
            Err(errno) => Message::respond_to(request, errno.0, bytes::Bytes::new()),
        };
        self.probe.message(response);
    }

    fn look_up(&self, request: &Message) -> Result<FoundPlus, Errno> {
        let LookupPlus(lookup) = LookupPlus::decode(request.payload()).unwrap();
        let (name, seq) = match (&lookup.namespace, &lookup.rootdir) {
            (Some(name), _) => {
                let namespace = self.namespaces.get(name).ok_or(Errno::EOPNOTSUPP)?;
                if request.userid != 100 && request.userid != namespace.owner {
                    return Err(Errno::EPERM);
                }
                (name.as_str(), namespace.versions.len() - 1)
            }
            (None, root) => {
                self.version_of(&serde_json::from_value(root.clone().unwrap()).unwrap())
            }
        };
        let mut tree = self.namespaces[name].versions[seq].get(&lookup.key);
        if lookup.flags & (TREEOBJ | READLINK) == 0 {
            tree = self.follow(request, name, seq, tree)?;
        }
        let tree = tree
            .map(|tree| self.shown_as(tree, lookup.flags))
            .transpose()?;
        Ok(FoundPlus {
            errno: tree.is_none().then_some(Errno::ENOENT.0),
            val: tree,
            rootseq: seq as i64,
            rootref: root_of(name, seq).to_string(),
        })
    }

    /// Follows links, into other namespaces if the caller may.
    fn follow<'a>(
        &'a self,
        request: &Message,
        mut name: &'a str,
        mut seq: usize,
        mut tree: Option<&'a Tree>,
    ) -> Result<Option<&'a Tree>, Errno> {
        while let Some(Tree::Symlink { target, namespace }) = tree {
            if let Some(other) = namespace {
                let found = self.namespaces.get(other).ok_or(Errno::EOPNOTSUPP)?;
                if request.userid != 100 && request.userid != found.owner {
                    return Err(Errno::EPERM);
                }
                (name, seq) = (other, found.versions.len() - 1);
            }
            tree = self.namespaces[name].versions[seq].get(target);
        }
        Ok(tree)
    }

    fn version_of(&self, root: &Tree) -> (&str, usize) {
        for (name, namespace) in &self.namespaces {
            for seq in 0..namespace.versions.len() {
                if Tree::DirRef(root_of(name, seq)) == *root {
                    return (name, seq);
                }
            }
        }
        panic!("{root:?} is no root");
    }

    fn shown_as(&self, tree: &Tree, flags: u32) -> Result<Tree, Errno> {
        match tree {
            tree if flags & TREEOBJ != 0 => Ok(tree.clone()),
            Tree::Symlink { .. } if flags & READLINK != 0 => Ok(tree.clone()),
            _ if flags & READLINK != 0 => Err(Errno::EINVAL),
            Tree::DirRef(_) if flags & READDIR != 0 => Ok(Tree::empty_dir()),
            Tree::DirRef(_) => Err(Errno::EISDIR),
            Tree::ValRef(names) => {
                let texts = names.iter().map(|name| self.blobs[name].as_str());
                Ok(Tree::Val(texts.collect::<String>().into()))
            }
            tree => Ok(tree.clone()),
        }
    }
}

fn link_to(text: &str) -> Tree {
    match text.split_once("::") {
        Some((namespace, target)) => Tree::Symlink {
            target: target.to_owned(),
            namespace: Some(namespace.to_owned()),
        },
        None => Tree::symlink(text),
    }
}

fn root_of(namespace: &str, seq: usize) -> BlobRef {
    BlobRef::of(HashKind::Sha1, format!("{namespace} {seq}").as_bytes())
}

fn flag_of(word: &str) -> Option<u32> {
    Some(match word {
        "WATCH" => kvs::WATCH,
        "WAITCREATE" => kvs::WAITCREATE,
        "FULL" => kvs::WATCH_FULL,
        "UNIQ" => kvs::WATCH_UNIQ,
        "APPEND" => kvs::WATCH_APPEND,
        "STREAM" => kvs::STREAM,
        "SENTINEL" => kvs::WATCH_INITIAL_SENTINEL,
        "READDIR" => READDIR,
        "READLINK" => READLINK,
        "TREEOBJ" => TREEOBJ,
        _ => return None,
    })
}

/// A response with the value in it as text.
fn shown(message: &Message) -> String {
    if let Kind::Response {
        errnum: 0,
        matchtag,
    } = message.kind
        && message.topic() == "kvs-watch.lookup"
    {
        let watched = kvs_watch::Watched::decode(message.payload()).unwrap();
        return match watched.val {
            None => format!("#{matchtag} sentinel"),
            Some(Tree::Val(bytes)) => {
                format!("#{matchtag} {:?}", String::from_utf8_lossy(&bytes))
            }
            Some(tree) => format!("#{matchtag} {}", String::from_utf8(tree.encode()).unwrap()),
        };
    }
    let line = line(message);
    match line.strip_prefix("response kvs-watch.lookup ") {
        Some(rest) => rest.to_owned(),
        None => line,
    }
}
