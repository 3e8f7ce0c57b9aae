//! The first and the last step: reading the saved records, and a checkpoint for the next
//! start (protocol/04 section 9).

use std::collections::BTreeMap;

use bytes::Bytes;
use node::{Cx, Recall};
use proto::content::{self, Checkpoint, CheckpointGet, Record, Records};
use proto::data::{BlobRef, HashKind};
use proto::kvs::PRIMARY;
use proto::{Errno, Method as _, Refusal};

use crate::Kvs;
use crate::engine::dir::Dir;
use crate::namespace::{Namespace, Version};
use crate::relayed::Known;
use crate::saved::{self, Saved, SavedNamespace, SavedOrigin};

/// Opens the records, which makes us their only writer, and reads the checkpoints.
pub fn begin(cx: &mut Cx<Kvs>) {
    let request = Records {
        writer: cx.uuid().to_owned(),
    };
    cx.call(&request, |_, cx, result| match result {
        Ok(records) => read_checkpoint(cx, records.0),
        Err(refusal) => give_up(cx, Records::TOPIC, refusal),
    });
}

fn read_checkpoint(cx: &mut Cx<Kvs>, records: Vec<Record>) {
    cx.call(&CheckpointGet, move |core: &mut Kvs, cx, result| {
        let newest = match result {
            Ok(checkpoints) => checkpoints.value.into_iter().next(),
            Err(refusal) if matches!(refusal.errno, Errno::ENOENT | Errno::ENOSYS) => None,
            Err(refusal) => return give_up(cx, CheckpointGet::TOPIC, refusal),
        };
        match Start::decide(core, cx.owner(), &records, newest) {
            Ok(start) => save_start(cx, start),
            Err(text) => give_up(cx, "kvs", Refusal::new(Errno::ENOTRECOVERABLE, text)),
        }
    });
}

/// Stores the empty directory, from which new namespaces begin, and the decisions of the
/// start.
fn save_start(cx: &mut Cx<Kvs>, start: Start) {
    let (name, text) = empty_dir(start.hash);
    let request = content::Commit {
        writer: cx.uuid().to_owned(),
        number: 1,
        after: 0,
        blobs: vec![(Bytes::copy_from_slice(name.digest()), text)],
        edits: Vec::new(),
        records: start.records,
        checkpoint: None,
    };
    let (namespaces, checkpoint) = (start.namespaces, start.checkpoint);
    let (done, origins) = (start.done, start.origins);
    let is_restart = start.is_restart;
    cx.call(&request.clone(), move |core: &mut Kvs, cx, result| {
        core.batches_made = 1;
        match result {
            Ok(_) => core.batch_stored = 1,
            // Existing data can be read; this goes with the first commit for which there
            // is room.
            Err(refusal) if refusal.may_pass() => {
                tracing::error!("nothing can be committed for now: {refusal}");
                (core.unsaved_start, core.has_failed) = (Some(request), true);
            }
            Err(refusal) => return give_up(cx, content::Commit::TOPIC, refusal),
        }
        let empty = Dir::empty();
        let weight = empty.weight();
        core.memory.dirs.insert(name, empty, weight);
        for (name, saved) in namespaces {
            let namespace = Namespace::of_saved(saved);
            if is_restart {
                namespace.publish_again(cx, &name);
            }
            core.namespaces.insert(name, namespace);
        }
        core.checkpoint = checkpoint;
        core.recall = Recall::of(done);
        core.ends.known = Known::of(origins);
        cx.started(Ok(()));
    });
}

fn give_up(cx: &mut Cx<Kvs>, what: &str, refusal: Refusal) {
    let text = format!("{what}: {refusal}");
    cx.started(Err(Refusal::new(refusal.errno, text)));
}

fn empty_dir(hash: HashKind) -> (BlobRef, Bytes) {
    let text = Dir::empty().text().clone();
    (BlobRef::of(hash, &text), text)
}

/// State to go on from.
struct Start {
    hash: HashKind,
    namespaces: BTreeMap<String, SavedNamespace>,
    checkpoint: Option<Checkpoint>,
    done: Vec<(u64, Version)>,
    origins: BTreeMap<u32, SavedOrigin>,
    /// To be changed in the store.
    records: Vec<Record>,
    /// There were records.
    is_restart: bool,
}

impl Start {
    /// The records hold every acknowledged commit. But a checkpoint that they do not know
    /// of was made by someone else since, such as a restore: it counts, and they do not.
    fn decide(
        core: &Kvs,
        owner: u32,
        records: &[Record],
        newest: Option<Checkpoint>,
    ) -> Result<Start, String> {
        let hash = core.settings.hash;
        let saved = Saved::read(records)?;
        let mut start = Start {
            hash,
            namespaces: saved.namespaces,
            checkpoint: newest.clone(),
            done: saved.done,
            origins: saved.origins,
            records: Vec::new(),
            is_restart: !records.is_empty(),
        };
        if let Some(checkpoint) = newest.filter(|newest| !is_same(newest, &saved.checkpoint)) {
            start.forget_records(records);
            start.records.push(saved::checkpoint_record(&checkpoint));
            let root = checkpoint
                .rootref
                .parse()
                .map_err(|error| format!("checkpoint {}: {error}", checkpoint.rootref))?;
            let seq = checkpoint.sequence;
            tracing::info!("starting from checkpoint {root}, sequence {seq}");
            start.add_primary(owner, Version { root, seq });
        } else if !start.namespaces.contains_key(PRIMARY) {
            let root = core.settings.initial_root.unwrap_or(empty_dir(hash).0);
            start.add_primary(owner, Version { root, seq: 0 });
        }
        Ok(start)
    }

    fn forget_records(&mut self, records: &[Record]) {
        self.namespaces.clear();
        self.done.clear();
        self.origins.clear();
        self.records.extend(records.iter().map(|record| Record {
            key: record.key.clone(),
            value: None,
        }));
    }

    fn add_primary(&mut self, owner: u32, version: Version) {
        let saved = SavedNamespace {
            owner,
            flags: 0,
            version,
            once: BTreeMap::new(),
        };
        self.records
            .push(saved::namespace_record(PRIMARY, owner, 0, version));
        self.namespaces.insert(PRIMARY.to_owned(), saved);
    }
}

fn is_same(newest: &Checkpoint, known: &Option<Checkpoint>) -> bool {
    known
        .as_ref()
        .is_some_and(|known| known.rootref == newest.rootref && known.sequence == newest.sequence)
}

/// Makes the last checkpoint, if anything changed since the one before, and leaves.
pub fn leave(core: &mut Kvs, cx: &mut Cx<Kvs>) {
    let primary = core.namespaces.get(PRIMARY);
    let is_due = core.unsaved_start.is_none() && core.is_changed_since_checkpoint();
    let Some(primary) = primary.filter(|_| is_due) else {
        return cx.exit(Ok(()));
    };
    let checkpoint = Checkpoint {
        version: 1,
        rootref: primary.version.root.to_string(),
        sequence: primary.version.seq,
        timestamp: cx.now().wall,
    };
    let request = content::Commit {
        writer: cx.uuid().to_owned(),
        number: core.batches_made + 1,
        after: core.batch_stored,
        records: vec![saved::checkpoint_record(&checkpoint)],
        checkpoint: Some(checkpoint),
        ..content::Commit::default()
    };
    cx.call(&request, |_, cx, result| {
        if let Err(refusal) = result {
            // Nothing is lost: the records have it all.
            tracing::warn!("no checkpoint at the end: {refusal}");
        }
        cx.exit(Ok(()));
    });
}
