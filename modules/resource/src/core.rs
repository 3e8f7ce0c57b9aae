//! What the module knows, and how events change it. Every change of what is usable
//! goes through [`Resource::post`] and ends in [`Resource::tell_scheduler`].

use std::collections::VecDeque;

use node::{Cx, Stream};
use proto::attr::names;
use proto::data::{Entry, Hostlist, IdSet, Rset, Stamps};
use proto::resource::{Acquire, AcquireError, Acquired};
use proto::{Coded as _, Object, Refusal};
use serde::Serialize;
use serde_json::json;

use crate::drains::Drains;
use crate::inventory::{self, Inventory};
use crate::journal::Journal;
use crate::limits::WAITING_REQUESTS_MAX;
use crate::monitor::{Change, Monitor};
use crate::settings::Settings;
use crate::store::{Store, Waiter};
use crate::targets::Names;

/// What to do once the resources are known.
type Waiting = Box<dyn FnOnce(&mut Resource, &mut Cx<Resource>)>;

/// The scheduler that has the resources in hand.
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) stream: Stream<Acquire>,
    /// What it was told, `None` before the first response.
    told: Option<Told>,
}

#[derive(Debug, Clone, PartialEq)]
struct Told {
    up: IdSet,
    expiration: f64,
}

/// What the module knows.
pub struct Resource {
    pub(crate) settings: Settings,
    pub(crate) size: u32,
    /// The instance only recovers what is stored: no rank counts as online.
    is_recovering: bool,
    pub(crate) hostlist: Hostlist,
    pub(crate) inventory: Option<Inventory>,
    pub(crate) names: Names,
    pub(crate) drains: Drains,
    pub(crate) excluded: IdSet,
    pub(crate) monitor: Monitor,
    pub(crate) journal: Journal,
    /// Of the log, those of an earlier life included.
    pub(crate) stamps: Stamps,
    pub(crate) store: Store,
    pub(crate) scheduler: Option<Scheduler>,
    /// What ranks have found, as far as they have reported.
    pub(crate) found: Rset,
    /// Drains of an earlier life, applied when the ranks of today are known.
    pub(crate) recalled: Vec<Entry>,
    waiting: VecDeque<Waiting>,
}

/// Jobs run where job-exec is: on rank 0. What other brokers have is not given out.
const RANKS_WITH_JOBS: usize = 1;

impl Resource {
    pub(crate) fn new(cx: &mut Cx<Self>, settings: Settings) -> Resource {
        let size = cx.attr(&names::SIZE).and_then(|size| size.parse().ok());
        let size = size.unwrap_or(1);
        Resource {
            settings,
            size,
            is_recovering: cx.attr(&names::BROKER_RECOVERY_MODE).is_some(),
            hostlist: brokers(cx, size),
            inventory: None,
            names: Names::default(),
            drains: Drains::default(),
            excluded: IdSet::new(),
            monitor: Monitor::default(),
            journal: Journal::default(),
            stamps: Stamps::default(),
            store: Store::default(),
            scheduler: None,
            found: Rset::new(),
            recalled: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The resources, empty before they are known.
    pub(crate) fn set(&self) -> Rset {
        let set = self.inventory.as_ref().map(|inventory| &inventory.set);
        set.cloned().unwrap_or_default()
    }

    /// Ranks that a scheduler may use now.
    pub(crate) fn up(&self) -> IdSet {
        let mut up = self.online().difference(&self.drains.ranks());
        up.subtract(&self.excluded);
        up
    }

    /// Ranks of R that are there.
    pub(crate) fn online(&self) -> IdSet {
        if self.is_recovering {
            return IdSet::new();
        }
        let ranks = self.set().ranks();
        if self.settings.force_up {
            return ranks;
        }
        self.monitor.online().intersection(&ranks)
    }

    /// Runs `then` now, or when the resources are known. Gives it back when there is no
    /// room to wait.
    pub(crate) fn when_known(
        &mut self,
        cx: &mut Cx<Self>,
        then: impl FnOnce(&mut Resource, &mut Cx<Self>) + 'static,
    ) {
        // At the limit there is nothing better than to answer without resources.
        if self.inventory.is_some() || self.waiting.len() >= WAITING_REQUESTS_MAX {
            then(self, cx);
        } else {
            self.waiting.push_back(Box::new(then));
        }
    }

    /// The resources are known now, or known again.
    pub(crate) fn define(&mut self, cx: &mut Cx<Self>, inventory: Inventory) {
        let hosts: Vec<String> = {
            let last = inventory.set.ranks().last().map_or(0, |last| last + 1);
            let host = |rank: u32| {
                let broker = self.hostlist.get(rank as usize);
                inventory.set.host(rank).or(broker).unwrap_or_default()
            };
            (0..last.max(self.size))
                .map(|r| host(r).to_owned())
                .collect()
        };
        self.names = Names::new(hosts.iter().map(String::as_str));
        for entry in std::mem::take(&mut self.recalled) {
            self.drains.apply(&entry, &self.names);
        }
        self.excluded = match self.excluded_by(&self.settings.exclude) {
            Ok(excluded) => excluded,
            Err(refusal) => return cx.exit(Err(refusal)),
        };
        self.store.put_r(inventory.set.encode());
        let context = json!({ "method": inventory.method });
        self.inventory = Some(inventory);
        self.post(cx, "resource-define", &context, None);
        self.verify_all(cx);
        while let Some(then) = self.waiting.pop_front() {
            then(self, cx);
        }
        self.tell_scheduler(cx);
    }

    /// Ranks that the configuration excludes.
    pub(crate) fn excluded_by(&self, targets: &str) -> Result<IdSet, Refusal> {
        if targets.is_empty() {
            return Ok(IdSet::new());
        }
        self.names.ranks(targets).map_err(|error| {
            let text = format!("error decoding resource.exclude: {error}");
            Refusal::new(error.refusal().errno, text)
        })
    }

    /// One rank says what it found.
    pub(crate) fn report(&mut self, cx: &mut Cx<Self>, found: &Rset) {
        if let Err(error) = self.found.add(found) {
            return tracing::error!("report of ranks {}: {error}", found.ranks());
        }
        if self.inventory.is_some() {
            for rank in found.ranks().iter() {
                self.verify(cx, rank);
            }
        } else if self.found.nnodes() >= RANKS_WITH_JOBS {
            let set = self.found.clone();
            let method = "dynamic-discovery".to_owned();
            self.define(cx, Inventory { set, method });
        }
    }

    fn verify_all(&mut self, cx: &mut Cx<Self>) {
        for rank in self.found.ranks().iter() {
            self.verify(cx, rank);
        }
    }

    /// Drains a rank that lacks what it should have.
    fn verify(&mut self, cx: &mut Cx<Self>, rank: u32) {
        if self.settings.noverify || self.drains.ranks().contains(rank) {
            return;
        }
        let Some(reason) = inventory::missing(&self.set(), rank, &self.found) else {
            return;
        };
        tracing::error!("draining: {reason}");
        let (ranks, mode) = (IdSet::from(rank), crate::drains::Mode::Update);
        let event = self
            .drains
            .drain(ranks, &self.excluded, Some(reason), mode, &self.names);
        if let Ok(Some(event)) = event {
            self.post(cx, "drain", &event, None);
        }
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
        self.drains.apply(&entry, &self.names);
        if is_stored(name) {
            self.store.append(&entry, waiter);
        }
        let defined = self
            .inventory
            .as_ref()
            .filter(|_| name == "resource-define");
        self.journal
            .post(cx, entry, defined.map(|inventory| &inventory.set));
    }

    /// Logs that ranks came and went, and tells whom it concerns.
    pub(crate) fn ranks_changed(&mut self, cx: &mut Cx<Self>, change: &Change) {
        if !change.online.is_empty() {
            self.post(cx, "online", &json!({ "idset": change.online }), None);
        }
        if !change.offline.is_empty() {
            self.post(cx, "offline", &json!({ "idset": change.offline }), None);
        }
        self.monitor.answer_waiting(cx);
        self.tell_scheduler(cx);
    }

    /// A scheduler wants the resources.
    pub(crate) fn acquire(&mut self, cx: &mut Cx<Self>, stream: Stream<Acquire>) {
        if self.scheduler.is_some() {
            return stream.end(cx, Err(AcquireError::Busy.refusal()));
        }
        self.scheduler = Some(Scheduler { stream, told: None });
        self.tell_scheduler(cx);
    }

    /// Sends the scheduler what it does not know yet.
    pub(crate) fn tell_scheduler(&mut self, cx: &mut Cx<Self>) {
        let Some(inventory) = &self.inventory else {
            return;
        };
        let now = Told {
            up: self.up(),
            expiration: inventory.set.expiration(),
        };
        let Some(scheduler) = &mut self.scheduler else {
            return;
        };
        let mut message = Acquired::default();
        match &scheduler.told {
            Some(told) if *told == now => return,
            Some(told) => {
                let set = |ids: IdSet| (!ids.is_empty()).then_some(ids);
                message.up = set(now.up.difference(&told.up));
                message.down = set(told.up.difference(&now.up));
                message.expiration = (told.expiration != now.expiration).then_some(now.expiration);
            }
            None => {
                let mut usable = inventory.set.clone();
                usable.remove_ranks(&self.excluded);
                message.resources = Some(usable);
                message.up = Some(now.up.clone());
            }
        }
        scheduler.told = Some(now);
        scheduler.stream.send(cx, &message);
    }

    /// A new configuration: only what is excluded changes while we run.
    pub(crate) fn adopt(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let settings = Settings::new(&args, conf, hostname(cx))?;
        if self.inventory.is_some() {
            self.excluded = self.excluded_by(&settings.exclude)?;
            self.tell_scheduler(cx);
        }
        self.settings = settings;
        Ok(())
    }
}

/// Whether a restart needs events of this name (protocol/13 section 4).
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
