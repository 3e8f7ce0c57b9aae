//! State of the module.

use std::collections::BTreeMap;

use job_fold::Folder;
use node::{Cx, Reply, Stream, StreamId};
use proto::config::keys;
use proto::job_list::{JobStats, JobStatsReply, ListId};
use proto::{Object, Payload as _, Refusal};

use crate::followers::Followers;
use crate::journal::Feed;
use crate::limits::{COMPARISONS, CONSTRAINT_RANKS, STATS_PERIOD};
use crate::query::Instance;
use crate::table::Table;
use crate::waits::Waits;

/// Continuation once the history is known.
pub type Deferred = Box<dyn FnOnce(&mut JobList, &mut Cx<JobList>)>;

/// State of the module.
pub struct JobList {
    pub(crate) settings: Settings,
    pub(crate) table: Table,
    pub(crate) folder: Folder,
    pub(crate) feed: Feed,
    pub(crate) waits: Waits,
    pub(crate) followers: Followers,
    pub(crate) deferred: Vec<Deferred>,
    watchers: BTreeMap<StreamId, Stream<JobStats>>,
    /// A snapshot is due: the watchers have had one not long ago.
    is_snapshot_due: bool,
}

/// Settings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Comparisons that one `list` may make, `None` for any number.
    pub comparisons: Option<u64>,
    /// The module ends when the journal does, and does not ask the next job manager.
    pub ends_with_journal: bool,
    /// Names of queues.
    pub queues: Vec<String>,
    /// Context for reading constraints.
    pub instance: Instance,
}

impl Settings {
    /// Reads a configuration, for an instance of `size` ranks.
    pub fn new(conf: &Object, size: usize) -> Result<Settings, Refusal> {
        let comparisons = keys::JOB_LIST_MAX_COMPARISONS.read(conf)?;
        let comparisons = comparisons.unwrap_or(COMPARISONS);
        let mut children: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, parent) in keys::QUEUES_PARENT.each(conf) {
            if let Some(parent) = parent.as_str() {
                children
                    .entry(parent.into())
                    .or_default()
                    .push(name.to_owned());
            }
        }
        let journal_end: Option<String> = keys::JOB_LIST_JOURNAL_END.read(conf)?;
        let queues = keys::QUEUES.each(conf).map(|(name, _)| name.to_owned());
        Ok(Settings {
            comparisons: (comparisons > 0).then_some(comparisons),
            ends_with_journal: journal_end.as_deref() == Some("exit"),
            queues: queues.collect(),
            instance: Instance {
                ranks_max: size.max(CONSTRAINT_RANKS),
                children,
            },
        })
    }
}

impl JobList {
    pub(crate) fn new(settings: Settings) -> JobList {
        JobList {
            settings,
            table: Table::default(),
            folder: Folder::default(),
            feed: Feed::default(),
            waits: Waits::default(),
            followers: Followers::default(),
            deferred: Vec::new(),
            watchers: BTreeMap::new(),
            is_snapshot_due: false,
        }
    }

    /// Jobs by state, result and queue.
    pub(crate) fn snapshot(&self) -> JobStatsReply {
        match self.feed.before() {
            Some(before) => before.clone(),
            None => self.table.counts.snapshot(self.settings.queues.iter()),
        }
    }

    /// A client wants a snapshot after every change.
    pub(crate) fn watch_stats(&mut self, cx: &mut Cx<Self>, mut stream: Stream<JobStats>) {
        stream.send(cx, &self.snapshot());
        if stream.is_streaming() {
            self.watchers.insert(stream.id(), stream);
        }
    }

    /// Number of clients that do.
    pub(crate) fn n_watchers(&self) -> usize {
        self.watchers.len()
    }

    /// Drops a stream that has ended.
    pub(crate) fn closed(&mut self, stream: StreamId) {
        if let Some(watcher) = self.watchers.remove(&stream) {
            watcher.forget();
        }
        self.waits.closed(stream);
        self.followers.closed(stream);
    }

    /// Sends changes to watchers, together and not too often.
    pub(crate) fn snapshot_soon(&mut self, cx: &mut Cx<Self>) {
        if !self.table.counts.changed || self.watchers.is_empty() || self.is_snapshot_due {
            return;
        }
        self.is_snapshot_due = true;
        cx.timer(STATS_PERIOD, |core: &mut JobList, cx| {
            core.is_snapshot_due = false;
            if core.feed.before().is_some() {
                // Nothing is new until all of the history is known again.
                return;
            }
            core.table.counts.changed = false;
            let payload = core.snapshot().encode();
            for watcher in core.watchers.values_mut() {
                watcher.send_bytes(cx, payload.clone());
            }
        });
    }
}

/// The one right to answer a `list-id` that waits.
pub type IdReply = Reply<ListId>;
