//! State of the module: its entries, and the event that tasks wait for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::tz::TimeZone;
use node::Cx;
use proto::cron::{CreateError, DeleteError, SwitchError, Synced};

use crate::config::Settings;
use crate::entry::Entry;
use crate::limits::ENTRIES_MAX;
use crate::rule::Rule;

/// Entries by their number, and the tasks and timers that they wait for.
#[derive(Debug)]
pub struct Cron {
    pub(crate) entries: BTreeMap<u64, Entry>,
    /// Entries that were deleted while a task of theirs ran, until it has ended.
    pub(crate) leaving: BTreeMap<u64, Entry>,
    last_id: u64,
    /// Entries whose task waits for the event, in the order in which they became due.
    pub(crate) deferred: VecDeque<u64>,
    pub(crate) sync: Sync,
    /// Asked for when it is needed first: it is in a file.
    zone: Option<TimeZone>,
}

/// For which event a task that is due waits.
#[derive(Debug)]
pub(crate) struct Sync {
    pub topic: Option<String>,
    /// Time after such an event during which a task need not wait.
    pub epsilon: Duration,
    /// Time of the last event.
    pub last: Option<Duration>,
}

impl Cron {
    /// The worker of a module that means times in UTC, for those who play one.
    pub fn utc() -> TimeZone {
        TimeZone::UTC
    }

    pub(crate) fn new(cx: &mut Cx<Self>, settings: Settings) -> Cron {
        if let Some(topic) = &settings.sync {
            cx.subscribe(topic);
        }
        Cron {
            entries: BTreeMap::new(),
            leaving: BTreeMap::new(),
            last_id: 0,
            deferred: VecDeque::new(),
            sync: Sync {
                topic: settings.sync,
                epsilon: settings.epsilon,
                last: None,
            },
            zone: None,
        }
    }

    /// The zone in which times are meant, once it is known.
    pub(crate) fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }

    /// Sets the time zone.
    pub(crate) fn set_zone(&mut self, zone: TimeZone) {
        self.zone.get_or_insert(zone);
    }

    /// Takes a new entry in and starts it.
    pub(crate) fn add(
        &mut self,
        cx: &mut Cx<Self>,
        mut entry: Entry,
    ) -> Result<proto::cron::Entry, CreateError> {
        if self.entries.len() + self.leaving.len() >= ENTRIES_MAX {
            return Err(CreateError::TooMany);
        }
        let id = self.last_id + 1;
        entry.id = id;
        entry.stats.ctime = cx.now().wall;
        entry.stats.starttime = cx.now().wall;
        self.entries.insert(id, entry);
        if !self.arm(cx, id, true) {
            self.entries.remove(&id);
            return Err(CreateError::Past);
        }
        self.last_id = id;
        self.entries
            .get(&id)
            .map(Entry::data)
            .ok_or(CreateError::Past)
    }

    /// Removes an entry and returns it.
    pub(crate) fn delete(
        &mut self,
        cx: &mut Cx<Self>,
        id: u64,
        kill: bool,
    ) -> Result<proto::cron::Entry, DeleteError> {
        let was = self.entries.get(&id).ok_or(DeleteError::NotFound)?.data();
        self.disarm(cx, id);
        self.deferred.retain(|deferred| *deferred != id);
        if let Some(entry) = self.entries.remove(&id)
            && entry.runs()
        {
            self.leaving.insert(id, entry);
            if kill {
                self.end_task(cx, id);
            }
        }
        Ok(was)
    }

    /// Stops an entry.
    pub(crate) fn stop(
        &mut self,
        cx: &mut Cx<Self>,
        id: u64,
    ) -> Result<proto::cron::Entry, SwitchError> {
        let entry = self.entries.get(&id).ok_or(SwitchError::NotFound)?;
        if entry.stopped {
            return Err(SwitchError::AlreadySo);
        }
        self.disarm(cx, id);
        self.shown(id)
    }

    /// Starts an entry that is stopped: it counts from 0 again.
    pub(crate) fn start(
        &mut self,
        cx: &mut Cx<Self>,
        id: u64,
    ) -> Result<proto::cron::Entry, SwitchError> {
        let entry = self.entries.get_mut(&id).ok_or(SwitchError::NotFound)?;
        if !entry.stopped {
            return Err(SwitchError::AlreadySo);
        }
        entry.stopped = false;
        if !self.arm(cx, id, true) {
            self.disarm(cx, id);
            return Err(SwitchError::Past);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stats.starttime = cx.now().wall;
            entry.stats.count = 0;
            entry.stats.failcount = 0;
        }
        self.shown(id)
    }

    fn shown(&self, id: u64) -> Result<proto::cron::Entry, SwitchError> {
        let entry = self.entries.get(&id).ok_or(SwitchError::NotFound)?;
        Ok(entry.data())
    }

    /// Waits for events of this topic, or for none, from now on.
    pub(crate) fn set_sync(&mut self, cx: &mut Cx<Self>, topic: Option<String>) {
        if let Some(topic) = &topic {
            cx.subscribe(topic);
        }
        if let Some(before) = std::mem::replace(&mut self.sync.topic, topic) {
            cx.unsubscribe(&before);
        }
        self.sync.last = None;
        if self.sync.topic.is_none() {
            self.run_deferred(cx);
        }
    }

    /// For which event a task waits, as clients see it.
    pub(crate) fn synced(&self) -> Synced {
        match &self.sync.topic {
            Some(topic) => Synced::On {
                sync_event: topic.clone(),
                sync_epsilon: self.sync.epsilon.as_secs_f64(),
            },
            None => Synced::Off {
                sync_disabled: true,
            },
        }
    }

    /// An entry, also one that was deleted.
    pub(crate) fn entry_mut(&mut self, id: u64) -> Option<&mut Entry> {
        match self.entries.get_mut(&id) {
            Some(entry) => Some(entry),
            None => self.leaving.get_mut(&id),
        }
    }

    /// Walks the tables and panics on a reference that is broken.
    pub(crate) fn check(&self) {
        for id in &self.deferred {
            let entry = self.entries.get(id).expect("a waiting task has an entry");
            assert!(entry.waits(), "entry {id} does not wait");
        }
        for (id, entry) in &self.entries {
            assert!(!entry.waits() || self.deferred.contains(id), "{id} waits");
            let is_event = matches!(entry.rule, Rule::Event(_));
            assert!(
                !entry.stopped || entry.timer.is_none(),
                "{id} is stopped and has a timer"
            );
            assert!(
                entry.stopped || is_event || entry.timer.is_some(),
                "{id} never runs"
            );
        }
        assert!(self.leaving.values().all(Entry::runs));
    }
}
