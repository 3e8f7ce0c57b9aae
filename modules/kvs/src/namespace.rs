//! One namespace: its version, the transactions that wait to make the next, and those who
//! wait for one.

use std::collections::{BTreeMap, VecDeque};

use std::time::Duration;

use node::{Cx, Reply};
use proto::Coded;
use proto::data::BlobRef;
use proto::kvs::{Commit, NO_MERGE, NamespaceError, SYNC, WaitVersion};

use crate::Kvs;
use crate::engine::txn::Step;
use crate::engine::view::Supply;
use crate::owed::Owed;
use crate::saved::SavedNamespace;
use crate::size::Size;

/// A version of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Blob of its root directory.
    pub root: BlobRef,
    /// Number of transactions that made it.
    pub seq: i64,
}

/// A namespace.
#[derive(Debug)]
pub struct Namespace {
    /// User id of its owner.
    pub owner: u32,
    /// As it was created.
    pub flags: u32,
    /// Current version.
    pub version: Version,
    /// Version after the batch under way; the same without one.
    pub next: Version,
    /// Last SEQ of each writer of `once` tokens, with the version that it is in.
    pub once: BTreeMap<String, (u64, i64)>,
    /// Tokens in the batch under way.
    pub next_once: BTreeMap<String, (u64, i64)>,
    /// Transactions, oldest first.
    pub queue: VecDeque<Txn>,
    /// Transactions in the batch under way.
    pub n_storing: usize,
    /// Blobs requested by the transaction at the front, and those that have come.
    pub supply: Supply,
    /// Blobs still to come.
    pub n_missing: usize,
    /// The namespace is in the list of those with something to do.
    pub is_ready: bool,
    /// The transactions are held back; on other ranks its versions.
    pub is_paused: bool,
    /// On other ranks than 0: the newest version that is held back.
    pub held: Option<Version>,
    /// On other ranks than 0: distinguishes namespaces of one name, and versions before
    /// and after a restart of the writer.
    pub incarnation: u64,
    /// On other ranks than 0: when a client asked about it last.
    pub used: Duration,
    /// On other ranks than 0: versions received since then.
    pub n_unused: u32,
    /// Requests that wait for a version.
    pub waiters: Vec<Waiter>,
    /// Directories that transactions wrote as they were.
    pub noop_stores: u64,
}

/// A request that waits for a version.
#[derive(Debug)]
pub struct Waiter {
    /// The version wanted.
    pub seq: i64,
    /// Waiting request.
    pub reply: ForVersion,
}

/// Request that waits for a version.
#[derive(Debug)]
pub enum ForVersion {
    /// A request to wait for a version.
    Asked(Reply<WaitVersion>),
    /// The author of this version, on a rank that holds versions back.
    Made(Reply<Commit>, Version),
}

/// A transaction that waits.
#[derive(Debug)]
pub struct Txn {
    /// Name by which events announce it.
    pub name: String,
    /// NO_MERGE, SYNC and bits of no meaning.
    pub flags: u32,
    /// Steps.
    pub steps: Vec<Step>,
    /// Size of the steps.
    pub size: Size,
    /// Writer and SEQ of its token.
    pub once: Option<(String, u64)>,
    /// By which it is recognised when it comes again.
    pub number: Option<u64>,
    /// The transaction was merged with one that failed, and is to try alone.
    pub alone: bool,
    /// Receiver of its result.
    pub owed: Owed,
}

/// Transactions that make one version, and those among them that were applied before.
#[derive(Debug, Default)]
pub struct Group {
    /// In the order of arrival; true for one that was applied before.
    pub txns: Vec<(Txn, bool)>,
}

impl Txn {
    fn merges(&self) -> bool {
        !self.alone && self.flags & (NO_MERGE | SYNC) == 0
    }
}

impl Group {
    /// True if it must survive a power failure.
    pub fn syncs(&self) -> bool {
        self.fresh().any(|txn| txn.flags & SYNC != 0)
    }

    /// Transactions that are to be applied.
    pub fn fresh(&self) -> impl Iterator<Item = &Txn> {
        let fresh = self.txns.iter().filter(|(_, repeated)| !repeated);
        fresh.map(|(txn, _)| txn)
    }
}

impl Namespace {
    /// A namespace at a version.
    pub fn new(owner: u32, flags: u32, version: Version) -> Namespace {
        Namespace {
            owner,
            flags,
            version,
            next: version,
            once: BTreeMap::new(),
            next_once: BTreeMap::new(),
            queue: VecDeque::new(),
            n_storing: 0,
            supply: Supply::default(),
            n_missing: 0,
            is_ready: false,
            is_paused: false,
            held: None,
            incarnation: 0,
            used: Duration::ZERO,
            n_unused: 0,
            waiters: Vec::new(),
            noop_stores: 0,
        }
    }

    /// A namespace as it was saved.
    pub fn of_saved(saved: SavedNamespace) -> Namespace {
        let mut namespace = Namespace::new(saved.owner, saved.flags, saved.version);
        namespace.once = saved.once;
        namespace
    }

    /// True if the token's transaction was applied before, or is in the batch under way.
    fn has_seen(&self, writer: &str, seq: u64) -> bool {
        [&self.once, &self.next_once]
            .iter()
            .any(|seen| seen.get(writer).is_some_and(|(last, _)| seq <= *last))
    }

    /// Takes the transactions that make the next version: the oldest, and those that can
    /// be merged with it. There are none if the oldest is too much for a batch, of at
    /// most `most`, that has `taken` already.
    pub fn take_group(&mut self, merge: bool, most: Size, mut taken: Size) -> Group {
        let mut group = Group::default();
        let mut tokens = BTreeMap::<String, u64>::new();
        let (mut flags, mut more) = (None, true);
        while more && let Some(txn) = self.queue.front() {
            let repeated = txn.once.as_ref().is_some_and(|(writer, seq)| {
                self.has_seen(writer, *seq) || tokens.get(writer).is_some_and(|last| seq <= last)
            });
            if !repeated {
                if flags.is_none() && !group.txns.is_empty() {
                    // Repeated ones in front are answered by themselves.
                    break;
                }
                if !most.has_room(taken, txn.size) {
                    break;
                }
                let merges = merge && txn.merges();
                if flags.is_some_and(|flags| flags != txn.flags || !merges) {
                    break;
                }
                (flags, more) = (Some(txn.flags), merges);
                taken += txn.size;
                if let Some((writer, seq)) = &txn.once {
                    tokens.insert(writer.clone(), *seq);
                }
            }
            group
                .txns
                .extend(self.queue.pop_front().map(|txn| (txn, repeated)));
        }
        group
    }

    /// Answers those who wait for a version that is there.
    pub fn notify_waiters(&mut self, cx: &mut Cx<Kvs>) {
        let version = self.version;
        let reached = self
            .waiters
            .extract_if(.., |waiter| waiter.seq <= version.seq);
        for waiter in reached {
            match waiter.reply {
                ForVersion::Asked(reply) => reply.send(cx, Ok(version.committed())),
                ForVersion::Made(reply, made) => reply.send(cx, Ok(made.committed())),
            }
        }
    }

    /// Answers all requests that wait for a version, because the namespace was removed.
    pub fn refuse_waiters(&mut self, cx: &mut Cx<Kvs>) {
        for waiter in std::mem::take(&mut self.waiters) {
            match waiter.reply {
                ForVersion::Asked(reply) => {
                    reply.send_refusal(cx, Err(NamespaceError::Unknown.refusal()));
                }
                ForVersion::Made(reply, made) => reply.send(cx, Ok(made.committed())),
            }
        }
    }

    /// Puts a group back where it was.
    pub fn put_back(&mut self, group: Group, alone: bool) {
        for (mut txn, _) in group.txns.into_iter().rev() {
            txn.alone |= alone;
            self.queue.push_front(txn);
        }
    }
}
