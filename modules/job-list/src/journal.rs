//! The journal of the job manager: the one source of all that is listed (protocol/12
//! section 1). History is kept until the sentinel and then sorted once; when the job
//! manager was restarted everything is asked for again.

use std::collections::VecDeque;

use bytes::Bytes;
use node::Cx;
use proto::job_list::JobStatsReply;
use proto::job_manager::{EventsJournal, JobPurgeInactive};
use proto::{Errno, Method as _, Payload as _, Refusal};
use wire::Message;

use crate::core::JobList;
use crate::fold::Folder;
use crate::limits::PAUSED_RECORDS_MAX;
use crate::record::{Record, RecordId};
use crate::table::Table;

/// Where we are in the journal.
#[derive(Debug, Default)]
pub struct Feed {
    /// The sentinel has come.
    is_initialized: bool,
    /// What was counted before the history had to be asked for again.
    before: Option<JobStatsReply>,
    /// Records that are not applied while a test looks on.
    paused: Option<VecDeque<Bytes>>,
}

impl Feed {
    /// Whether all of the history is known.
    pub fn is_initialized(&self) -> bool {
        self.is_initialized
    }

    /// What was counted last, while the history is read again.
    pub fn before(&self) -> Option<&JobStatsReply> {
        self.before.as_ref()
    }
}

/// Asks for everything, from the beginning.
pub fn follow(cx: &mut Cx<JobList>) {
    let request = EventsJournal {
        full: Some(true),
        ..EventsJournal::default()
    };
    let mut message = Message::request(EventsJournal::TOPIC, 0);
    message.set_payload(request.encode());
    cx.stream_raw(message, |core: &mut JobList, cx, result| match result {
        Ok(response) => {
            let payload = response.payload().cloned().unwrap_or_default();
            core.take(cx, payload);
        }
        Err(refusal) => core.journal_ended(cx, &refusal),
    });
}

impl JobList {
    /// A record has come.
    fn take(&mut self, cx: &mut Cx<Self>, payload: Bytes) {
        if let Some(paused) = &mut self.feed.paused {
            paused.push_back(payload);
            if paused.len() > PAUSED_RECORDS_MAX {
                tracing::error!("too many records during a pause: going on");
                self.unpause(cx);
            }
            return;
        }
        self.apply(cx, &payload);
    }

    fn apply(&mut self, cx: &mut Cx<Self>, payload: &Bytes) {
        let record = match Record::decode(payload) {
            Ok(record) => record,
            Err(error) => return tracing::error!("journal: malformed record: {error}"),
        };
        match record.id {
            RecordId::Sentinel => self.initialize(cx),
            RecordId::Job(id) => {
                self.apply_record(cx, id, &record);
                if self.feed.is_initialized {
                    self.look_at_waits(cx, id);
                    self.snapshot_soon(cx);
                }
            }
        }
    }

    fn apply_record(&mut self, cx: &mut Cx<Self>, id: u64, record: &Record<'_>) {
        if self.table.get(id).is_none() {
            let first = record.events.first().map(|event| &*event.name);
            if first != Some("submit") {
                let name = first.unwrap_or("(none)");
                return tracing::error!("event {name}: job {id} not in hash");
            }
        }
        if record.events.iter().any(|event| event.name == "invalidate") {
            self.table.remove(id);
            return self.waits.refuse(cx, id);
        }
        let folder = &mut self.folder;
        // Nothing changes the jobspec of a job that is over: its text is not needed, but
        // by the updates in its own history.
        let has = |name: &str| record.events.iter().any(|event| event.name == name);
        let keep = !has("clean") || has("jobspec-update");
        self.table.change(id, |job| {
            if let Some(jobspec) = record.jobspec {
                folder.set_jobspec(job, jobspec.get(), keep);
            }
            if let Some(r) = record.r {
                folder.set_r(job, r.get());
            }
            for event in &record.events {
                folder.apply(job, event);
            }
        });
    }

    /// The history is complete: sort it, and answer those who have waited for that.
    fn initialize(&mut self, cx: &mut Cx<Self>) {
        if self.feed.is_initialized {
            return;
        }
        self.table.sort();
        self.feed.is_initialized = true;
        self.feed.before = None;
        tracing::debug!("journal: all of the history is here");
        for deferred in std::mem::take(&mut self.deferred) {
            deferred(self, cx);
        }
        for id in self.waits.ids() {
            self.look_at_waits(cx, id);
        }
        self.look_for_unknown(cx);
        self.table.counts.changed = true;
        self.snapshot_soon(cx);
    }

    fn journal_ended(&mut self, cx: &mut Cx<Self>, refusal: &Refusal) {
        if refusal.is_end() {
            tracing::debug!("journal: EOF (exiting)");
            cx.exit(Ok(()));
        } else if refusal.errno == Errno::EHOSTUNREACH {
            // The job manager died. Its successor's history is all that counts; a client that
            // asks meanwhile waits for it.
            tracing::info!("journal: lost the job manager, asking its successor");
            let before =
                (self.feed.is_initialized || self.feed.before.is_some()).then(|| self.snapshot());
            self.table = Table::after(&self.table);
            self.folder = Folder::default();
            self.feed = Feed {
                before,
                ..Feed::default()
            };
            follow(cx);
        } else {
            let text = format!("job-manager.events-journal: {refusal}");
            cx.exit(Err(Refusal::new(refusal.errno, text)));
        }
    }

    /// Jobs are gone for good.
    pub(crate) fn purge(&mut self, cx: &mut Cx<Self>, event: &JobPurgeInactive) {
        let mut n_purged = 0_u64;
        for id in &event.jobs {
            if let Some(job) = self.table.remove(id.get()) {
                self.table.counts.purged(&job);
                n_purged += 1;
            }
            self.waits.refuse(cx, id.get());
        }
        tracing::debug!("purged {n_purged} inactive jobs");
        if self.feed.is_initialized {
            self.snapshot_soon(cx);
        }
    }

    /// Records are kept and not applied from now on.
    pub(crate) fn pause(&mut self) {
        self.feed.paused.get_or_insert_default();
    }

    /// Applies what was kept.
    pub(crate) fn unpause(&mut self, cx: &mut Cx<Self>) {
        for payload in self.feed.paused.take().into_iter().flatten() {
            self.apply(cx, &payload);
        }
    }
}
