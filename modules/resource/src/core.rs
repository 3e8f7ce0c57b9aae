//! State of the module, and its changes by events. Every change of the usable resources
//! goes through [`Resource::post`] and ends in [`Resource::notify_scheduler`].

use std::collections::VecDeque;

use node::{Cx, Reply, StreamId};
use proto::attr::names;
use proto::data::{Entry, Hostlist, IdSet, Rset, Stamps};
use proto::{Coded as _, Method, Object, Refusal};
use serde::Serialize;
use serde_json::json;

use crate::config::Settings;
use crate::discovery::Discovery;
use crate::drains::{Drains, Mode};
use crate::follower::Reduce;
use crate::hosts::Hosts;
use crate::inventory::{self, Inventory};
use crate::journal::Journal;
use crate::limits::{JOURNAL_EVENTS_MAX, WAITING_REQUESTS_MAX};
use crate::monitor::{Change, Monitor};
use crate::scheduler::Scheduler;
use crate::store::{Store, Waiter};

/// A request that waits until the resources are known.
struct Waiting {
    id: StreamId,
    go_on: Box<GoOn>,
}

/// Goes on with a request, or forgets it.
type GoOn = dyn FnOnce(Option<(&mut Resource, &mut Cx<Resource>)>);

/// State of the module.
pub struct Resource {
    pub(crate) settings: Settings,
    pub(crate) size: u32,
    /// The instance only recovers the stored state: no rank counts as online.
    is_recovering: bool,
    /// The instance ends: ranks that go are not lost.
    pub(crate) is_ending: bool,
    pub(crate) hostlist: Hostlist,
    pub(crate) inventory: Option<Inventory>,
    pub(crate) hosts: Hosts,
    pub(crate) drains: Drains,
    pub(crate) excluded: IdSet,
    pub(crate) monitor: Monitor,
    pub(crate) journal: Journal,
    /// Of the log, those of an earlier life included.
    pub(crate) stamps: Stamps,
    pub(crate) store: Store,
    pub(crate) scheduler: Option<Scheduler>,
    /// On rank 0: the resources found by ranks.
    pub(crate) discovery: Discovery,
    /// On other ranks: the resources to report to the parent.
    pub(crate) reduce: Reduce,
    /// The topology of this machine, when it was looked at.
    pub(crate) topology: Option<String>,
    /// Drains of an earlier life, applied when the ranks of today are known.
    pub(crate) recalled: Vec<Entry>,
    waiting: VecDeque<Waiting>,
}

impl Resource {
    pub(crate) fn new(cx: &mut Cx<Self>, settings: Settings) -> Resource {
        let number = |cx: &Cx<Self>, attr| cx.attr(attr).and_then(|text| text.parse().ok());
        let size: u32 = number(cx, &names::SIZE).unwrap_or(1);
        let n_below = number(cx, &names::TBON_DESCENDANTS).unwrap_or(0);
        let mut journal = Journal::default();
        journal.set_max(settings.journal_max.unwrap_or(JOURNAL_EVENTS_MAX));
        Resource {
            settings,
            size,
            is_recovering: cx.attr(&names::BROKER_RECOVERY_MODE).is_some(),
            is_ending: false,
            hostlist: brokers(cx, size),
            inventory: None,
            hosts: Hosts::default(),
            drains: Drains::default(),
            excluded: IdSet::new(),
            monitor: Monitor::default(),
            journal,
            stamps: Stamps::default(),
            store: Store::default(),
            scheduler: None,
            discovery: Discovery::default(),
            reduce: Reduce::new(n_below.into()),
            topology: None,
            recalled: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The resources, empty before they are known.
    pub(crate) fn set(&self) -> Rset {
        let set = self.inventory.as_ref().map(|inventory| inventory.set());
        set.cloned().unwrap_or_default()
    }

    /// Ranks that a scheduler may use now.
    pub(crate) fn up(&self) -> IdSet {
        let mut up = self.online().difference(self.drains.ranks());
        up.subtract(&self.excluded);
        if !self.settings.force_up {
            up.subtract(self.monitor.torpid());
        }
        up
    }

    /// Ranks of R that are there.
    pub(crate) fn online(&self) -> IdSet {
        let Some(inventory) = self.inventory.as_ref().filter(|_| !self.is_recovering) else {
            return IdSet::new();
        };
        if self.settings.force_up {
            return inventory.ranks().clone();
        }
        self.monitor.online().intersection(inventory.ranks())
    }

    /// Goes on with a request now, or when the resources are known.
    pub(crate) fn when_known<M: Method + 'static>(
        &mut self,
        cx: &mut Cx<Self>,
        reply: Reply<M>,
        then: impl FnOnce(&mut Resource, &mut Cx<Self>, Reply<M>) + 'static,
    ) {
        // At the limit there is nothing better than to answer without resources.
        if self.inventory.is_some() || self.waiting.len() >= WAITING_REQUESTS_MAX {
            return then(self, cx, reply);
        }
        self.waiting.push_back(Waiting {
            id: reply.id(),
            go_on: Box::new(|with| match with {
                Some((core, cx)) => then(core, cx, reply),
                None => reply.forget(),
            }),
        });
    }

    /// A request was taken back, or its client left.
    pub(crate) fn forget_waiting(&mut self, request: StreamId) {
        if let Some(at) = self.waiting.iter().position(|w| w.id == request)
            && let Some(waiting) = self.waiting.remove(at)
        {
            (waiting.go_on)(None);
        }
    }

    /// The resources are known now, or known again.
    pub(crate) fn define(&mut self, cx: &mut Cx<Self>, inventory: Inventory) {
        self.hosts = self.hosts_of(Some(&inventory));
        for entry in std::mem::take(&mut self.recalled) {
            self.drains.apply(&entry, &self.hosts);
        }
        self.excluded = match self.excluded_by(&self.settings.exclude) {
            Ok(excluded) => excluded,
            Err(refusal) => return cx.exit(Err(refusal)),
        };
        self.store.put_r(inventory.whole().encode());
        let context = json!({ "method": inventory.method });
        self.inventory = Some(inventory);
        self.post(cx, "resource-define", &context, None);
        self.undrain_excluded(cx);
        let found = self.discovery.found().ranks();
        self.verify(cx, &found);
        self.answer_reports(cx);
        while let Some(waiting) = self.waiting.pop_front() {
            (waiting.go_on)(Some((self, cx)));
        }
        self.notify_scheduler(cx);
    }

    /// The hosts of all ranks: as R has them, else as the brokers are.
    pub(crate) fn hosts_of(&self, inventory: Option<&Inventory>) -> Hosts {
        let set = inventory.map(Inventory::whole);
        let last = inventory.and_then(|inventory| inventory.whole().last_rank());
        let n_ranks = last.map_or(0, |last| last + 1).max(self.size);
        let of_broker = |rank: u32| self.hostlist.get(rank as usize);
        let hosts = (0..n_ranks).map(|rank| {
            let of_set = set.and_then(|set| set.host(rank));
            of_set.or(of_broker(rank)).unwrap_or_default()
        });
        Hosts::new(hosts)
    }

    /// Ranks that the configuration excludes.
    pub(crate) fn excluded_by(&self, targets: &str) -> Result<IdSet, Refusal> {
        if targets.is_empty() {
            return Ok(IdSet::new());
        }
        self.hosts.ranks(targets).map_err(|error| {
            let text = format!("error decoding resource.exclude: {error}");
            Refusal::new(error.refusal().errno, text)
        })
    }

    /// Logs one event, applies it, and has it stored if a restart needs it. `waiter`
    /// is answered when it is stored.
    pub(crate) fn post(
        &mut self,
        cx: &mut Cx<Self>,
        name: &'static str,
        context: &impl Serialize,
        waiter: Option<(Option<u64>, Waiter)>,
    ) {
        let now = self.stamps.next(cx.now().wall);
        let entry = Entry::new(now, name).and_then(|entry| entry.with(context));
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return tracing::error!("event {name}: {error}"),
        };
        self.drains.apply(&entry, &self.hosts);
        if is_stored(name) {
            self.store.append(&entry, waiter);
        }
        let defined = self
            .inventory
            .as_ref()
            .filter(|_| name == "resource-define");
        self.journal.post(cx, entry, defined.map(Inventory::set));
    }

    /// Logs ranks that came and went, and notifies the followers.
    pub(crate) fn ranks_changed(&mut self, cx: &mut Cx<Self>, change: &Change) {
        if !change.online.is_empty() {
            self.post(cx, "online", &json!({ "idset": change.online }), None);
        }
        if !change.offline.is_empty() {
            self.post(cx, "offline", &json!({ "idset": change.offline }), None);
        }
        self.lose_or_find(change);
        self.monitor.answer_waiting(cx);
        self.notify_scheduler(cx);
    }

    /// Handles a rank that leaves: it is lost for good, unless R was configured;
    /// protocol/21 section 6. If it comes back all the same, it is as it was.
    fn lose_or_find(&mut self, change: &Change) {
        let Some(inventory) = &mut self.inventory else {
            return;
        };
        if inventory.shrinks() && !self.is_ending && !self.settings.force_up {
            let lost = inventory.lose(&change.offline);
            if !lost.is_empty() {
                tracing::error!("rank(s) {lost} are lost: removed from the resources");
            }
        }
        let found = inventory.find(&change.online);
        if !found.is_empty() {
            tracing::info!("rank(s) {found} are back");
        }
    }

    /// Excluded ranks are not drained as well (flux-config-resource(5)).
    fn undrain_excluded(&mut self, cx: &mut Cx<Self>) {
        let both = self.excluded.intersection(self.drains.ranks());
        let event = self.drains.undrain(both, None, Mode::Strict, &self.hosts);
        if let Ok(Some(event)) = event {
            self.post(cx, "undrain", &event, None);
        }
    }

    /// Configured resources may have other properties from now on. Other nodes or cores they
    /// have from the next start on.
    fn adopt_properties(&mut self, config: Option<&Rset>) {
        let (Some(inventory), Some(config)) = (&mut self.inventory, config) else {
            return;
        };
        let config = inventory::rerank(config.clone(), &self.hostlist);
        let is_same = inventory.whole().nodes().eq(config.nodes());
        if !is_same || !inventory.is_configured() {
            let text = "[resource] differs from the resources in use: ignored";
            return tracing::warn!("{text}");
        }
        if inventory.set_properties(&config) {
            self.store.put_r(inventory.whole().encode());
        }
    }

    /// A new configuration: only the excluded ranks, the properties of configured resources,
    /// and the number of kept events change while we run.
    pub(crate) fn adopt(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let settings = Settings::new(&args, conf, hostname(cx))?;
        if self.inventory.is_some() {
            self.excluded = self.excluded_by(&settings.exclude)?;
            if settings.config != self.settings.config && settings.path.is_none() {
                self.adopt_properties(settings.config.as_ref());
            }
            self.undrain_excluded(cx);
            self.notify_scheduler(cx);
        }
        let kept = settings.journal_max.unwrap_or(JOURNAL_EVENTS_MAX);
        self.journal.set_max(kept);
        self.settings = settings;
        Ok(())
    }
}

/// True if a restart needs events of this name (protocol/13 section 4).
fn is_stored(name: &str) -> bool {
    matches!(
        name,
        "resource-define" | "resource-update" | "drain" | "undrain"
    )
}

/// This machine's name as the instance knows it.
pub(crate) fn hostname(cx: &Cx<Resource>) -> &str {
    cx.attr(&names::HOSTNAME).unwrap_or("localhost")
}

/// The hosts of all brokers by rank.
fn brokers(cx: &Cx<Resource>, size: u32) -> Hostlist {
    let attr = cx.attr(&names::HOSTLIST).and_then(|text| text.parse().ok());
    attr.filter(|list: &Hostlist| list.len() == size as usize)
        .unwrap_or_else(|| {
            Hostlist::from_names((0..size).map(|_| hostname(cx))).unwrap_or_default()
        })
}
