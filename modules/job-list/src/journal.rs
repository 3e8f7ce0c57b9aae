//! The journal of the job manager: the one source of all that is listed (protocol/12 section 1).
//!
//! Inactive jobs come as packed rows, many in a message, and are kept as they are; of the
//! others events come. History is sorted once, at the sentinel.
//!
//! The stream ends when the job manager goes. Its successor is asked only for jobs that may differ:
//! the only change to an inactive job is to be purged, so jobs that ended some time ago are not
//! sent again when both sides have the same number of them. Recent ends may have been announced and
//! not stored. Requests that come while the history is read wait for it; while there is no job
//! manager at all, they are answered from memory.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use job_fold::{Record, RecordId, job_of};
use node::{CallId, Cx, TimerId};
use proto::data::job::rows;
use proto::job_list::JobStatsReply;
use proto::job_manager::{EVENTS_JOURNAL_CANCEL, EventsJournal, JobPurgeInactive};
use proto::{Errno, Method as _, Payload as _, Refusal};
use wire::Message;

use crate::core::JobList;
use crate::groups::Ended;
use crate::limits::{PAUSED_RECORDS_MAX, RETRY, RETRY_MAX, UNSETTLED_S};

/// Position in the journal.
#[derive(Debug, Default)]
pub struct Feed {
    /// Requests are answered.
    is_initialized: bool,
    /// The table has all jobs, as of now or as of when the job manager went.
    is_whole: bool,
    /// Counts from before the history had to be requested again.
    before: Option<JobStatsReply>,
    /// Records that are not applied while a test looks on.
    paused: Option<VecDeque<Bytes>>,
    /// The last request; responses to an older one are dropped.
    call: Option<CallId>,
    /// Something has come of it.
    is_heard: bool,
    /// A job manager has answered, now or before.
    has_begun: bool,
    /// Jobs that ended by this time are not sent, if they are as many as are known.
    known_by: Option<f64>,
    /// Number of them.
    known: u64,
    /// Last delay, while there is no job manager.
    retry: Option<Duration>,
    /// Runs until the next one is asked.
    wait: Option<TimerId>,
}

impl Feed {
    /// True if all of the history is known.
    pub fn is_initialized(&self) -> bool {
        self.is_initialized
    }

    /// Last counts, while the history is read again.
    pub fn before(&self) -> Option<&JobStatsReply> {
        self.before.as_ref()
    }
}

/// Asks for everything that is not known.
pub fn follow(core: &mut JobList, cx: &mut Cx<JobList>) {
    let request = EventsJournal {
        full: Some(true),
        packed: Some(true),
        since: core.feed.known_by,
        ..EventsJournal::default()
    };
    let mut message = Message::request(EventsJournal::TOPIC, 0);
    message.set_payload(request.encode());
    let call = cx.stream_raw(message, |core: &mut JobList, cx, result| match result {
        Ok(response) => {
            core.heard();
            let payload = response.payload().cloned().unwrap_or_default();
            core.take(cx, payload);
        }
        Err(refusal) => core.journal_ended(cx, &refusal),
    });
    core.feed.call = Some(call);
    core.feed.is_heard = false;
}

impl JobList {
    /// A record has come.
    fn take(&mut self, cx: &mut Cx<Self>, payload: Bytes) {
        if let Some(paused) = &mut self.feed.paused {
            paused.push_back(payload);
            if paused.len() > PAUSED_RECORDS_MAX {
                tracing::error!("too many records during a pause: resuming");
                self.unpause(cx);
            }
            return;
        }
        self.apply(cx, &payload);
    }

    /// The job manager answers: jobs not known to be the same are sent from the beginning.
    fn heard(&mut self) {
        if std::mem::replace(&mut self.feed.is_heard, true) {
            return;
        }
        if self.feed.is_whole {
            self.feed.before = Some(self.snapshot());
        }
        self.feed.known = self.table.keep_ended_by(self.feed.known_by);
        self.feed.paused = None;
        self.feed.retry = None;
        self.feed.has_begun = true;
        (self.feed.is_whole, self.feed.is_initialized) = (false, false);
    }

    fn apply(&mut self, cx: &mut Cx<Self>, payload: &Bytes) {
        if let Some(rows) = rows(payload) {
            for row in rows {
                match job_of(&mut self.folder.parts, row) {
                    Some(job) => self.table.add_ended(job),
                    None => tracing::error!("journal: malformed row"),
                }
            }
            return;
        }
        let record = match Record::decode(payload) {
            Ok(record) => record,
            Err(error) => return tracing::error!("journal: malformed record: {error}"),
        };
        match record.id {
            RecordId::Sentinel => self.sentinel(cx, record.left_out),
            RecordId::Job(id) => {
                self.apply_record(cx, id, &record);
                if self.feed.is_initialized {
                    self.look_at_waits(cx, id);
                    self.snapshot_soon(cx);
                }
            }
        }
    }

    /// The history is complete, unless jobs that were left out are not those that are known.
    fn sentinel(&mut self, cx: &mut Cx<Self>, left_out: Option<u64>) {
        if self.feed.is_whole {
            return;
        }
        if left_out.unwrap_or_default() != self.feed.known {
            tracing::info!("journal: reading all of the history again");
            self.feed.known_by = None;
            if let Some(call) = self.feed.call.take() {
                cx.cancel_call(call, EVENTS_JOURNAL_CANCEL);
                cx.forget_call(call);
            }
            return follow(self, cx);
        }
        self.initialize(cx);
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
        let is_followed = !self.followers.is_empty() && self.feed.is_initialized;
        let mut changed = None;
        self.table.change(id, |job| {
            let before = is_followed.then(|| job.clone());
            folder.apply_record(job, record);
            let before = before.filter(|before| before != job);
            changed = before.map(|before| (before.state, before.result));
        });
        if let Some(before) = changed {
            self.followers.note(id, before);
            self.serve_followers(cx);
        }
    }

    /// The history is complete: sort it, and answer those who have waited for that.
    fn initialize(&mut self, cx: &mut Cx<Self>) {
        self.table.sort();
        self.feed.is_whole = true;
        self.feed.before = None;
        tracing::debug!("journal: the history is complete");
        self.answer_deferred(cx);
        for id in self.waits.ids() {
            self.look_at_waits(cx, id);
        }
        self.look_for_unknown(cx);
        self.followers.forget();
        self.serve_followers(cx);
        self.table.counts.changed = true;
        self.snapshot_soon(cx);
    }

    fn answer_deferred(&mut self, cx: &mut Cx<Self>) {
        self.feed.is_initialized = true;
        for deferred in std::mem::take(&mut self.deferred) {
            deferred(self, cx);
        }
    }

    fn journal_ended(&mut self, cx: &mut Cx<Self>, refusal: &Refusal) {
        let is_away = refusal.errno == Errno::ENOSYS && self.feed.has_begun;
        if self.feed.is_whole {
            let last = self.table.newest(|_| true, Ended::LAST).next();
            let settled = last.map(|job| job.times.inactive - UNSETTLED_S);
            self.feed.known_by = settled.filter(|time| *time > 0.0);
        } else {
            self.feed.known_by = None;
        }
        if refusal.is_end() && self.settings.ends_with_journal {
            tracing::debug!("journal: EOF (exiting)");
            cx.exit(Ok(()));
        } else if refusal.errno == Errno::EHOSTUNREACH {
            // The job manager died. Its successor's history is all that counts; a client that
            // asks meanwhile waits for it.
            tracing::info!("journal: lost the job manager, waiting for its successor");
            self.feed.is_initialized = false;
            follow(self, cx);
        } else if refusal.is_end() || is_away {
            // There is none, and nothing happens to jobs.
            if refusal.is_end() {
                tracing::debug!("journal: EOF (waiting for the next job manager)");
            }
            if self.feed.is_whole && !self.feed.is_initialized {
                self.answer_deferred(cx);
            }
            let waited = self.feed.retry;
            let retry = waited.map_or(RETRY, |waited| RETRY_MAX.min(2 * waited));
            self.feed.retry = Some(retry);
            let wait = cx.timer(retry, |core: &mut JobList, cx| {
                core.feed.wait = None;
                follow(core, cx);
            });
            self.feed.wait = Some(wait);
        } else {
            let text = format!("job-manager.events-journal: {refusal}");
            cx.exit(Err(Refusal::new(refusal.errno, text)));
        }
    }

    /// A job manager is there: followers are to receive its data.
    pub(crate) fn manager_is_there(&mut self, cx: &mut Cx<Self>) {
        if let Some(wait) = self.feed.wait.take() {
            cx.cancel_timer(wait);
            follow(self, cx);
        }
    }

    /// Removes purged jobs.
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

    /// Applies the events that were kept.
    pub(crate) fn unpause(&mut self, cx: &mut Cx<Self>) {
        for payload in self.feed.paused.take().into_iter().flatten() {
            self.apply(cx, &payload);
        }
    }
}
