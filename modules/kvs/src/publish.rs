//! From transactions to versions, second half: content has stored a batch, or has not,
//! and everyone who waits for it is answered.
//!
//! The event of a version goes out before the answers to its transactions, on the same
//! link, so that a subscriber never learns of a commit from its own answer first.

use node::Cx;
use proto::data::Key;
use proto::kvs::{
    Committed, CreateError, CreatedEvent, ErrorEvent, NamespaceError, RemovedEvent, SetrootEvent,
};
use proto::{Coded, Empty, Refusal};
use std::collections::{BTreeMap, BTreeSet};

use crate::Kvs;
use crate::batch::{Batch, Outcome};
use crate::engine::draft::Made;
use crate::handlers::remove_doomed;
use crate::namespace::{Group, Namespace, Txn, Version};
use crate::relayed::Ends;

impl Kvs {
    /// Answers the requests of a batch with its result.
    pub(crate) fn publish(&mut self, cx: &mut Cx<Self>, batch: Batch, stored: Result<(), Refusal>) {
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
                    self.ends.answer(cx, txn.owed, &Err(refusal));
                }
                (outcome, Ok(())) => self.answer_stored(cx, outcome),
                (outcome, Err(refusal)) => self.answer_not_stored(cx, outcome, refusal),
            }
        }
    }

    fn answer_stored(&mut self, cx: &mut Cx<Self>, outcome: Outcome) {
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
                    Some(found) => {
                        let group = found.publish(cx, &namespace, version, &keys, group);
                        self.ends.answer_group(cx, group, &Ok(version));
                        found.notify_waiters(cx);
                    }
                    None => self.ends.answer_group(cx, group, &unknown()),
                }
            }
            Outcome::Repeated { namespace, group } => match self.namespaces.get(&namespace) {
                Some(found) => self.ends.answer_group(cx, group, &Ok(found.version)),
                None => self.ends.answer_group(cx, group, &unknown()),
            },
            Outcome::Created(name, namespace, asker, owed) => {
                self.reserved.remove(&name);
                let event = CreatedEvent {
                    namespace: name.clone(),
                    rootseq: namespace.version.seq,
                    rootref: namespace.version.root.to_string(),
                    owner: namespace.owner,
                };
                cx.publish_for(&name, &event);
                self.namespaces.insert(name.clone(), *namespace);
                owed.send(cx, Ok(()));
                for (rival, owed) in self.rivals.remove(&name).unwrap_or_default() {
                    let exists = CreateError::Exists.refusal();
                    owed.send(cx, rival.is_again(&asker).then_some(()).ok_or(exists));
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

    fn answer_not_stored(&mut self, cx: &mut Cx<Self>, outcome: Outcome, refusal: &Refusal) {
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
                self.ends.answer_group(cx, group, &Err(refusal.clone()));
            }
            Outcome::Repeated { group, .. } => {
                self.ends.answer_group(cx, group, &Err(refusal.clone()));
            }
            Outcome::Created(name, _, _, owed) => {
                self.reserved.remove(&name);
                let rivals = self.rivals.remove(&name).unwrap_or_default();
                let rivals = rivals.into_iter().map(|(_, owed)| owed);
                for owed in [owed].into_iter().chain(rivals) {
                    owed.send(cx, Err(refusal.clone()));
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

    /// Keeps new directories and blobs in memory: they are looked up next.
    fn keep(&mut self, made: Made) {
        for (name, dir) in made.dirs {
            let weight = dir.weight();
            self.memory.dirs.insert(name, dir, weight);
        }
        for (name, blob) in made.blobs {
            self.memory.keep_blob(name, &blob);
        }
    }
}

impl Namespace {
    /// Publishes the current version after a restart: followers of the events may have
    /// missed the version stored just before it.
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
    ) -> Group {
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
        group
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

impl Ends {
    fn answer_group(&mut self, cx: &mut Cx<Kvs>, group: Group, result: &Result<Version, Refusal>) {
        for (txn, _) in group.txns {
            self.answer(cx, txn.owed, result);
        }
    }
}

fn unknown() -> Result<Version, Refusal> {
    Err(NamespaceError::Unknown.refusal())
}

fn publish_error(cx: &mut Cx<Kvs>, namespace: &str, txns: &[&Txn], refusal: &Refusal) {
    let names = txns.iter().map(|txn| txn.name.clone()).collect();
    publish_failure(cx, namespace, names, refusal);
}

/// Publishes the failure of transactions.
pub(crate) fn publish_failure(
    cx: &mut Cx<Kvs>,
    namespace: &str,
    names: Vec<String>,
    refusal: &Refusal,
) {
    let event = ErrorEvent {
        namespace: namespace.to_owned(),
        names,
        errnum: refusal.errno.0,
    };
    cx.publish_for(namespace, &event);
}
