//! Watchers by key, and by the events that they need.

use std::collections::{BTreeMap, BTreeSet};

use node::{Cx, Host, Module, Routes, StreamId};
use proto::Refusal;
use proto::data::BlobRef;
use proto::kvs::{CreatedEvent, EVENT_PREFIX, SetrootEvent};

use crate::watcher::{NamespaceEvent, Watcher};

/// The module.
#[derive(Debug, Default)]
pub struct KvsWatch {
    pub(crate) watchers: BTreeMap<StreamId, Watcher>,
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    /// Number of watchers looked at: a measure of cost, for tests.
    #[cfg(test)]
    pub(crate) n_touched: usize,
}

/// A namespace that is watched.
#[derive(Debug)]
pub struct Namespace {
    /// User id of its owner, -1 as long as no event said so.
    pub owner: i64,
    /// Newest version received, -1 before any.
    pub rootseq: i64,
    /// Root, empty before any.
    pub rootref: String,
    /// All its watchers.
    pub watchers: BTreeSet<StreamId>,
    /// Watchers by the key that they watch.
    by_key: BTreeMap<String, BTreeSet<StreamId>>,
    /// Watchers that look at every version.
    full: BTreeSet<StreamId>,
}

impl Host for KvsWatch {
    const NAME: &'static str = "kvs-watch";
    type Worker = ();

    /// A watch was taken back, or its client left.
    fn closed(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        if let Some(watcher) = self.remove(cx, stream) {
            watcher.forget();
        }
    }

    fn check_invariants(&self) {
        let listed: usize = self.namespaces.values().map(|ns| ns.watchers.len()).sum();
        assert_eq!(listed, self.watchers.len());
        for (id, watcher) in &self.watchers {
            let namespace = &self.namespaces[&watcher.namespace];
            assert!(namespace.watchers.contains(id));
            assert!(namespace.by_key[&watcher.key].contains(id));
            assert_eq!(namespace.full.contains(id), watcher.is_full());
        }
        for namespace in self.namespaces.values() {
            assert!(
                !namespace.watchers.is_empty(),
                "a namespace is watched by nobody"
            );
        }
    }
}

impl Module for KvsWatch {
    fn routes() -> Routes<Self> {
        crate::routes()
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        if let Some(arg) = cx.welcome().args.iter().flatten().next() {
            let text = format!("{arg}: unknown option");
            return Err(Refusal::new(proto::Errno::EINVAL, text));
        }
        Ok(KvsWatch::default())
    }
}

impl KvsWatch {
    /// Takes a watcher in. Its namespace's events are subscribed to before it asks for
    /// anything, so that it misses nothing.
    pub(crate) fn add(&mut self, cx: &mut Cx<Self>, id: StreamId, watcher: Watcher) {
        let name = watcher.namespace.clone();
        if !self.namespaces.contains_key(&name) {
            cx.subscribe(&subscription(&name));
        }
        let namespace = self.namespaces.entry(name).or_insert_with(Namespace::new);
        namespace.watchers.insert(id);
        namespace
            .by_key
            .entry(watcher.key.clone())
            .or_default()
            .insert(id);
        if watcher.is_full() {
            namespace.full.insert(id);
        }
        self.watchers.insert(id, watcher);
        self.with(cx, id, |_| ());
    }

    /// Changes a watcher, and lets it go on.
    pub(crate) fn with(
        &mut self,
        cx: &mut Cx<Self>,
        id: StreamId,
        change: impl FnOnce(&mut Watcher),
    ) {
        let Some(watcher) = self.watchers.get_mut(&id) else {
            return;
        };
        change(watcher);
        #[cfg(test)]
        {
            self.n_touched += 1;
        }
        if let Some(end) = watcher.pump(cx, id)
            && let Some(watcher) = self.remove(cx, id)
        {
            watcher.end(cx, end);
        }
    }

    fn remove(&mut self, cx: &mut Cx<Self>, id: StreamId) -> Option<Watcher> {
        let watcher = self.watchers.remove(&id)?;
        #[cfg(test)]
        {
            self.n_touched += 1;
        }
        if let Some(namespace) = self.namespaces.get_mut(&watcher.namespace) {
            namespace.watchers.remove(&id);
            namespace.full.remove(&id);
            if let Some(ids) = namespace.by_key.get_mut(&watcher.key) {
                ids.remove(&id);
                if ids.is_empty() {
                    namespace.by_key.remove(&watcher.key);
                }
            }
            if namespace.watchers.is_empty() {
                self.namespaces.remove(&watcher.namespace);
                cx.unsubscribe(&subscription(&watcher.namespace));
            }
        }
        Some(watcher)
    }

    /// A namespace has a new version.
    pub(crate) fn setroot(&mut self, cx: &mut Cx<Self>, event: SetrootEvent) {
        let Some(namespace) = self.namespaces.get_mut(&event.namespace) else {
            return;
        };
        let Ok(root) = event.rootref.parse::<BlobRef>() else {
            return tracing::error!("setroot of {} has no blobref", event.namespace);
        };
        namespace.owner = i64::from(event.owner);
        namespace.rootseq = event.rootseq;
        namespace.rootref = event.rootref;
        let ids: BTreeSet<StreamId> = if event.restarted {
            namespace.watchers.clone()
        } else {
            let keys = event.keys.keys();
            let by_key = keys.filter_map(|key| namespace.by_key.get(key)).flatten();
            by_key.chain(&namespace.full).copied().collect()
        };
        let heard = NamespaceEvent::Version {
            seq: event.rootseq,
            root,
            unsure: event.restarted,
        };
        self.notify(cx, ids, &heard);
    }

    /// A namespace was made.
    pub(crate) fn created(&mut self, cx: &mut Cx<Self>, event: CreatedEvent) {
        if let Some(namespace) = self.namespaces.get_mut(&event.namespace) {
            namespace.owner = i64::from(event.owner);
            namespace.rootseq = event.rootseq;
            namespace.rootref = event.rootref;
            let ids = namespace.watchers.clone();
            self.notify(cx, ids, &NamespaceEvent::Created);
        }
    }

    /// A namespace was removed.
    pub(crate) fn removed(&mut self, cx: &mut Cx<Self>, name: &str) {
        if let Some(namespace) = self.namespaces.get(name) {
            let ids = namespace.watchers.clone();
            self.notify(cx, ids, &NamespaceEvent::Removed);
        }
    }

    fn notify(&mut self, cx: &mut Cx<Self>, ids: BTreeSet<StreamId>, heard: &NamespaceEvent) {
        for id in ids {
            self.with(cx, id, |watcher| watcher.receive(heard.clone()));
        }
    }
}

impl Namespace {
    fn new() -> Namespace {
        Namespace {
            owner: -1,
            rootseq: -1,
            rootref: String::new(),
            watchers: BTreeSet::new(),
            by_key: BTreeMap::new(),
            full: BTreeSet::new(),
        }
    }
}

/// Events of one namespace. Of namespaces whose name goes on with a minus sign too, which
/// the payload distinguishes.
fn subscription(namespace: &str) -> String {
    format!("{EVENT_PREFIX}{namespace}-")
}
