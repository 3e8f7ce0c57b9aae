//! Namespaces of ranks other than 0: the roots, followed by events (protocol/21 section
//! 2).
//!
//! The first use of a namespace subscribes to its events and asks the parent after that, so
//! that no version falls between. A version is accepted only if it is newer than the known
//! one, except after a restart of the writer, which announces the current one. Links lose no
//! events as long as they hold; all the same each namespace in use is compared with the
//! parent's now and then, so that a rank that has missed one finds out by itself. A namespace
//! that nobody uses is followed no more after some versions, or some time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use node::{Call, Cx};
use proto::data::BlobRef;
use proto::kvs::{CreatedEvent, EVENT_PREFIX, GetRoot, Root, SetrootEvent};
use proto::{Errno, Refusal};

use crate::Kvs;
use crate::asked::Asked;
use crate::limits::{COMPARE_PERIOD, NAMESPACE_AGE_MAX, OBJECT_AGE_MAX, UNUSED_VERSIONS_MAX};
use crate::namespace::{Namespace, Version};
use crate::relay::Uplink;

/// State of ranks other than 0.
#[derive(Debug, Default)]
pub struct Follower {
    /// Namespaces whose roots are asked for.
    pub asking: BTreeMap<String, Asking>,
    /// Requests that wait for those.
    pub n_asked: usize,
    /// Transactions on their way to rank 0.
    pub uplink: Uplink,
    /// Time at which the namespaces were last compared.
    compared: Duration,
    /// Marks between uses of objects, and when they were made.
    marks: VecDeque<(Duration, u64, u64)>,
}

/// A namespace whose root is asked for.
#[derive(Debug, Default)]
pub struct Asking {
    /// Requests that wait for it.
    pub waiting: Vec<Asked>,
    /// The newest version that events have announced meanwhile.
    heard: Option<Version>,
    /// The namespace was made or removed, or the writer has restarted: the answer may be
    /// older.
    is_stale: bool,
}

impl Follower {
    /// Below which numbers everything of ours is answered, 0 when that is not sure. A
    /// request that waits for a root is not on its way up yet.
    pub fn floor(&self) -> u64 {
        let waiting = self.asking.values().flat_map(|asking| &asking.waiting);
        let numbers = waiting.filter_map(Asked::number);
        numbers.fold(self.uplink.floor(), u64::min)
    }
}

impl Kvs {
    /// Subscribes to a namespace, then asks for its root.
    pub(crate) fn ask_for_root(&mut self, cx: &mut Cx<Self>, name: String) {
        cx.subscribe(&subscription(&name));
        ask(cx, name);
    }

    fn root_answered(&mut self, cx: &mut Cx<Self>, name: String, result: Result<Root, Refusal>) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        let Some(asking) = follower.asking.get_mut(&name) else {
            return;
        };
        if std::mem::take(&mut asking.is_stale) {
            asking.heard = None;
            return ask(cx, name);
        }
        let Some(asking) = follower.asking.remove(&name) else {
            return;
        };
        follower.n_asked -= asking.waiting.len();
        let version = result.and_then(|root| Ok((version_of(&root.rootref, root.rootseq)?, root)));
        let refusal = match version {
            Ok((version, root)) => {
                let heard = asking.heard.filter(|heard| heard.seq > version.seq);
                let version = heard.unwrap_or(version);
                let mut namespace = Namespace::new(root.owner, root.flags, version);
                namespace.used = cx.now().mono;
                namespace.incarnation = self.number();
                self.namespaces.insert(name.clone(), namespace);
                None
            }
            Err(refusal) => {
                cx.unsubscribe(&subscription(&name));
                (refusal.errno != Errno::EOPNOTSUPP).then_some(refusal)
            }
        };
        for asked in asking.waiting {
            match &refusal {
                None => asked.run(self, cx, name.clone()),
                Some(refusal) => asked.refuse(cx, refusal.clone()),
            }
        }
    }

    /// A namespace has a new version.
    pub(crate) fn receive_setroot(&mut self, cx: &mut Cx<Self>, event: SetrootEvent) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        let version = match version_of(&event.rootref, event.rootseq) {
            Ok(version) => version,
            Err(refusal) => return tracing::error!("setroot of {}: {refusal}", event.namespace),
        };
        if let Some(asking) = follower.asking.get_mut(&event.namespace) {
            asking.is_stale |= event.restarted;
            let is_newer = asking.heard.is_none_or(|heard| heard.seq < version.seq);
            if is_newer {
                asking.heard = Some(version);
            }
        } else if event.restarted {
            let incarnation = self.number();
            if let Some(namespace) = self.namespaces.get_mut(&event.namespace) {
                namespace.incarnation = incarnation;
                namespace.set_version(cx, version);
            }
        } else if let Some(namespace) = self.namespaces.get_mut(&event.namespace) {
            namespace.receive_version(cx, version);
            namespace.n_unused = namespace.n_unused.saturating_add(1);
            if namespace.n_unused > UNUSED_VERSIONS_MAX && !namespace.is_in_use() {
                self.forget_namespace(cx, &event.namespace);
            }
        }
    }

    /// A namespace was made.
    pub(crate) fn receive_created(&mut self, cx: &mut Cx<Self>, event: &CreatedEvent) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        if let Some(asking) = follower.asking.get_mut(&event.namespace) {
            asking.is_stale = true;
        } else {
            // Our namespace of this name was removed without our notice.
            self.forget_namespace(cx, &event.namespace);
        }
    }

    /// A namespace was removed.
    pub(crate) fn receive_removed(&mut self, cx: &mut Cx<Self>, name: &str) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        match follower.asking.get_mut(name) {
            Some(asking) => asking.is_stale = true,
            None => self.forget_namespace(cx, name),
        }
    }

    fn forget_namespace(&mut self, cx: &mut Cx<Self>, name: &str) {
        if let Some(mut namespace) = self.namespaces.remove(name) {
            namespace.refuse_waiters(cx);
            cx.unsubscribe(&subscription(name));
        }
    }

    /// Handles a heartbeat: drops unused namespaces, and compares used ones with the
    /// parent's.
    pub(crate) fn pulse(&mut self, cx: &mut Cx<Self>) {
        let now = cx.now().mono;
        let Some(follower) = &mut self.follower else {
            return;
        };
        let (dirs, blobs) = (&mut self.memory.dirs, &mut self.memory.blobs);
        follower.marks.push_back((now, dirs.mark(), blobs.mark()));
        while let Some((at, dir, blob)) = follower.marks.front().copied()
            && at.saturating_add(OBJECT_AGE_MAX) <= now
        {
            dirs.forget_before(dir);
            blobs.forget_before(blob);
            follower.marks.pop_front();
        }
        if follower.compared.saturating_add(COMPARE_PERIOD) > now {
            return;
        }
        follower.compared = now;
        let is_old = |namespace: &Namespace| {
            !namespace.is_in_use() && namespace.used.saturating_add(NAMESPACE_AGE_MAX) <= now
        };
        let names: Vec<(String, bool, u64)> = self
            .namespaces
            .iter()
            .map(|(name, ns)| (name.clone(), is_old(ns), ns.incarnation))
            .collect();
        for (name, is_old, incarnation) in names {
            match is_old {
                true => self.forget_namespace(cx, &name),
                false => compare(cx, name, incarnation),
            }
        }
    }

    /// The parent's version of a namespace has come.
    fn compared(
        &mut self,
        cx: &mut Cx<Self>,
        name: &str,
        incarnation: u64,
        result: Result<Root, Refusal>,
    ) {
        let namespace = self.namespaces.get_mut(name);
        let Some(namespace) = namespace.filter(|ns| ns.incarnation == incarnation) else {
            return;
        };
        match result.and_then(|root| version_of(&root.rootref, root.rootseq)) {
            Ok(version) if namespace.receive_version(cx, version) => {
                let seq = version.seq;
                tracing::warn!("{name}: version {seq} was missed and is now known");
            }
            Err(refusal) if refusal.errno == Errno::EOPNOTSUPP => {
                tracing::warn!("{name}: its removal was missed and is now known");
                self.forget_namespace(cx, name);
            }
            // It is asked again next time.
            _ => {}
        }
    }
}

impl Namespace {
    /// True if it must be kept although nobody asks about it.
    fn is_in_use(&self) -> bool {
        !self.waiters.is_empty() || self.is_paused
    }

    /// Takes a version in if it is newer. Returns true if it is.
    pub fn receive_version(&mut self, cx: &mut Cx<Kvs>, version: Version) -> bool {
        let newest = self.held.map_or(self.version.seq, |held| held.seq);
        let is_newer = version.seq > newest;
        if is_newer {
            self.set_version(cx, version);
        }
        is_newer
    }

    /// Takes a version in, or holds it back.
    fn set_version(&mut self, cx: &mut Cx<Kvs>, version: Version) {
        if self.is_paused {
            self.held = Some(version);
            return;
        }
        (self.version, self.next) = (version, version);
        self.notify_waiters(cx);
    }

    /// Holds versions back, or lets the newest one come.
    pub fn set_paused(&mut self, cx: &mut Cx<Kvs>, is_paused: bool) {
        self.is_paused = is_paused;
        if !is_paused && let Some(version) = self.held.take() {
            self.set_version(cx, version);
        }
    }
}

fn ask(cx: &mut Cx<Kvs>, name: String) {
    let namespace = name.clone();
    let call = Call::new(&GetRoot { namespace }).upstream(cx.rank());
    cx.call_with(call, |core: &mut Kvs, cx, result| {
        core.root_answered(cx, name, result);
    });
}

fn compare(cx: &mut Cx<Kvs>, name: String, incarnation: u64) {
    let namespace = name.clone();
    let call = Call::new(&GetRoot { namespace }).upstream(cx.rank());
    cx.call_with(call, move |core: &mut Kvs, cx, result| {
        core.compared(cx, &name, incarnation, result);
    });
}

fn version_of(rootref: &str, seq: i64) -> Result<Version, Refusal> {
    let root: Result<BlobRef, _> = rootref.parse();
    let root = root.map_err(|error| Refusal::new(Errno::EPROTO, format!("{rootref}: {error}")))?;
    Ok(Version { root, seq })
}

/// Events of one namespace. Of namespaces whose name goes on with a minus sign too, which
/// the payload distinguishes.
fn subscription(namespace: &str) -> String {
    format!("{EVENT_PREFIX}{namespace}-")
}
