//! One numbered stream: its place in the journal, and how it goes on from there. Messages
//! still to be sent are not kept for it: a consumer that does not read costs one position.

use bytes::Bytes;
use node::{Cx, Peer, Stream};
use proto::Payload as _;
use proto::data::JobId;
use proto::job_manager::{EventsJournal, JournalRecord};

use super::Filter;
use super::lines::{Numbered as Log, record_of, snapshot_of};
use super::ring::Ring;
use crate::JobManager;
use crate::jobs::Jobs;
use crate::limits::LOOK_BYTES;

/// A consumer.
pub struct Numbered {
    pub stream: Stream<EventsJournal>,
    /// Client that asked for it.
    pub peer: Peer,
    filter: Filter,
    /// Only jobs of this user.
    userid: Option<u32>,
    /// Snapshots have inactive jobs too.
    is_full: bool,
    place: Place,
    credit: Option<Credit>,
}

/// Position of a consumer.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The consumer knows everything up to this number, or nothing.
    Asks(Option<f64>),
    /// In a snapshot.
    Snapshot {
        /// Only events with numbers up to this.
        until: f64,
        /// The place where it goes on then.
        next: u64,
        /// Ids below were looked at.
        cursor: JobId,
    },
    /// At this place in the ring.
    Ring {
        next: u64,
        /// The place of the mark and its number, until it is sent.
        mark: Option<(u64, f64)>,
    },
}

/// Credit of a consumer with a window.
#[derive(Debug, Clone, Copy)]
struct Credit {
    window: u64,
    sent: u64,
    taken: u64,
}

/// Context of a slice: all streams share it.
pub struct Slice<'a> {
    pub ring: &'a Ring,
    pub jobs: &'a Jobs,
    /// True while events from before the restart are being read.
    pub is_gathering: bool,
    /// Bytes that may still be sent.
    pub bytes: usize,
    /// Logs that were looked up, the last one.
    pub log: Option<(JobId, Log)>,
    /// The job whose row is needed.
    pub needed: Option<JobId>,
}

impl Numbered {
    /// A consumer that has received nothing.
    pub fn new(
        stream: Stream<EventsJournal>,
        peer: Peer,
        request: &EventsJournal,
        filter: Filter,
    ) -> Numbered {
        Numbered {
            stream,
            peer,
            filter,
            userid: request.userid,
            is_full: request.full.unwrap_or(false),
            place: Place::Asks(request.since),
            credit: request.window.map(|window| Credit {
                window: window.into(),
                sent: 0,
                taken: 0,
            }),
        }
    }

    /// The consumer has taken N responses in all.
    pub fn taken(&mut self, taken: u64) {
        if let Some(credit) = &mut self.credit {
            // Nobody takes what was not sent, or gives back what he took.
            credit.taken = taken.clamp(credit.taken, credit.sent);
        }
    }

    /// Sends the allowed messages; returns whether there is more, for another slice.
    pub fn serve(&mut self, cx: &mut Cx<JobManager>, slice: &mut Slice<'_>) -> bool {
        while self.credit.is_none_or(|it| it.sent - it.taken < it.window) {
            if slice.bytes < LOOK_BYTES {
                return true;
            }
            slice.bytes -= LOOK_BYTES;
            let is_done = match self.place {
                Place::Asks(since) => self.begin(since, slice),
                Place::Snapshot {
                    until,
                    next,
                    cursor,
                } => self.notify_job(cx, slice, until, next, cursor),
                Place::Ring { next, mark } => self.send_event(cx, slice, next, mark),
            };
            if is_done {
                return false;
            }
        }
        false
    }

    /// Finds the place of a consumer; returns true if it has to wait for that.
    fn begin(&mut self, since: Option<f64>, slice: &Slice<'_>) -> bool {
        let is_early = since.is_some_and(|since| since < slice.ring.floor());
        if is_early && slice.is_gathering {
            return true;
        }
        match since.and_then(|since| slice.ring.place_after(since)) {
            Some(next) => {
                let mark = slice.ring.last().map(|last| (slice.ring.end(), last));
                self.place = Place::Ring { next, mark };
                false
            }
            None => self.begin_snapshot(slice),
        }
    }

    fn begin_snapshot(&mut self, slice: &Slice<'_>) -> bool {
        let Some(until) = slice.ring.last() else {
            return true;
        };
        self.place = Place::Snapshot {
            until,
            next: slice.ring.end(),
            cursor: JobId(0),
        };
        false
    }

    /// Sends the next job of a snapshot, or its mark; returns true if it waits for a row.
    fn notify_job(
        &mut self,
        cx: &mut Cx<JobManager>,
        slice: &mut Slice<'_>,
        until: f64,
        next: u64,
        cursor: JobId,
    ) -> bool {
        let following = slice.jobs.from(cursor).next();
        let Some((id, slot)) = following else {
            self.place = Place::Ring { next, mark: None };
            self.send(cx, slice, mark(until, true));
            return false;
        };
        let is_meant = self.is_full || !slot.is_over_by(until);
        let is_meant = is_meant && self.userid.is_none_or(|userid| userid == slot.userid());
        let here = slice.jobs.here(id, slot);
        if is_meant && here.is_none() {
            slice.needed = Some(id);
            return true;
        }
        match id.0.checked_add(1) {
            Some(after) => {
                let cursor = JobId(after);
                self.place = Place::Snapshot {
                    until,
                    next,
                    cursor,
                };
            }
            None => self.place = Place::Ring { next, mark: None },
        }
        if is_meant
            && let Some(slot) = here
            && let Some(record) = snapshot_of(id, slot, &self.filter, until)
        {
            self.send(cx, slice, record);
        }
        false
    }

    /// Sends the next event, or the mark; returns true if there is none for now.
    fn send_event(
        &mut self,
        cx: &mut Cx<JobManager>,
        slice: &mut Slice<'_>,
        next: u64,
        due: Option<(u64, f64)>,
    ) -> bool {
        if !slice.ring.is_known(next) {
            return self.begin_snapshot(slice);
        }
        if let Some((at, number)) = due
            && next >= at
        {
            self.place = Place::Ring { next, mark: None };
            self.send(cx, slice, mark(number, false));
            return false;
        }
        let event = slice.ring.at(next).filter(|_| next < slice.ring.end());
        let Some(event) = event else {
            return true;
        };
        let slot = slice.jobs.get(event.id);
        let here = slot.and_then(|slot| slice.jobs.here(event.id, slot));
        if slot.is_some() && here.is_none() {
            slice.needed = Some(event.id);
            return true;
        }
        self.place = Place::Ring {
            next: next + 1,
            mark: due,
        };
        let Some(slot) = here else {
            return false;
        };
        if self.userid.is_some_and(|userid| userid != slot.userid()) {
            return false;
        }
        let record = match &event.lines {
            Some(lines) => record_of(event.id, slot, lines, &self.filter, event.number),
            None => {
                if slice.log.as_ref().is_none_or(|(id, _)| *id != event.id) {
                    let log = Log::of_slot(event.id, slot);
                    slice.bytes = slice.bytes.saturating_sub(log.log.len());
                    slice.log = Some((event.id, log));
                }
                let log = slice.log.as_ref();
                let lines = log.and_then(|(_, log)| log.group(event.number));
                lines.and_then(|lines| record_of(event.id, slot, lines, &self.filter, event.number))
            }
        };
        if let Some(record) = record {
            self.send(cx, slice, record);
        }
        false
    }

    fn send(&mut self, cx: &mut Cx<JobManager>, slice: &mut Slice<'_>, record: Bytes) {
        slice.bytes = slice.bytes.saturating_sub(record.len());
        if let Some(credit) = &mut self.credit {
            credit.sent += 1;
        }
        self.stream.send_bytes(cx, record);
    }
}

/// The record after the past.
fn mark(number: f64, is_snapshot: bool) -> Bytes {
    let mark = JournalRecord {
        seq: Some(number),
        snapshot: is_snapshot.then_some(true),
        ..JournalRecord::mark()
    };
    mark.encode()
}
