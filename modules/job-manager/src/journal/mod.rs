//! The journal (protocol/11 section 12): every event of every job, to all who listen.
//!
//! A listener gets the past first: inactive jobs (if it wants them), active jobs, a mark.
//! It is sent in slices between other work. Later events of a job whose record is still
//! to come will be in that record; everything else waits until the mark is sent. So each
//! listener sees each event once and in order.
//!
//! A listener that asks for a number, a user or a window follows in another way (`consumers.rs`):
//! it is sent stored events, from the jobs themselves, as fast as it accepts them. `ring.rs` has
//! the order of the newest events, `gather.rs` reads those from before a restart, `numbered.rs` is
//! one such stream, `lines.rs` has the messages. `past.rs` is how far a plain listener has come in
//! the past; one that asks for it gets rows in place of inactive jobs' records.

mod consumers;
mod gather;
mod lines;
mod numbered;
mod past;
mod ring;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use node::{Cx, Peer, Stream, StreamId};
use proto::data::{Entry, JobId};
use proto::job_manager::{EventsJournal, JournalError};
use proto::{Coded, Payload};

use crate::JobManager;
use crate::job::{Job, live_record, name_of};
use crate::limits::{HISTORY_WAITING_MAX, LISTENERS_MAX};
use consumers::Consumers;
use past::{Past, PastStep};

/// The shortest wait that lets other work have its turn.
pub const NEXT_TURN: Duration = Duration::from_micros(1);

/// Everyone who listens.
#[derive(Default)]
pub struct Journal {
    listeners: BTreeMap<StreamId, Listener>,
    /// Counts events and requests: the order of "before" and "after".
    count: u64,
    events: u64,
    is_slicing: bool,
    /// Consumers that follow by number.
    numbered: Consumers,
}

/// Events that a listener wants.
pub struct Filter {
    allow: Option<BTreeSet<String>>,
    deny: Option<BTreeSet<String>>,
}

impl Filter {
    fn passes(&self, name: &str) -> bool {
        let is_allowed = self.allow.as_ref().is_none_or(|names| names.contains(name));
        let is_denied = self.deny.as_ref().is_some_and(|names| names.contains(name));
        is_allowed && !is_denied
    }

    fn is_open(&self) -> bool {
        self.allow.is_none() && self.deny.is_none()
    }

    /// The lines of a log that it lets through.
    fn kept<'a>(&self, lines: &'a str) -> Cow<'a, str> {
        if self.is_open() {
            return Cow::Borrowed(lines);
        }
        let all = lines.split_inclusive('\n');
        let kept = all.filter(|line| self.passes(&name_of(line)));
        Cow::Owned(kept.collect())
    }
}

struct Listener {
    stream: Stream<EventsJournal>,
    filter: Filter,
    /// While the past is not complete.
    past: Option<Past>,
    /// Live records that wait for the end of the past.
    waiting: VecDeque<Bytes>,
}

impl Journal {
    /// Current position in the order of all messages.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Open streams.
    pub fn n_listeners(&self) -> usize {
        self.listeners.len() + self.numbered.len()
    }

    /// Begins after the events that were read at the start: the number of the last event,
    /// and the greatest one of a job that was purged.
    pub fn begin(&mut self, last: f64, purged: f64) {
        self.numbered.ring.begin(last, purged);
    }

    /// The greatest number of a job that was purged, if any was.
    pub fn purged(&self) -> Option<f64> {
        let purged = self.numbered.ring.purged();
        (purged > 0.0).then_some(purged)
    }

    /// Takes note of an event that will be stored with this commit.
    pub fn note(&mut self, job: &Job, entry: &Entry, line: &str, commit: u64) {
        self.numbered.note(job, entry, line, commit);
    }

    /// A job that was noted before it was accepted will be stored with this commit.
    pub fn accepted(&mut self, id: JobId, commit: u64) {
        self.numbered.accepted(id, commit);
    }

    /// True if a listener is still sent the past.
    pub fn tells_past(&self) -> bool {
        self.listeners.values().any(|it| it.past.is_some())
    }

    /// Events sent so far.
    pub fn n_events(&self) -> u64 {
        self.events
    }

    /// Begins the count of events again.
    pub fn clear_stats(&mut self) {
        self.events = 0;
    }

    /// Sends everyone an event of a job.
    pub fn notify(
        &mut self,
        cx: &mut Cx<JobManager>,
        job: &Job,
        name: &str,
        line: &str,
        is_stored: bool,
    ) {
        self.count += 1;
        self.events += 1;
        // Encoded once, for the first who wants it.
        let mut record = None;
        let mut encode = || {
            let jobspec = (name == "submit").then(|| job.jobspec());
            let r = if name == "alloc" {
                job.r.as_deref()
            } else {
                None
            };
            live_record(job.id, line, jobspec.as_deref(), r)
        };
        let mut full = Vec::new();
        for (stream, listener) in &mut self.listeners {
            if !listener.filter.passes(name) {
                continue;
            }
            match &listener.past {
                Some(past) if is_stored && past.covers(job.id, job.since) => {}
                Some(_) if listener.waiting.len() >= HISTORY_WAITING_MAX => full.push(*stream),
                Some(_) => {
                    let record = record.get_or_insert_with(&mut encode).clone();
                    listener.waiting.push_back(record);
                }
                None => {
                    let record = record.get_or_insert_with(&mut encode).clone();
                    listener.stream.send_bytes(cx, record);
                }
            }
        }
        for stream in full {
            if let Some(listener) = self.listeners.remove(&stream) {
                listener
                    .stream
                    .end(cx, Err(JournalError::TooMany.refusal()));
            }
        }
    }

    /// A stream was ended by its client.
    pub fn closed(&mut self, stream: StreamId) {
        if let Some(listener) = self.listeners.remove(&stream) {
            listener.stream.forget();
        }
        self.numbered.closed(stream);
    }

    /// Ends all streams.
    pub fn end(&mut self, cx: &mut Cx<JobManager>) {
        for (_, listener) in std::mem::take(&mut self.listeners) {
            listener.stream.end(cx, Ok(()));
        }
        self.numbered.end(cx);
    }
}

impl JobManager {
    /// Adds a listener and begins to send it the past.
    pub(crate) fn listen(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        mut request: EventsJournal,
        stream: Stream<EventsJournal>,
    ) {
        if self.journal.n_listeners() >= LISTENERS_MAX {
            return stream.end(cx, Err(JournalError::TooMany.refusal()));
        }
        let names = |names: Option<BTreeMap<_, _>>| Some(names?.into_keys().collect());
        let filter = Filter {
            allow: names(request.allow.take()),
            deny: names(request.deny.take()),
        };
        let is_numbered =
            request.since.is_some() || request.userid.is_some() || request.window.is_some();
        if is_numbered && !request.is_packed() || !peer.is_owner() {
            return self.listen_numbered(cx, peer, &request, filter, stream);
        }
        let is_full = request.full.unwrap_or(false);
        let n_inactive = if is_full { self.jobs.n_inactive() } else { 0 };
        let n_jobs = self.jobs.n_active() + n_inactive;
        tracing::debug!("begin sending journal backlog: {n_jobs} jobs");
        self.journal.count += 1;
        let past = Past::new(self.journal.count, &request);
        let listener = Listener {
            stream,
            filter,
            past: Some(past),
            waiting: VecDeque::new(),
        };
        self.journal
            .listeners
            .insert(listener.stream.id(), listener);
        self.send_past(cx);
    }

    /// Sends every listener that is not in the present yet its next slice of the past.
    pub(crate) fn send_past(&mut self, cx: &mut Cx<Self>) {
        let (mut is_more, mut needed) = (false, None);
        for listener in self.journal.listeners.values_mut() {
            let Some(past) = &mut listener.past else {
                continue;
            };
            let folder = &mut self.folder;
            let filter = &listener.filter;
            match past.slice(&mut listener.stream, filter, &self.jobs, folder, cx) {
                PastStep::All => {}
                PastStep::More => {
                    is_more = true;
                    continue;
                }
                PastStep::Needs(id) => {
                    needed = Some(id);
                    continue;
                }
            }
            listener.stream.send_bytes(cx, past.mark().encode());
            for record in std::mem::take(&mut listener.waiting) {
                listener.stream.send_bytes(cx, record);
            }
            listener.past = None;
            tracing::debug!("finished sending journal backlog");
        }
        if is_more && !self.journal.is_slicing {
            self.journal.is_slicing = true;
            cx.timer(NEXT_TURN, |core, cx| {
                core.journal.is_slicing = false;
                core.send_past(cx);
            });
        }
        if let Some(id) = needed {
            self.want_row(cx, id, None);
        }
    }
}
