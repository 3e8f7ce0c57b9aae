//! A program that asks for the current version and then loads every blob of it from the
//! content store: all must be there, no matter which events come meanwhile.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::content::Load;
use proto::data::{BlobRef, Tree};
use proto::kvs::{GetRoot, Root};
use proto::{Method, Payload};
use wire::Message;

use super::ledger::{Book, entries_of};
use super::{LOG, NAMESPACE, Shared, ask, is_absence, outcome_of};
use crate::program::Program;
use crate::rng::Rng;

/// A walker.
pub struct Walker {
    ledger: Shared,
    tag: u32,
    /// Purpose of each request under way; `None` when nobody cares any more.
    waits: BTreeMap<u32, Option<Want>>,
    walk: Option<Walk>,
    answered: u64,
    failed: u64,
}

#[derive(Debug)]
enum Want {
    Root,
    /// The directory at a key.
    Dir(String),
    /// One blob of the value at a key.
    Blob(String, usize),
}

/// A walk under way.
#[derive(Debug)]
struct Walk {
    /// The newest version that anyone knew of when it began.
    newest: i64,
    /// State at that time.
    before: BTreeMap<usize, Book>,
    /// Nobody was writing any more.
    is_last: bool,
    seq: i64,
    blobs: BTreeMap<String, Vec<Bytes>>,
}

impl Walker {
    /// A walker that has seen nothing.
    pub fn new(ledger: Shared) -> Walker {
        Walker {
            ledger,
            tag: 0,
            waits: BTreeMap::new(),
            walk: None,
            answered: 0,
            failed: 0,
        }
    }

    fn send(&mut self, want: Want, request: &impl Method) -> Message {
        self.tag += 1;
        self.waits.insert(self.tag, Some(want));
        ask(self.tag, request, 0)
    }

    fn load(&mut self, want: Want, name: &BlobRef) -> Message {
        let digest = Bytes::copy_from_slice(name.digest());
        self.send(want, &Load(digest))
    }

    /// Visits the object at `key`: its blobs are requested.
    fn visit(&mut self, key: &str, tree: &Tree) -> Vec<Message> {
        match tree {
            Tree::DirRef(name) => vec![self.load(Want::Dir(key.to_owned()), name)],
            Tree::ValRef(names) => {
                let mut loads = Vec::new();
                for (at, name) in names.iter().enumerate() {
                    loads.push(self.load(Want::Blob(key.to_owned(), at), name));
                }
                self.values(key).resize(names.len(), Bytes::new());
                loads
            }
            Tree::Val(bytes) => {
                self.values(key).push(bytes.clone());
                Vec::new()
            }
            Tree::Dir(_) | Tree::Symlink { .. } => panic!("nobody stored {tree:?}"),
        }
    }

    fn values(&mut self, key: &str) -> &mut Vec<Bytes> {
        let walk = self.walk.as_mut().expect("a walk is under way");
        walk.blobs.entry(key.to_owned()).or_default()
    }

    fn receive_success(&mut self, want: Want, payload: Option<&Bytes>) -> Vec<Message> {
        let blob = payload.cloned().unwrap_or_default();
        match want {
            Want::Root => {
                let root = Root::decode(payload).expect("a root");
                let walk = self.walk.as_mut().expect("a walk is under way");
                assert!(root.rootseq >= walk.newest, "{} is gone", walk.newest);
                walk.seq = root.rootseq;
                self.ledger
                    .borrow_mut()
                    .saw_root(root.rootseq, &root.rootref);
                let name = root.rootref.parse().expect("a blobref");
                vec![self.load(Want::Dir(String::new()), &name)]
            }
            Want::Dir(key) => {
                let Ok(Tree::Dir(entries)) = Tree::decode(&blob) else {
                    panic!("{key} is no directory: {blob:?}");
                };
                let entries = entries.iter().map(|(name, tree)| match key.as_str() {
                    "" => (name.to_string(), tree),
                    key => (format!("{key}.{name}"), tree),
                });
                entries
                    .flat_map(|(key, tree)| self.visit(&key, tree))
                    .collect()
            }
            Want::Blob(key, at) => {
                self.values(&key)[at] = blob;
                Vec::new()
            }
        }
    }

    fn finish(&mut self) {
        let Some(walk) = self.walk.take() else {
            return;
        };
        let values = walk.blobs.into_iter().map(|(key, blobs)| {
            let value = String::from_utf8(blobs.concat()).expect("everyone writes text");
            (key, value)
        });
        let values: BTreeMap<String, String> = values.collect();
        let mut ledger = self.ledger.borrow_mut();
        ledger.saw_version(walk.seq, &values, &walk.before);
        if walk.is_last {
            let log = values.get(LOG).map_or("", String::as_str);
            assert_eq!(log, ledger.log, "someone saw more than there is");
            let entries = entries_of(log).into_iter();
            let last = entries.filter_map(|(writer, all)| Some((writer, *all.last()?)));
            ledger.last = Some(last.collect());
        }
    }

    fn give_up(&mut self) {
        self.walk = None;
        self.waits.values_mut().for_each(|want| *want = None);
    }
}

impl Program for Walker {
    fn name(&self) -> &str {
        "walker"
    }

    fn ask(&mut self, _: &mut Rng, load: bool) -> Option<Message> {
        let ledger = self.ledger.borrow();
        let is_last = !load && ledger.is_still() && ledger.last.is_none();
        if self.walk.is_some() || !load && !is_last {
            return None;
        }
        let walk = Walk {
            newest: ledger.newest,
            before: ledger.books.clone(),
            is_last,
            seq: 0,
            blobs: BTreeMap::new(),
        };
        drop(ledger);
        self.walk = Some(walk);
        let namespace = NAMESPACE.to_owned();
        Some(self.send(Want::Root, &GetRoot { namespace }))
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let (tag, result) = outcome_of(message).expect("a response");
        let want = self.waits.remove(&tag).expect("something was asked");
        self.answered += 1;
        self.failed += u64::from(result.is_err());
        let Some(want) = want else {
            return Vec::new();
        };
        match result {
            Ok(()) => {
                let more = self.receive_success(want, message.payload());
                if self.waits.is_empty() {
                    self.finish();
                }
                more
            }
            Err(errno) => {
                assert!(is_absence(errno), "{want:?}: {errno:?}");
                self.give_up();
                Vec::new()
            }
        }
    }

    fn cut(&mut self) {
        self.give_up();
        self.waits.clear();
    }

    fn is_done(&self) -> bool {
        self.waits.is_empty() && self.walk.is_none() && self.ledger.borrow().last.is_some()
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn failed(&self) -> u64 {
        self.failed
    }
}
