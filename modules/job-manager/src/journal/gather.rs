//! Events from before a restart, read from the jobs' logs when the first consumer asks for
//! them, as far as the ring has room.

use proto::data::JobId;

use super::lines::Numbered;
use super::ring::Ring;
use crate::jobs::{Jobs, Slot};
use crate::limits::{
    HISTORY_SLICE_BYTES, HISTORY_SLICE_JOBS, JOURNAL_EVENTS_MAX, JOURNAL_JOBS_MAX,
};

/// Progress of the reading.
#[derive(Debug)]
pub struct Gather {
    /// Events up to this number are before the restart.
    until: f64,
    /// Every event with a greater number is read, in the end.
    floor: f64,
    /// Ids below were looked at.
    cursor: JobId,
    events: Vec<(f64, JobId)>,
}

impl Gather {
    /// Begins. Of inactive jobs, the last ones are read.
    pub fn begin(ring: &Ring, jobs: &Jobs) -> Gather {
        Gather {
            until: ring.floor(),
            floor: jobs.ended_before(JOURNAL_JOBS_MAX),
            cursor: JobId(0),
            events: Vec::new(),
        }
    }

    /// Reads the next slice; returns true when everything is read, and the job whose row it
    /// needs first.
    pub fn slice(&mut self, jobs: &Jobs) -> (bool, Option<JobId>) {
        let (mut bytes, mut looked) = (0, 0);
        for (id, slot) in jobs.from(self.cursor) {
            if bytes >= HISTORY_SLICE_BYTES || looked >= HISTORY_SLICE_JOBS {
                self.cursor = id;
                return (false, None);
            }
            looked += 1;
            let last = match slot {
                Slot::Active(job) => job.last,
                Slot::Inactive(packed) => packed.t_clean,
                Slot::Away(away) => away.t_clean,
            };
            if last <= self.floor {
                continue;
            }
            let Some(slot) = jobs.here(id, slot) else {
                self.cursor = id;
                return (false, Some(id));
            };
            let numbered = Numbered::of_slot(id, slot);
            bytes += numbered.log.len();
            let numbers = numbered.groups.iter().map(|(number, _)| *number);
            let meant = numbers.filter(|number| *number > self.floor && *number <= self.until);
            self.events.extend(meant.map(|number| (number, id)));
            if self.events.len() > 2 * JOURNAL_EVENTS_MAX {
                self.keep(JOURNAL_EVENTS_MAX);
            }
        }
        (true, None)
    }

    /// Forgets all but the newest events, in their order.
    fn keep(&mut self, most: usize) {
        self.events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let n_over = self.events.len().saturating_sub(most);
        if let Some((number, _)) = self.events.drain(..n_over).next_back() {
            self.floor = number;
        }
        // No half of what has the same number.
        let floor = self.floor;
        self.events.retain(|(number, _)| *number > floor);
    }

    /// Puts the events that were read into their place, if nothing has been forgotten
    /// there meanwhile.
    pub fn end(mut self, ring: &mut Ring) {
        if ring.floor() == self.until {
            self.keep(ring.room());
            ring.extend_back(self.events, self.floor);
        }
    }
}
