//! The newest events of all jobs in the order of their numbers: where each numbered stream has
//! its place. An event is here by number and job; its text is in the job's log, and for the
//! very newest here too.

use std::collections::VecDeque;
use std::rc::Rc;

use proto::data::JobId;

use crate::job::ADMITTING;
use crate::jobs::Jobs;
use crate::limits::{JOURNAL_EVENTS_MAX, JOURNAL_TEXT_BYTES_MAX};

/// One event, or all of a job up to `validate`.
#[derive(Debug)]
pub struct Event {
    /// Number.
    pub number: f64,
    /// Of which job.
    pub id: JobId,
    /// The commit that stores it; [`ADMITTING`] while that is not known.
    pub commit: u64,
    /// Lines, for a while.
    pub lines: Option<Rc<str>>,
}

/// The events. A place is the number of entries before it, and does not change.
#[derive(Debug)]
pub struct Ring {
    events: VecDeque<Event>,
    /// The place of the first.
    first: u64,
    /// The place of the first that is not stored.
    stored: u64,
    /// Every event with a greater number is here.
    floor: f64,
    /// The number of the last event before the start.
    begun: f64,
    /// The greatest number of a job that was purged.
    purged: f64,
    /// Bytes of all lines, which are those from this place on.
    text_bytes: usize,
    text_from: u64,
}

impl Default for Ring {
    fn default() -> Ring {
        // There is room for what happened before.
        let first = JOURNAL_EVENTS_MAX as u64;
        Ring {
            events: VecDeque::new(),
            first,
            stored: first,
            floor: 0.0,
            begun: 0.0,
            purged: 0.0,
            text_bytes: 0,
            text_from: first,
        }
    }
}

impl Ring {
    /// Begins after the events that were read at the start.
    pub fn begin(&mut self, last: f64, purged: f64) {
        self.purged = self.purged.max(purged);
        self.begun = last.max(self.purged);
        self.floor = self.begun;
    }

    /// Adds an event. Only the newest are kept.
    pub fn push(&mut self, event: Event) {
        self.text_bytes += bytes_of(&event);
        self.events.push_back(event);
        if self.events.len() > JOURNAL_EVENTS_MAX
            && let Some(oldest) = self.events.pop_front()
        {
            self.text_bytes -= bytes_of(&oldest);
            self.first += 1;
            self.floor = oldest.number;
        }
        self.text_from = self.text_from.max(self.first);
        while self.text_bytes > JOURNAL_TEXT_BYTES_MAX
            && let Some(event) = self.events.get_mut((self.text_from - self.first) as usize)
        {
            self.text_bytes -= bytes_of(event);
            event.lines = None;
            self.text_from += 1;
        }
    }

    /// A job whose first event is here is accepted: it will be stored with this commit.
    pub fn accepted(&mut self, id: JobId, commit: u64) {
        let mut latest = self.events.iter_mut().rev();
        if let Some(event) = latest.find(|it| it.id == id && it.commit == ADMITTING) {
            event.commit = commit;
        }
    }

    /// Adds earlier events; from now on every event greater than `floor` is here.
    pub fn extend_back(&mut self, events: Vec<(f64, JobId)>, floor: f64) {
        for (number, id) in events.into_iter().rev() {
            self.first -= 1;
            let (commit, lines) = (0, None);
            self.events.push_front(Event {
                number,
                id,
                commit,
                lines,
            });
        }
        self.floor = floor;
    }

    /// Number of further events for which there is room.
    pub fn room(&self) -> usize {
        JOURNAL_EVENTS_MAX - self.events.len()
    }

    /// Takes note of which events are stored by now.
    pub fn settle(&mut self, stored: u64, jobs: &Jobs) {
        self.stored = self.stored.max(self.first);
        while let Some(event) = self.at(self.stored) {
            let commit = match (event.commit, jobs.get(event.id)) {
                // It was not taken, and nothing of it is told.
                (ADMITTING, None) => 0,
                (commit, _) => commit,
            };
            if commit > stored {
                return;
            }
            self.stored += 1;
        }
    }

    /// A job that ended at this time is purged.
    pub fn purge(&mut self, t_clean: f64) {
        self.purged = self.purged.max(t_clean);
    }

    /// Time at which the youngest purged job ended.
    pub fn purged(&self) -> f64 {
        self.purged
    }

    /// Every event with a greater number is here.
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// The place after the last event that is stored.
    pub fn end(&self) -> u64 {
        self.stored
    }

    /// The number of the last event that is stored; `None` when no event here is stored,
    /// and those before were too much.
    pub fn last(&self) -> Option<f64> {
        let last = match self.stored.checked_sub(self.first)? {
            0 => self.floor,
            _ => self.at(self.stored - 1)?.number,
        };
        Some(last.max(self.begun))
    }

    /// The event at a place.
    pub fn at(&self, place: u64) -> Option<&Event> {
        let at = place.checked_sub(self.first)?;
        self.events.get(usize::try_from(at).ok()?)
    }

    /// True if all events after `since` are known.
    fn knows(&self, since: f64) -> bool {
        since >= self.floor && since >= self.purged
    }

    /// Where someone goes on who knows everything up to `since`, if all that came later is
    /// known, and an event with such a number may have been.
    pub fn place_after(&self, since: f64) -> Option<u64> {
        if !self.knows(since) || self.last().is_none_or(|last| since > last) {
            return None;
        }
        let at = self.events.partition_point(|event| event.number <= since);
        // Logs that others wrote may have the same time twice: which of them are known?
        let same = self.events.range(..at).rev();
        let mut same = same.take_while(|event| event.number == since);
        let first = same.next().map(|event| event.id);
        let is_one = same.all(|event| Some(event.id) == first);
        is_one.then_some(self.first + at as u64)
    }

    /// True if a consumer can go on at a position: its next events are here and are not of
    /// a purged job.
    pub fn is_known(&self, place: u64) -> bool {
        let following = self.at(place).filter(|_| place < self.stored);
        place >= self.first && following.is_none_or(|event| event.number > self.purged)
    }
}

fn bytes_of(event: &Event) -> usize {
    event.lines.as_ref().map_or(0, |lines| lines.len())
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
