//! From transactions to versions, first half: everything that has queued while content
//! was storing becomes the next batch, one `content.commit`.
//!
//! A lone transaction waits for nothing. Each group of merged transactions is one version;
//! a batch has as many versions of as many namespaces as there are. A second batch goes
//! out before the first is stored, so that kvs and content work at the same time: content
//! takes batches in the order of their numbers and refuses one whose predecessor it does
//! not have. `publish.rs` has the second half.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use node::{Cx, Reply};
use proto::content::{self, Checkpoint, Record};
use proto::data::{BlobRef, HashKind, Key};
use proto::kvs::{CommitError, NamespaceRemove, PRIMARY};
use proto::{Errno, Refusal};

use crate::Kvs;
use crate::core::{Asker, Change, Maker};
use crate::engine::draft::Made;
use crate::engine::txn::{Applied, apply};
use crate::engine::view::{Memory, Stop, View};
use crate::limits::{BATCHES_MAX, ONCE_WRITERS_MAX};
use crate::loads::ForBlob;
use crate::namespace::{Group, Namespace, Txn, Version};
use crate::owed::Owed;
use crate::saved;
use crate::size::Size;

/// A commit sent to content, with the answers to give when it is stored.
#[derive(Debug, Default)]
pub struct Batch {
    /// Larger than that of each batch before, those that failed too.
    pub number: u64,
    blobs: Vec<(Bytes, Bytes)>,
    edits: Vec<content::Edit>,
    /// The commit has no edits: content may have lost their base blobs.
    is_whole: bool,
    names: BTreeSet<BlobRef>,
    records: BTreeMap<String, Record>,
    /// True if it includes the changes of the start.
    unsaved_start: Option<content::Commit>,
    checkpoint: Option<Checkpoint>,
    syncs: bool,
    /// Size of its transactions.
    size: Size,
    /// The next transaction is too much for it.
    is_full: bool,
    /// Response of content.
    answer: Option<Result<(), Refusal>>,
    /// In the order in which they are to be answered.
    pub outcomes: Vec<Outcome>,
}

/// Result of something in a batch, once it is stored.
#[derive(Debug)]
pub enum Outcome {
    /// A namespace has a new version.
    Published {
        /// Namespace.
        namespace: String,
        /// The version.
        version: Version,
        /// Keys written.
        keys: BTreeSet<Key>,
        /// Transactions to answer.
        group: Group,
        /// To be kept in memory.
        made: Made,
    },
    /// Transactions were applied in an earlier version already.
    Repeated {
        /// Namespace.
        namespace: String,
        /// Group.
        group: Group,
    },
    /// A transaction failed.
    Failed {
        /// Namespace.
        namespace: String,
        /// Transaction.
        txn: Txn,
        /// Error.
        refusal: Refusal,
    },
    /// A namespace was made, as a request of this number has asked.
    Created(String, Box<Namespace>, Asker, Maker),
    /// A namespace was removed, and its writers of tokens forgotten.
    Removed(String, BTreeSet<String>, Reply<NamespaceRemove>),
}

impl Batch {
    fn stores_something(&self) -> bool {
        !self.blobs.is_empty()
            || !self.edits.is_empty()
            || !self.records.is_empty()
            || self.checkpoint.is_some()
    }

    fn put(&mut self, record: Record) {
        self.records.insert(record.key.clone(), record);
    }

    /// Removes the saved data of a namespace, unless it is made again in this batch.
    fn put_removal(&mut self, name: &str, writers: &BTreeSet<String>) {
        let once = writers.iter().map(|writer| saved::no_once(name, writer));
        for record in once.chain([saved::no_namespace(name)]) {
            self.records.entry(record.key.clone()).or_insert(record);
        }
    }

    /// Adds the records that the start wanted to store, where nothing newer is in their
    /// place.
    fn put_start(&mut self, start: content::Commit) {
        self.blobs.extend(start.blobs.iter().cloned());
        for record in &start.records {
            let entry = self.records.entry(record.key.clone());
            entry.or_insert_with(|| record.clone());
        }
        self.unsaved_start = Some(start);
    }

    fn add_blobs(&mut self, made: &Made) {
        self.size.bytes += made.bytes();
        let dirs = made.dirs.iter().map(|(name, dir)| (name, dir.text()));
        let blobs = made.blobs.iter().map(|(name, blob)| (name, blob));
        for (name, blob) in dirs.chain(blobs) {
            if !self.names.insert(*name) {
                continue;
            }
            if let Some(edit) = made.edits.get(name)
                && !self.is_whole
            {
                self.edits.push(edit.clone());
            } else {
                let digest = Bytes::copy_from_slice(name.digest());
                self.blobs.push((digest, blob.clone()));
            }
        }
    }
}

impl Kvs {
    /// Makes batches of the queued transactions and sends them, as many as may be under
    /// way.
    pub(crate) fn send_batch(&mut self, cx: &mut Cx<Self>) {
        // After a failure those that build on it fail too, before anything new is tried.
        while self.storing.len() < BATCHES_MAX && self.failed.is_none() && !cx.is_ending() {
            let Some(mut batch) = self.make_batch(cx) else {
                return;
            };
            let is_full = batch.is_full;
            if !batch.stores_something() {
                // Refusals and repetitions: these wait only for what they repeat.
                match self.storing.back_mut() {
                    Some(last) => last.outcomes.append(&mut batch.outcomes),
                    None => self.publish(cx, batch, Ok(())),
                }
                if is_full {
                    // Refusing so much was work enough for one turn.
                    cx.timer(Duration::ZERO, |core: &mut Kvs, cx| core.advance(cx));
                    return;
                }
                continue;
            }
            self.batches_made = batch.number;
            self.remember_requests(&mut batch);
            let request = content::Commit {
                writer: cx.uuid().to_owned(),
                number: batch.number,
                after: self
                    .storing
                    .back()
                    .map_or(self.batch_stored, |last| last.number),
                blobs: std::mem::take(&mut batch.blobs),
                edits: std::mem::take(&mut batch.edits),
                records: std::mem::take(&mut batch.records).into_values().collect(),
                checkpoint: batch.checkpoint.clone(),
            };
            self.checkpoint_due = false;
            let number = batch.number;
            self.storing.push_back(batch);
            cx.call(&request, move |core: &mut Kvs, cx, result| {
                core.batch_answered(cx, number, result.map(|_| ()));
            });
        }
    }

    /// Content answers in the order of the batches. But when it is on its way out the
    /// broker refuses a batch before content has answered for the one before it.
    fn batch_answered(&mut self, cx: &mut Cx<Self>, number: u64, result: Result<(), Refusal>) {
        let mut storing = self.storing.iter_mut();
        if let Some(batch) = storing.find(|batch| batch.number == number) {
            batch.answer = Some(result);
        }
        while let Some(result) = self
            .storing
            .front_mut()
            .and_then(|batch| batch.answer.take())
            && let Some(batch) = self.storing.pop_front()
        {
            self.batch_done(cx, batch, result);
        }
        self.advance(cx);
    }

    fn batch_done(&mut self, cx: &mut Cx<Self>, mut batch: Batch, result: Result<(), Refusal>) {
        let start = batch.unsaved_start.take();
        let replaced = content::CommitError::Replaced.into();
        match &result {
            // Nobody knows whether it was stored: only a new start can tell. Its requests
            // stay open, for the successor to answer.
            Err(refusal) if *refusal == replaced || refusal.errno == Errno::EHOSTUNREACH => {
                cx.exit(Err(refusal.clone()));
                return self.storing.push_front(batch);
            }
            _ => {}
        }
        // One that builds on a batch that failed has failed for the same reason.
        let result = match self.failed.clone() {
            Some(refusal) => Err(refusal),
            None => result,
        };
        match &result {
            Ok(()) => {
                self.batch_stored = batch.number;
                self.has_failed = false;
                if batch.checkpoint.is_some() {
                    self.checkpoint = batch.checkpoint.clone();
                }
            }
            Err(refusal) => {
                self.has_failed = true;
                self.unsaved_start = self.unsaved_start.take().or(start);
                self.failed = (!self.storing.is_empty()).then(|| refusal.clone());
            }
        }
        let number = batch.number;
        self.ends.known.batch_over(number, result.is_ok());
        self.publish(cx, batch, result);
        self.recall.answered(number);
    }

    /// Stores with a batch which requests it does, in case their answers are lost.
    fn remember_requests(&mut self, batch: &mut Batch) {
        for outcome in &batch.outcomes {
            match outcome {
                Outcome::Published { version, group, .. } => {
                    for txn in group.fresh() {
                        self.recall.note(batch.number, txn.number, *version);
                        if let Owed::Marked(mark) = &txn.owed {
                            self.ends.known.note(batch.number, mark, *version);
                        }
                    }
                }
                Outcome::Created(_, namespace, Asker::Here(number), _) => {
                    self.recall.note(batch.number, *number, namespace.version);
                }
                Outcome::Created(_, namespace, Asker::Away(mark), _) => {
                    let version = namespace.version;
                    self.ends.known.note(batch.number, mark, version);
                }
                _ => {}
            }
        }
        if let Some(record) = saved::done_record(self.recall.to_store(batch.number)) {
            batch.put(record);
        }
        for record in self.ends.known.records(batch.number) {
            batch.put(record);
        }
    }

    fn make_batch(&mut self, cx: &mut Cx<Self>) -> Option<Batch> {
        let mut batch = Batch {
            number: self.batches_made + 1,
            is_whole: self.has_failed,
            ..Batch::default()
        };
        self.take_changes(&mut batch);
        while !batch.is_full
            && let Some(name) = self.ready.pop_front()
        {
            self.take_transactions(cx, &name, &mut batch);
        }
        if batch.syncs || self.checkpoint_due {
            self.add_checkpoint(cx, &mut batch);
        }
        if !batch.stores_something() && batch.outcomes.is_empty() {
            return None;
        }
        // They join a batch and never make one: on a full disk that would not end.
        for (name, writers) in &self.leftovers {
            if !self.namespaces.contains_key(name) {
                batch.put_removal(name, writers);
            }
        }
        if let Some(start) = self.unsaved_start.take() {
            batch.put_start(start);
        }
        Some(batch)
    }

    fn take_changes(&mut self, batch: &mut Batch) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Create(name, namespace, number, reply) => {
                    let (owner, flags) = (namespace.owner, namespace.flags);
                    batch.put(saved::namespace_record(
                        &name,
                        owner,
                        flags,
                        namespace.version,
                    ));
                    batch
                        .outcomes
                        .push(Outcome::Created(name, namespace, number, reply));
                }
                Change::Remove(name, writers, reply) => {
                    batch.put_removal(&name, &writers);
                    batch.outcomes.push(Outcome::Removed(name, writers, reply));
                }
            }
        }
    }

    /// Applies the transactions of a namespace until one needs a blob.
    fn take_transactions(&mut self, cx: &mut Cx<Self>, name: &str, batch: &mut Batch) {
        let Some(namespace) = self.namespaces.get_mut(name) else {
            return;
        };
        namespace.is_ready = false;
        let before = namespace.queue.len();
        while !namespace.queue.is_empty() {
            let most = self.settings.bounds.batch;
            let group = namespace.take_group(self.settings.merge, most, batch.size);
            if group.txns.is_empty() {
                batch.is_full = true;
                break;
            }
            if group.fresh().next().is_none() {
                let namespace = name.to_owned();
                batch.outcomes.push(Outcome::Repeated { namespace, group });
                continue;
            }
            match namespace.apply(&mut self.memory, self.settings.hash, name, &group) {
                Ok(applied) => {
                    namespace.supply.clear();
                    self.memory.unstored.add(batch.number, &applied.made);
                    namespace.accept(name, applied, group, batch);
                }
                Err(Stop::Need(wants)) => {
                    namespace.put_back(group, false);
                    let waiting = ForBlob::Namespace(name.to_owned());
                    let n_missing = self.request_blobs(cx, wants, &waiting);
                    if let Some(namespace) = self.namespaces.get_mut(name) {
                        namespace.n_missing = n_missing;
                    }
                    break;
                }
                Err(Stop::Failed(refusal)) => {
                    namespace.supply.clear();
                    namespace.refuse(name, group, refusal, batch);
                }
                // Transactions do not leave their namespace.
                Err(Stop::Namespace(_)) => {
                    namespace.supply.clear();
                    namespace.refuse(name, group, CommitError::Invalid.into(), batch);
                }
            }
        }
        let after = self.namespaces.get(name).map_or(0, |ns| ns.queue.len());
        self.n_queued -= before - after;
        self.mark_ready(name);
        if batch.is_full {
            // It was next, and still is.
            self.ready.rotate_right(1);
        }
    }

    fn add_checkpoint(&mut self, cx: &mut Cx<Self>, batch: &mut Batch) {
        let Some(primary) = self.namespaces.get(PRIMARY) else {
            return;
        };
        let checkpoint = Checkpoint {
            version: 1,
            rootref: primary.next.root.to_string(),
            sequence: primary.next.seq,
            timestamp: cx.now().wall,
        };
        batch.put(saved::checkpoint_record(&checkpoint));
        batch.checkpoint = Some(checkpoint);
    }
}

impl Namespace {
    fn apply(
        &self,
        memory: &mut Memory,
        hash: HashKind,
        name: &str,
        group: &Group,
    ) -> Result<Applied, Stop> {
        if group.syncs() && name != PRIMARY {
            return Err(CommitError::Invalid.into());
        }
        let mut view = View {
            memory,
            supply: &self.supply,
        };
        let steps = group.fresh().flat_map(|txn| txn.steps.iter());
        apply(&mut view, hash, self.next.root, steps)
    }

    /// Applies the result of a group: the next version, unless the batch fails.
    fn accept(&mut self, name: &str, applied: Applied, group: Group, batch: &mut Batch) {
        let Applied { root, keys, made } = applied;
        self.next = Version {
            root,
            seq: self.next.seq + 1,
        };
        self.noop_stores += made.noop_stores;
        batch.syncs |= group.syncs();
        batch.size.ops += group.fresh().map(|txn| txn.size.ops.max(1)).sum::<usize>();
        batch.add_blobs(&made);
        batch.put(saved::namespace_record(
            name, self.owner, self.flags, self.next,
        ));
        self.n_storing += group.txns.len();
        for (writer, seq) in group.fresh().filter_map(|txn| txn.once.as_ref()) {
            self.next_once.insert(writer.clone(), (*seq, self.next.seq));
            batch.put(saved::once_record(name, writer, *seq, self.next.seq));
        }
        self.forget_old_writers(name, batch);
        batch.outcomes.push(Outcome::Published {
            namespace: name.to_owned(),
            version: self.next,
            keys,
            group,
            made,
        });
    }

    /// Keeps the table of writers within its limit.
    fn forget_old_writers(&mut self, name: &str, batch: &mut Batch) {
        while self.once.len() + self.next_once.len() > ONCE_WRITERS_MAX {
            let oldest = self.once.iter().min_by_key(|(_, (_, rootseq))| *rootseq);
            let Some(writer) = oldest.map(|(writer, _)| writer.clone()) else {
                return;
            };
            self.once.remove(&writer);
            if !self.next_once.contains_key(&writer) {
                batch.put(saved::no_once(name, &writer));
            }
        }
    }

    /// A group failed: a lone transaction is answered so, merged ones try one by one.
    fn refuse(&mut self, name: &str, mut group: Group, refusal: Refusal, batch: &mut Batch) {
        if group.txns.len() > 1 {
            return self.put_back(group, true);
        }
        if let Some((txn, _)) = group.txns.pop() {
            batch.size += txn.size;
            batch.size.ops += 1;
            batch.outcomes.push(Outcome::Failed {
                namespace: name.to_owned(),
                txn,
                refusal,
            });
        }
    }
}
