//! State of the module, and the events that it handles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use node::{Cx, Host, Module, Peer, Recall, Reply, Routes, StreamId, TimerId};
use proto::Event as _;
use proto::content::{self, Checkpoint};
use proto::data::{BlobRef, JobId};
use proto::heartbeat::Pulse;
use proto::kvs::{NamespaceCreate, NamespaceError, NamespaceRemove, PRIMARY, RelayCreate};
use proto::{Empty, Object, Refusal};
use rustc_hash::FxHashMap;

use crate::asked::Asked;
use crate::batch::Batch;
use crate::config::{Settings, cache, checkpoint_period};
use crate::engine::view::{Memory, Want};
use crate::follower::Follower;
use crate::limits::BATCHES_MAX;
use crate::loads::{ForBlob, LookupJob};
use crate::namespace::{self, Namespace, Version};
use crate::owed::Mark;
use crate::relayed::Ends;
use crate::stats::Tally;

/// The module.
pub struct Kvs {
    pub(crate) settings: Settings,
    pub(crate) memory: Memory,
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    /// Namespaces that have transactions and wait for no blob, in the order in which they
    /// came to have them.
    pub(crate) ready: VecDeque<String>,
    /// Namespaces to be made or removed by the next batch.
    pub(crate) changes: Vec<Change>,
    /// Names that are taken although there is no such namespace, yet or any more.
    pub(crate) reserved: BTreeMap<String, Reserved>,
    /// Requests about namespaces of jobs that job-exec is asked to make.
    pub(crate) unmade: BTreeMap<JobId, Vec<Asked>>,
    /// Requests to make namespaces that are being made: they exist when that is stored.
    pub(crate) rivals: BTreeMap<String, Vec<(Asker, Maker)>>,
    /// Requests to remove namespaces that are being made or removed.
    pub(crate) doomed: BTreeMap<String, Vec<Reply<NamespaceRemove>>>,
    /// Removed namespaces, with their writers of tokens, whose records a failed batch has
    /// left behind.
    pub(crate) leftovers: BTreeMap<String, BTreeSet<String>>,
    /// The batches that content has, oldest first.
    pub(crate) storing: VecDeque<Batch>,
    /// Requests to recognise when they come again.
    pub(crate) recall: Recall<Version>,
    /// Receivers of the results of other ranks' transactions, and the transactions to
    /// recognise.
    pub(crate) ends: Ends,
    /// State of ranks other than 0.
    pub(crate) follower: Option<Follower>,
    /// Changes of the start that could not be stored: they go with a batch.
    pub(crate) unsaved_start: Option<content::Commit>,
    /// Number of the newest batch made.
    pub(crate) batches_made: u64,
    /// Number of the newest batch stored.
    pub(crate) batch_stored: u64,
    /// The newest batch that was answered failed.
    pub(crate) has_failed: bool,
    /// Error of a failed batch, as long as there are batches that build on it.
    pub(crate) failed: Option<Refusal>,
    /// Blobs asked of content, and who waits for each.
    pub(crate) loads: FxHashMap<BlobRef, Vec<(Want, ForBlob)>>,
    /// Lookups that wait for blobs.
    pub(crate) lookups: BTreeMap<u64, LookupJob>,
    /// The newest checkpoint.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The next batch makes a checkpoint.
    pub(crate) checkpoint_due: bool,
    checkpoint_timer: Option<TimerId>,
    /// Transactions that wait in all namespaces.
    pub(crate) n_queued: usize,
    pub(crate) numbered: u64,
    pub(crate) tally: Tally,
    stopping: bool,
    /// All was done, and the last checkpoint is on its way: nothing more is begun.
    leaving: bool,
}

/// A change to the list of namespaces.
#[derive(Debug)]
pub enum Change {
    /// This one is to be made.
    Create(String, Box<Namespace>, Asker, Maker),
    /// This one, with these writers of tokens, is removed from memory and is to be
    /// removed from the store.
    Remove(String, BTreeSet<String>, Reply<NamespaceRemove>),
}

/// Identity of a request to make a namespace, by which a repeated one is recognised.
#[derive(Debug)]
pub enum Asker {
    /// The number that our broker gave it.
    Here(Option<u64>),
    /// A mark of another rank.
    Away(Mark),
}

impl Asker {
    /// True if it is a repetition of the request of another rank.
    pub fn is_again(&self, other: &Asker) -> bool {
        matches!((self, other), (Self::Away(one), Self::Away(two)) if one == two && one.2 != 0)
    }
}

/// Creator of a namespace.
#[derive(Debug)]
pub enum Maker {
    /// A client.
    Client(Reply<NamespaceCreate>),
    /// Another rank.
    Rank(Reply<RelayCreate>),
}

impl Maker {
    /// Answers.
    pub fn send(self, cx: &mut Cx<Kvs>, result: Result<(), Refusal>) {
        let result = result.map(|()| Empty);
        match self {
            Self::Client(reply) => reply.send_refusal(cx, result),
            Self::Rank(reply) => reply.send_refusal(cx, result),
        }
    }
}

/// Reason for which a name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// The namespace is being made.
    Creating,
    /// The namespace is being removed.
    Removing,
}

impl Host for Kvs {
    const NAME: &'static str = "kvs";
    type Worker = ();

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.advance(cx);
    }

    /// A client that waited for a version does not any more.
    fn closed(&mut self, _: &mut Cx<Self>, request: StreamId) {
        for namespace in self.namespaces.values_mut() {
            let waiters = &mut namespace.waiters;
            let is_its = |waiter: &namespace::Waiter| match &waiter.reply {
                namespace::ForVersion::Asked(reply) => reply.id() == request,
                namespace::ForVersion::Made(..) => false,
            };
            if let Some(at) = waiters.iter().position(is_its) {
                if let namespace::ForVersion::Asked(reply) = waiters.swap_remove(at).reply {
                    reply.forget();
                }
                return;
            }
        }
    }

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let cache = cache(conf, cx.rank())?;
        self.settings.checkpoint_period = checkpoint_period(conf)?;
        if self.settings.cache != cache {
            self.settings.cache = cache;
            self.memory.resize(&cache);
            cx.give_back_memory();
        }
        if self.follower.is_none() {
            self.set_checkpoint_timer(cx);
        }
        Ok(())
    }

    /// Stores accepted transactions and makes a checkpoint before the exit.
    fn stop(&mut self, cx: &mut Cx<Self>) {
        self.stopping = true;
        let names: Vec<String> = self.namespaces.keys().cloned().collect();
        for name in names {
            self.pause(cx, &name, false);
        }
        self.advance(cx);
    }

    fn clear_stats(&mut self) {
        self.tally = Tally::default();
        for namespace in self.namespaces.values_mut() {
            namespace.noop_stores = 0;
        }
    }

    fn check_invariants(&self) {
        self.memory.dirs.check();
        self.memory.blobs.check();
        assert!(!self.storing.is_empty() || self.memory.unstored.is_empty());
        assert!(self.storing.len() <= BATCHES_MAX);
        if let Some(follower) = &self.follower {
            follower.uplink.check();
            assert_eq!(self.n_queued, 0);
        }
        let queued: usize = self.namespaces.values().map(|ns| ns.queue.len()).sum();
        assert_eq!(queued, self.n_queued);
        for (name, namespace) in &self.namespaces {
            assert!(
                !self.reserved.contains_key(name),
                "{name} is there and is not"
            );
            assert_eq!(namespace.is_ready, self.ready.contains(name), "{name}");
            let waits = namespace.n_missing > 0;
            assert!(
                namespace.queue.is_empty() || waits || namespace.is_ready || namespace.is_paused,
                "{name}"
            );
            assert!(!self.storing.is_empty() || namespace.next == namespace.version);
        }
        for name in self.rivals.keys() {
            assert_eq!(self.reserved.get(name), Some(&Reserved::Creating), "{name}");
        }
        for job in self.lookups.values() {
            assert!(job.n_missing > 0, "a lookup waits for nothing");
        }
    }
}

impl Module for Kvs {
    fn routes() -> Routes<Self> {
        crate::routes()
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let is_follower = cx.rank() != 0;
        let settings = Settings::of(cx)?;
        let mut core = Kvs {
            memory: Memory::new(&settings.cache),
            settings,
            follower: is_follower.then(Follower::default),
            ends: Ends::default(),
            namespaces: BTreeMap::new(),
            ready: VecDeque::new(),
            changes: Vec::new(),
            reserved: BTreeMap::new(),
            unmade: BTreeMap::new(),
            rivals: BTreeMap::new(),
            doomed: BTreeMap::new(),
            leftovers: BTreeMap::new(),
            storing: VecDeque::new(),
            recall: Recall::default(),
            unsaved_start: None,
            batches_made: 0,
            batch_stored: 0,
            has_failed: false,
            failed: None,
            loads: FxHashMap::default(),
            lookups: BTreeMap::new(),
            checkpoint: None,
            checkpoint_due: false,
            checkpoint_timer: None,
            n_queued: 0,
            numbered: 0,
            tally: Tally::default(),
            stopping: false,
            leaving: false,
        };
        if is_follower {
            // Existing namespaces are requested when they are used.
            cx.subscribe(Pulse::TOPIC);
            return Ok(core);
        }
        core.set_checkpoint_timer(cx);
        // Before its namespaces are read it would say that there are none.
        cx.hold_requests();
        crate::start::begin(cx);
        Ok(core)
    }
}

/// See [`Kvs::open`].
pub(crate) fn open<'n>(
    namespaces: &'n BTreeMap<String, Namespace>,
    cx: &Cx<Kvs>,
    peer: &Peer,
    name: &str,
) -> Result<&'n Namespace, NamespaceError> {
    let namespace = namespaces.get(name).ok_or(NamespaceError::Unknown)?;
    match peer.may_act_for(namespace.owner) {
        true => Ok(namespace),
        false if name != PRIMARY && cx.is_private_to(peer) => Err(NamespaceError::Unknown),
        false => Err(NamespaceError::NotYours),
    }
}

impl Kvs {
    /// The namespace `name`, if `peer` may use it (protocol/04 section 4). In private mode
    /// those of others are not there: running jobs have them.
    pub(crate) fn open(
        &self,
        cx: &Cx<Self>,
        peer: &Peer,
        name: &str,
    ) -> Result<&Namespace, NamespaceError> {
        open(&self.namespaces, cx, peer, name)
    }

    /// Marks a namespace as one with something to do.
    pub(crate) fn mark_ready(&mut self, name: &str) {
        if let Some(namespace) = self.namespaces.get_mut(name)
            && !namespace.is_ready
            && !namespace.is_paused
            && namespace.n_missing == 0
            && !namespace.queue.is_empty()
        {
            namespace.is_ready = true;
            self.ready.push_back(name.to_owned());
        }
    }

    /// Holds a namespace's transactions back, or lets them go on; on other ranks than 0 its
    /// versions.
    pub(crate) fn pause(&mut self, cx: &mut Cx<Self>, name: &str, is_paused: bool) {
        if self.follower.is_some() {
            if let Some(namespace) = self.namespaces.get_mut(name) {
                namespace.set_paused(cx, is_paused);
            }
            return;
        }
        if let Some(namespace) = self.namespaces.get_mut(name) {
            namespace.is_paused = is_paused;
            if is_paused && std::mem::take(&mut namespace.is_ready) {
                self.ready.retain(|ready| ready != name);
            }
        }
        self.mark_ready(name);
    }

    /// A number that was not given out before.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered
    }

    /// Sends off the next batch if there is one, and leaves when all is done.
    pub(crate) fn advance(&mut self, cx: &mut Cx<Self>) {
        if let Some(follower) = &self.follower {
            let idle = follower.uplink.n_items() == 0;
            self.send_relays(cx);
            if self.stopping && idle {
                self.stopping = false;
                cx.exit(Ok(()));
            }
            return;
        }
        if self.leaving {
            // New requests are not begun, and are refused when we have exited.
            return;
        }
        self.send_batch(cx);
        let idle = self.storing.is_empty() && self.n_queued == 0 && self.changes.is_empty();
        if self.stopping && idle {
            (self.stopping, self.leaving) = (false, true);
            crate::start::leave(self, cx);
        }
    }

    fn set_checkpoint_timer(&mut self, cx: &mut Cx<Self>) {
        if let Some(timer) = self.checkpoint_timer.take() {
            cx.cancel_timer(timer);
        }
        let Some(period) = self.settings.checkpoint_period else {
            return;
        };
        self.checkpoint_timer = Some(cx.timer(period, |core, cx| {
            core.checkpoint_due = core.is_changed_since_checkpoint();
            core.set_checkpoint_timer(cx);
            core.advance(cx);
        }));
    }

    /// True if the primary namespace has changed since the newest checkpoint.
    pub(crate) fn is_changed_since_checkpoint(&self) -> bool {
        let Some(primary) = self.namespaces.get(proto::kvs::PRIMARY) else {
            return false;
        };
        self.checkpoint.as_ref().is_none_or(|checkpoint| {
            checkpoint.sequence != primary.version.seq
                || checkpoint.rootref != primary.version.root.to_string()
        })
    }
}
