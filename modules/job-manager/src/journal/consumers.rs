//! All numbered streams: taking them in, and giving each its slice in turn.

use std::collections::BTreeMap;
use std::rc::Rc;

use node::{Cx, Peer, Stream, StreamId};
use proto::data::{Entry, JobId};
use proto::job_manager::{EventsJournal, EventsJournalTaken, JournalError};

use super::gather::Gather;
use super::numbered::{Numbered, Slice};
use super::ring::{Event, Ring};
use super::{Filter, NEXT_TURN};
use crate::JobManager;
use crate::job::{ADMITTING, Job};
use crate::jobs::Slot;
use crate::limits::{GUEST_LISTENERS_MAX, HISTORY_SLICE_BYTES, LISTENERS_OF_GUEST_MAX};

/// The consumers that follow by number.
#[derive(Default)]
pub struct Consumers {
    pub ring: Ring,
    streams: BTreeMap<StreamId, Numbered>,
    before: Before,
    /// Consumer that was served last in a slice that did not suffice for all.
    last: Option<StreamId>,
    /// There is more to send, in another turn.
    is_slicing: bool,
}

/// Events from before the restart.
#[derive(Default)]
enum Before {
    /// Nobody has asked for it.
    #[default]
    Unread,
    Reading(Gather),
    Read,
}

impl Consumers {
    /// Open streams.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Takes note of an event that was posted and will be stored with this commit.
    pub fn note(&mut self, job: &Job, entry: &Entry, line: &str, commit: u64) {
        let is_first = job.is_admitting();
        if is_first && entry.name() != "validate" {
            return;
        }
        let lines: Option<Rc<str>> = (!self.streams.is_empty()).then(|| match is_first {
            true => Rc::from(&*job.log()),
            false => Rc::from(line),
        });
        self.ring.push(Event {
            number: entry.timestamp(),
            id: job.id,
            commit: if is_first { ADMITTING } else { commit },
            lines,
        });
    }

    /// A job that was noted before it was accepted will be stored with this commit.
    pub fn accepted(&mut self, id: JobId, commit: u64) {
        self.ring.accepted(id, commit);
    }

    /// A stream was ended by its client.
    pub fn closed(&mut self, stream: StreamId) {
        if let Some(consumer) = self.streams.remove(&stream) {
            consumer.stream.forget();
        }
    }

    /// Ends all streams.
    pub fn end(&mut self, cx: &mut Cx<JobManager>) {
        for (_, consumer) in std::mem::take(&mut self.streams) {
            consumer.stream.end(cx, Ok(()));
        }
    }

    /// True if one more is too many for a guest.
    fn is_full_for(&self, guest: &Peer) -> bool {
        let guests = self.streams.values().filter(|it| !it.peer.is_owner());
        let own = guests.clone().filter(|it| it.peer.userid == guest.userid);
        guests.count() >= GUEST_LISTENERS_MAX || own.count() >= LISTENERS_OF_GUEST_MAX
    }

    fn is_reading(&self) -> bool {
        matches!(self.before, Before::Reading(_))
    }

    /// The streams, those after `last` first.
    fn in_turn(&self) -> Vec<StreamId> {
        let last = self.last.map_or(0, |last| last.0 + 1);
        let after = self.streams.range(StreamId(last)..);
        let before = self.streams.range(..StreamId(last));
        after.chain(before).map(|(id, _)| *id).collect()
    }
}

impl JobManager {
    /// Adds a consumer. A guest follows his own jobs and nothing else.
    pub(crate) fn listen_numbered(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        request: &EventsJournal,
        filter: Filter,
        stream: Stream<EventsJournal>,
    ) {
        let consumers = &mut self.journal.numbered;
        let refusal = match request.userid {
            _ if peer.is_owner() => None,
            None => Some(JournalError::NotOwner),
            Some(userid) if userid != peer.userid => Some(JournalError::NotYours),
            Some(_) if consumers.is_full_for(peer) => Some(JournalError::TooMany),
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            return stream.end(cx, Err(refusal.into()));
        }
        let is_early = request
            .since
            .is_some_and(|since| since < consumers.ring.floor());
        if is_early && matches!(consumers.before, Before::Unread) && consumers.ring.room() > 0 {
            let gather = Gather::begin(&consumers.ring, &self.jobs);
            consumers.before = Before::Reading(gather);
        }
        let consumer = Numbered::new(stream, peer.clone(), request, filter);
        consumers.streams.insert(consumer.stream.id(), consumer);
    }

    /// A consumer has taken responses.
    pub(crate) fn journal_taken(&mut self, peer: &Peer, request: &EventsJournalTaken) {
        let streams = self.journal.numbered.streams.values_mut();
        let mut its = streams.filter(|it| {
            let is_its = it.peer.sender.is_some() && it.peer.sender == peer.sender;
            is_its && it.peer.matchtag == request.matchtag && peer.may_act_for(it.peer.userid)
        });
        if let Some(consumer) = its.next() {
            consumer.taken(request.taken);
        }
    }

    /// Sends consumers the allowed data. Together they get one slice in a turn.
    pub(crate) fn serve_consumers(&mut self, cx: &mut Cx<Self>) {
        let consumers = &mut self.journal.numbered;
        consumers.ring.settle(self.batch.stored(), &self.jobs);
        if consumers.is_slicing || consumers.streams.is_empty() {
            return;
        }
        let mut needed = None;
        if let Before::Reading(gather) = &mut consumers.before {
            let (is_read, row) = gather.slice(&self.jobs);
            needed = row;
            if is_read
                && let Before::Reading(gather) =
                    std::mem::replace(&mut consumers.before, Before::Read)
            {
                gather.end(&mut consumers.ring);
            }
        }
        let mut is_more = consumers.is_reading();
        let turn = consumers.in_turn();
        let mut slice = Slice {
            ring: &consumers.ring,
            jobs: &self.jobs,
            is_gathering: is_more,
            bytes: HISTORY_SLICE_BYTES,
            log: None,
            needed,
        };
        for id in turn {
            if let Some(consumer) = consumers.streams.get_mut(&id)
                && consumer.serve(cx, &mut slice)
            {
                is_more = true;
                consumers.last = Some(id);
                break;
            }
        }
        let needed = slice.needed;
        // A listener that waits for a row goes on when it is available.
        if is_more && needed.is_none() {
            consumers.is_slicing = true;
            // They are served after a turn.
            cx.timer(NEXT_TURN, |core, _| {
                core.journal.numbered.is_slicing = false
            });
        }
        if let Some(id) = needed {
            self.want_row(cx, id, None);
        }
    }

    /// A job that ended at this time is forgotten: its history can be sent to nobody.
    /// Returns true if that is news.
    pub(crate) fn journal_forgets(&mut self, id: JobId) -> bool {
        let ring = &mut self.journal.numbered.ring;
        let before = ring.purged();
        if let Some(t_clean) = self.jobs.get(id).and_then(Slot::t_clean) {
            ring.purge(t_clean);
        }
        ring.purged() > before
    }
}
