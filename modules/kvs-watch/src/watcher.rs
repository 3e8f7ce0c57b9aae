//! The life of one watch: a list of steps, each of which waits for an answer and then
//! sends something. Steps are taken strictly in order, so responses are too, however the
//! answers to several lookups cross.

use std::collections::VecDeque;

use bytes::Bytes;
use node::{Call, Cx, Peer, Stream, StreamId};
use proto::content::Load;
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::{
    self, Found, FoundPlus, LookupPlus, READDIR, READLINK, STREAM, TREEOBJ, WAITCREATE, WATCH,
    WATCH_APPEND, WATCH_FULL, WATCH_INITIAL_SENTINEL, WATCH_UNIQ,
};
use proto::kvs_watch::{Lookup, LookupError};
use proto::{Coded, Errno, Payload, Refusal};

use crate::KvsWatch;
use crate::append::{Known, Piece, Sent, after, pieces_of};
use crate::limits::{ASKED_MAX, STEPS_MAX};

/// One watch.
#[derive(Debug)]
pub struct Watcher {
    /// Client that watches.
    pub peer: Peer,
    /// Namespace.
    pub namespace: String,
    /// Key, normalised.
    pub key: String,
    flags: u32,
    stream: Stream<Lookup>,
    stage: Stage,
    /// Version up to which everything is in the steps.
    seen: i64,
    /// Hash of the value sent last.
    last: Option<BlobRef>,
    /// Part sent of a growing value.
    sent: Sent,
    sentinel_due: bool,
    steps: VecDeque<(u64, Step)>,
    numbered: u64,
}

/// Progress of a watch.
#[derive(Debug, PartialEq)]
enum Stage {
    /// The first lookup is under way; events since then are kept.
    Beginning(Vec<NamespaceEvent>),
    /// There is no such namespace yet.
    NoNamespace,
    /// There is such a namespace: commits make steps.
    Following,
}

/// An event of the namespace.
#[derive(Debug, Clone, PartialEq)]
pub enum NamespaceEvent {
    /// A version that may have another value.
    Version {
        /// Number.
        seq: i64,
        /// Root.
        root: BlobRef,
        /// The kvs has restarted: whether the key was written is not known.
        unsure: bool,
    },
    /// The namespace was made.
    Created,
    /// The namespace was removed.
    Removed,
}

/// Something to be sent, or to be found out before it can be.
#[derive(Debug)]
enum Step {
    /// Looking up the key.
    Lookup {
        /// In this version; in the current one without.
        at: Option<(i64, BlobRef)>,
        /// An unchanged or missing value is no news.
        unsure: bool,
        answer: Answer<FoundPlus>,
    },
    /// Loading a blob.
    Blob {
        name: BlobRef,
        /// Part of it that was sent before.
        known: Known,
        answer: Answer<Bytes>,
    },
    /// These bytes are sent.
    Bytes(Bytes),
    /// The sentinel is sent.
    Sentinel,
    /// The watch ends.
    End(Result<(), Refusal>),
}

#[derive(Debug)]
enum Answer<T> {
    NotAsked,
    Asked,
    Here(Result<T, Refusal>),
}

impl<T> Answer<T> {
    fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }
}

/// End of a watch.
pub type End = Result<(), Refusal>;

impl Watcher {
    /// A watch whose first lookup is to be made.
    pub fn new(peer: Peer, request: Lookup, key: String, stream: Stream<Lookup>) -> Watcher {
        let mut watcher = Watcher {
            peer,
            namespace: request.namespace,
            key,
            flags: request.flags,
            stream,
            stage: Stage::Beginning(Vec::new()),
            seen: -1,
            last: None,
            sent: Sent::default(),
            sentinel_due: request.flags & WATCH_INITIAL_SENTINEL != 0,
            steps: VecDeque::new(),
            numbered: 0,
        };
        watcher.look_up(None, false);
        watcher
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// True if every version is compared, not only those that write the key.
    pub fn is_full(&self) -> bool {
        self.has(WATCH_FULL)
    }

    /// Ends it towards the client.
    pub fn end(self, cx: &mut Cx<KvsWatch>, end: End) {
        self.stream.end(cx, end);
    }

    /// Lets go of it: the client has.
    pub fn forget(self) {
        self.stream.forget();
    }

    /// Receives an event of the namespace.
    pub fn receive(&mut self, heard: NamespaceEvent) {
        match (&mut self.stage, heard) {
            (Stage::Beginning(kept), heard) => kept.push(heard),
            (Stage::NoNamespace, NamespaceEvent::Created) => {
                self.stage = Stage::Beginning(Vec::new());
                self.look_up(None, false);
            }
            (Stage::NoNamespace, _) | (Stage::Following, NamespaceEvent::Created) => {}
            (Stage::Following, NamespaceEvent::Version { seq, root, unsure }) => {
                // After a restart even the version that we have seen is looked at: its
                // number may be the same and the lookup may have crossed the restart. A client that
                // restores an archive makes it begin at an earlier one.
                if seq > self.seen || unsure {
                    self.seen = seq;
                    self.look_up(Some((seq, root)), unsure);
                }
            }
            (Stage::Following, NamespaceEvent::Removed) => {
                self.push(Step::End(Err(LookupError::UnknownNamespace.refusal())));
            }
        }
    }

    fn look_up(&mut self, at: Option<(i64, BlobRef)>, unsure: bool) {
        self.push(Step::Lookup {
            at,
            unsure,
            answer: Answer::NotAsked,
        });
    }

    fn push(&mut self, step: Step) {
        self.numbered += 1;
        self.steps.push_back((self.numbered, step));
        if self.steps.len() == STEPS_MAX {
            self.steps.clear();
            self.push(Step::End(Err(Refusal::bare(Errno::ENOBUFS))));
        }
    }

    /// Receives the answer to the lookup of a step.
    pub fn looked_up(&mut self, number: u64, result: Result<FoundPlus, Refusal>) {
        if let Some(Step::Lookup { answer, .. }) = self.step(number) {
            *answer = answer_of(result);
        }
    }

    /// Receives the blob of a step.
    pub fn loaded(&mut self, number: u64, result: Result<Bytes, Refusal>) {
        if let Some(Step::Blob { answer, .. }) = self.step(number) {
            *answer = answer_of(result);
        }
    }

    fn step(&mut self, number: u64) -> Option<&mut Step> {
        let found = self.steps.iter_mut().find(|(n, _)| *n == number);
        found.map(|(_, step)| step)
    }

    /// Sends the responses that are ready and asks for the next ones. True if it has
    /// ended.
    pub fn pump(&mut self, cx: &mut Cx<KvsWatch>, id: StreamId) -> Option<End> {
        while self.steps.front().is_some_and(|(_, step)| step.is_ready())
            && let Some((_, step)) = self.steps.pop_front()
        {
            if let Err(end) = self.take(cx, step) {
                return Some(end);
            }
        }
        self.ask(cx, id);
        None
    }

    /// Takes one step. `Err` is the end.
    fn take(&mut self, cx: &mut Cx<KvsWatch>, step: Step) -> Result<(), End> {
        match step {
            Step::Lookup {
                at,
                unsure,
                answer: Answer::Here(result),
            } => self.receive_lookup(cx, at.is_none(), unsure, result)?,
            Step::Blob {
                known,
                answer: Answer::Here(result),
                ..
            } => {
                let blob = result.map_err(Err)?;
                self.sent.note(blob.len());
                let rest = after(&known, &blob).map_err(|error| Err(error.refusal()))?;
                if known.is_empty() || !rest.is_empty() {
                    self.send_bytes(cx, rest);
                }
            }
            Step::Bytes(bytes) => self.send_bytes(cx, bytes),
            Step::Sentinel => {
                self.stream.send_bytes(cx, Bytes::new());
            }
            Step::End(end) => return Err(end),
            // Not ready, and so not taken.
            Step::Lookup { .. } | Step::Blob { .. } => {}
        }
        Ok(())
    }

    fn receive_lookup(
        &mut self,
        cx: &mut Cx<KvsWatch>,
        is_first: bool,
        unsure: bool,
        result: Result<FoundPlus, Refusal>,
    ) -> Result<(), End> {
        let waits = self.has(WAITCREATE) && is_first;
        let found = match result {
            Ok(found) => found,
            Err(refusal) if refusal.errno == Errno::EOPNOTSUPP && waits => {
                return self.begin_without_namespace(cx);
            }
            Err(refusal) => return Err(Err(refusal)),
        };
        if is_first {
            self.seen = found.rootseq;
        }
        match found.val {
            Some(value) => self.take_value(cx, &value, unsure)?,
            None if waits || unsure && self.is_waiting() => self.send_sentinel(cx),
            None => return Err(Err(LookupError::NotFound.refusal())),
        }
        if is_first {
            self.follow();
        }
        Ok(())
    }

    /// Nothing was sent yet: the key was not there so far.
    fn is_waiting(&self) -> bool {
        self.last.is_none() && self.sent == Sent::Nothing
    }

    fn send_sentinel(&mut self, cx: &mut Cx<KvsWatch>) {
        if std::mem::take(&mut self.sentinel_due) {
            self.stream.send_bytes(cx, Bytes::new());
        }
    }

    fn begin_without_namespace(&mut self, cx: &mut Cx<KvsWatch>) -> Result<(), End> {
        self.send_sentinel(cx);
        let before = std::mem::replace(&mut self.stage, Stage::NoNamespace);
        if let Stage::Beginning(kept) = before
            && kept.contains(&NamespaceEvent::Created)
        {
            self.receive(NamespaceEvent::Created);
        }
        Ok(())
    }

    /// The first lookup is done: events that came meanwhile are applied.
    fn follow(&mut self) {
        let before = std::mem::replace(&mut self.stage, Stage::Following);
        let seen = self.seen;
        let is_older = |heard: &NamespaceEvent| matches!(heard, NamespaceEvent::Version { seq, .. } if *seq < seen);
        if let Stage::Beginning(kept) = before {
            let kept = kept.into_iter().filter(|heard| !is_older(heard));
            kept.for_each(|heard| self.receive(heard));
        }
    }

    fn take_value(&mut self, cx: &mut Cx<KvsWatch>, value: &Tree, unsure: bool) -> Result<(), End> {
        if self.has(STREAM) {
            let pieces = pieces_of(value).map_err(|error| Err(error.refusal()))?;
            self.push_pieces(pieces);
            self.push(Step::End(Ok(())));
        } else if self.has(WATCH_APPEND) {
            let pieces = self.sent.advance(value);
            let pieces = pieces.map_err(|error| Err(error.refusal()))?;
            self.push_pieces_first(pieces);
        } else {
            self.send_value(cx, value, unsure);
            if !self.has(WATCH) {
                return Err(Ok(()));
            }
        }
        Ok(())
    }

    fn send_bytes(&mut self, cx: &mut Cx<KvsWatch>, bytes: Bytes) {
        let val = Tree::Val(bytes);
        self.stream.send_bytes(cx, Found { val }.encode());
    }

    fn send_value(&mut self, cx: &mut Cx<KvsWatch>, value: &Tree, unsure: bool) {
        let payload = Found { val: value.clone() }.encode();
        let hash = BlobRef::of(HashKind::Sha1, &payload);
        let only_news = self.has(WATCH_UNIQ | WATCH_FULL) || unsure;
        if only_news && self.last == Some(hash) {
            return;
        }
        self.last = Some(hash);
        self.stream.send_bytes(cx, payload);
    }

    fn push_pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            self.push(step_of(piece));
        }
    }

    /// Pieces of this version go before the lookups of later ones.
    fn push_pieces_first(&mut self, pieces: Vec<Piece>) {
        let later = std::mem::take(&mut self.steps);
        self.push_pieces(pieces);
        if std::mem::take(&mut self.sentinel_due) {
            self.push(Step::Sentinel);
        }
        self.steps.extend(later);
    }

    /// Looks up the keys that the next steps need.
    fn ask(&mut self, cx: &mut Cx<KvsWatch>, id: StreamId) {
        let (peer, key, namespace) = (&self.peer, &self.key, &self.namespace);
        let flags = match self.flags & (STREAM | WATCH_APPEND) {
            0 => self.flags & (READDIR | READLINK | TREEOBJ),
            _ => TREEOBJ,
        };
        // For the sake of a key that is yet to come no namespace is made.
        let flags = flags | self.flags & WAITCREATE;
        for (number, step) in self.steps.iter_mut().take(ASKED_MAX) {
            let number = *number;
            match step {
                Step::Lookup {
                    at,
                    answer: answer @ Answer::NotAsked,
                    ..
                } => {
                    *answer = Answer::Asked;
                    let request = LookupPlus(kvs::Lookup {
                        key: key.clone(),
                        flags,
                        namespace: at.is_none().then(|| namespace.clone()),
                        rootdir: at.and_then(|(_, root)| dirref(root)),
                        rootseq: at.map(|(seq, _)| seq),
                    });
                    let call = Call::new(&request).as_user(peer.userid, peer.rolemask);
                    cx.call_with(call, move |core: &mut KvsWatch, cx, result| {
                        core.with(cx, id, |watcher| watcher.looked_up(number, result));
                    });
                }
                Step::Blob {
                    name,
                    answer: answer @ Answer::NotAsked,
                    ..
                } => {
                    *answer = Answer::Asked;
                    let load = Load(Bytes::copy_from_slice(name.digest()));
                    cx.call(&load, move |core: &mut KvsWatch, cx, result| {
                        let result = result.map(|blob| blob.0);
                        core.with(cx, id, |watcher| watcher.loaded(number, result));
                    });
                }
                _ => {}
            }
        }
    }
}

impl Step {
    fn is_ready(&self) -> bool {
        match self {
            Self::Lookup { answer, .. } => answer.is_here(),
            Self::Blob { answer, .. } => answer.is_here(),
            Self::Bytes(_) | Self::Sentinel | Self::End(_) => true,
        }
    }
}

fn step_of(piece: Piece) -> Step {
    match piece {
        Piece::Bytes(bytes) => Step::Bytes(bytes),
        Piece::Blob(name, known) => Step::Blob {
            name,
            known,
            answer: Answer::NotAsked,
        },
    }
}

/// A module that went away while it was asked is asked again when it is back.
fn answer_of<T>(result: Result<T, Refusal>) -> Answer<T> {
    match result {
        Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => Answer::NotAsked,
        result => Answer::Here(result),
    }
}

fn dirref(root: BlobRef) -> Option<serde_json::Value> {
    serde_json::to_value(Tree::DirRef(root)).ok()
}
