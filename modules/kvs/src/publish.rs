//! How transactions become versions, second half: content has stored a batch, or has
//! not, and everyone who waits for it is told.
//!
//! The event of a version goes out before the answers to its transactions, on the same
//! link, so that a subscriber never learns of a commit from its own answer first.

use node::Cx;
use proto::data::{BlobRef, Key};
use proto::kvs::{
    Committed, CreateError, CreatedEvent, ErrorEvent, NamespaceError, RemovedEvent, SetrootEvent,
};
use proto::{Coded, Empty, Refusal};
use std::collections::{BTreeMap, BTreeSet};

use crate::Kvs;
use crate::batch::{Batch, Outcome};
use crate::engine::draft::Made;
use crate::handlers::remove_doomed;
use crate::limits::KEPT_BLOB_BYTES_MAX;
use crate::namespace::{Group, Namespace, Txn, Version};

impl Kvs {
    /// Tells what came of a batch.
    pub(crate) fn tell(&mut self, cx: &mut Cx<Self>, batch: Batch, stored: Result<(), Refusal>) {
        if stored.is_ok() {
            self.leftovers.clear();
        }
        for outcome in batch.outcomes {
            if let Outcome::Published { made, .. } = &outcome {
                self.memory.unstored.remove(batch.number, made);
            }
            match (outcome, &stored) {
                (
                    Outcome::Failed {
                        namespace,
                        txn,
                        refusal,
                    },
                    _,
                ) => {
                    publish_error(cx, &namespace, &[&txn], &refusal);
                    txn.reply.send_refusal(cx, Err(refusal));
                }
                (outcome, Ok(())) => self.tell_stored(cx, outcome),
                (outcome, Err(refusal)) => self.tell_not_stored(cx, outcome, refusal),
            }
        }
    }

    fn tell_stored(&mut self, cx: &mut Cx<Self>, outcome: Outcome) {
        match outcome {
            Outcome::Published {
                namespace,
                version,
                keys,
                group,
                made,
            } => {
                self.keep(made);
                match self.namespaces.get_mut(&namespace) {
                    Some(found) => found.publish(cx, &namespace, version, &keys, group),
                    None => refuse_group(cx, group, &NamespaceError::Unknown.refusal()),
                }
            }
            Outcome::Repeated { namespace, group } => match self.namespaces.get(&namespace) {
                Some(found) => answer_group(cx, group, found.version),
                None => refuse_group(cx, group, &NamespaceError::Unknown.refusal()),
            },
            Outcome::Created(name, namespace, _, reply) => {
                self.reserved.remove(&name);
                let event = CreatedEvent {
                    namespace: name.clone(),
                    rootseq: namespace.version.seq,
                    rootref: namespace.version.root.to_string(),
                    owner: namespace.owner,
                };
                cx.publish_for(&name, &event);
                self.namespaces.insert(name.clone(), *namespace);
                reply.send(cx, Ok(Empty));
                for rival in self.rivals.remove(&name).unwrap_or_default() {
                    rival.send(cx, Err(CreateError::Exists));
                }
                remove_doomed(self, cx, &name);
            }
            Outcome::Removed(name, _, reply) => {
                self.reserved.remove(&name);
                let namespace = name.clone();
                cx.publish_for(&name, &RemovedEvent { namespace });
                reply.send(cx, Ok(Empty));
                remove_doomed(self, cx, &name);
            }
            Outcome::Failed { .. } => {}
        }
    }

    fn tell_not_stored(&mut self, cx: &mut Cx<Self>, outcome: Outcome, refusal: &Refusal) {
        match outcome {
            Outcome::Published {
                namespace, group, ..
            } => {
                let txns: Vec<&Txn> = group.txns.iter().map(|(txn, _)| txn).collect();
                publish_error(cx, &namespace, &txns, refusal);
                if let Some(namespace) = self.namespaces.get_mut(&namespace) {
                    namespace.next = namespace.version;
                    namespace.next_once.clear();
                    namespace.n_storing -= group.txns.len();
                }
                refuse_group(cx, group, refusal);
            }
            Outcome::Repeated { group, .. } => refuse_group(cx, group, refusal),
            Outcome::Created(name, _, _, reply) => {
                self.reserved.remove(&name);
                let rivals = self.rivals.remove(&name).unwrap_or_default();
                for reply in [reply].into_iter().chain(rivals) {
                    reply.send_refusal(cx, Err(refusal.clone()));
                }
                remove_doomed(self, cx, &name);
            }
            Outcome::Removed(name, writers, reply) => {
                // It stays removed; the next batch takes its records away.
                self.reserved.remove(&name);
                let others = self.doomed.remove(&name).unwrap_or_default();
                self.leftovers.insert(name, writers);
                for reply in others.into_iter().chain([reply]) {
                    reply.send_refusal(cx, Err(refusal.clone()));
                }
            }
            Outcome::Failed { .. } => {}
        }
    }

    /// Keeps in memory what was made: it is what is looked up next.
    fn keep(&mut self, made: Made) {
        for (name, dir) in made.dirs {
            let weight = dir.weight();
            self.memory.dirs.insert(name, dir, weight);
        }
        for (name, blob) in made.blobs {
            self.keep_blob(name, &blob);
        }
    }

    /// Keeps a blob in memory. A copy, so that it does not hold a whole message there.
    pub(crate) fn keep_blob(&mut self, name: BlobRef, blob: &bytes::Bytes) {
        if blob.len() <= KEPT_BLOB_BYTES_MAX {
            let copy = bytes::Bytes::copy_from_slice(blob);
            self.memory.blobs.insert(name, copy, blob.len() + 64);
        }
    }
}

impl Namespace {
    /// Tells of the current version after a restart: who follows the events may have
    /// missed what was stored just before it.
    pub(crate) fn publish_again(&self, cx: &mut Cx<Kvs>, name: &str) {
        let event = SetrootEvent {
            namespace: name.to_owned(),
            rootseq: self.version.seq,
            rootref: self.version.root.to_string(),
            names: Vec::new(),
            keys: BTreeMap::new(),
            owner: self.owner,
            restarted: true,
        };
        cx.publish_for(name, &event);
    }

    fn publish(
        &mut self,
        cx: &mut Cx<Kvs>,
        name: &str,
        version: Version,
        keys: &BTreeSet<Key>,
        group: Group,
    ) {
        self.version = version;
        self.n_storing -= group.txns.len();
        for (writer, seq) in group.fresh().filter_map(|txn| txn.once.as_ref()) {
            self.once.insert(writer.clone(), (*seq, version.seq));
            if self.next_once.get(writer) == Some(&(*seq, version.seq)) {
                self.next_once.remove(writer);
            }
        }
        let event = SetrootEvent {
            namespace: name.to_owned(),
            rootseq: version.seq,
            rootref: version.root.to_string(),
            names: group.txns.iter().map(|(txn, _)| txn.name.clone()).collect(),
            keys: keys
                .iter()
                .map(|key| (key.as_str().to_owned(), ()))
                .collect(),
            owner: self.owner,
            restarted: false,
        };
        cx.publish_for(name, &event);
        answer_group(cx, group, version);
        let reached = self
            .waiters
            .extract_if(.., |waiter| waiter.seq <= version.seq);
        for waiter in reached {
            waiter.reply.send(cx, Ok(version.committed()));
        }
    }
}

impl Version {
    /// As it travels.
    pub(crate) fn committed(self) -> Committed {
        Committed {
            rootref: self.root.to_string(),
            rootseq: self.seq,
        }
    }
}

fn answer_group(cx: &mut Cx<Kvs>, group: Group, version: Version) {
    let committed = version.committed();
    for (txn, _) in group.txns {
        txn.reply.send(cx, Ok(committed.clone()));
    }
}

fn refuse_group(cx: &mut Cx<Kvs>, group: Group, refusal: &Refusal) {
    for (txn, _) in group.txns {
        txn.reply.send_refusal(cx, Err(refusal.clone()));
    }
}

fn publish_error(cx: &mut Cx<Kvs>, namespace: &str, txns: &[&Txn], refusal: &Refusal) {
    let event = ErrorEvent {
        namespace: namespace.to_owned(),
        names: txns.iter().map(|txn| txn.name.clone()).collect(),
        errnum: refusal.errno.0,
    };
    cx.publish_for(namespace, &event);
}
