//! Progress of a plain listener in the past: records and rows still to be sent to it.

use bytes::Bytes;
use job_fold::Folder;
use node::{Cx, Stream};
use proto::data::JobId;
use proto::data::job::RowsWriter;
use proto::job_manager::{EventsJournal, JournalRecord};

use super::Filter;
use crate::JobManager;
use crate::job::{Packed, name_of};
use crate::jobs::{Jobs, Slot};
use crate::limits::{FOLD_BYTES, HISTORY_SLICE_BYTES, HISTORY_SLICE_JOBS};

/// Progress of a listener in the past.
pub struct Past {
    /// Jobs that came to be before this, in the journal's count, are the past.
    until: u64,
    pass: Pass,
    /// Ids below were looked at in this pass.
    cursor: JobId,
    /// Inactive jobs go as rows.
    rows: Option<Rows>,
}

/// Selection of rows to send.
struct Rows {
    /// Rows of jobs that ended later than this.
    since: f64,
    /// Number of rows left out.
    left_out: u64,
    /// Rows that go with this slice.
    writer: RowsWriter,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Jobs that were inactive when the past was asked for.
    Inactive,
    /// Jobs that were active then.
    Active,
}

/// Continuation of a listener's past after a slice.
pub enum PastStep {
    /// The past is complete.
    All,
    /// With another slice.
    More,
    /// Continue when the row of this job is available.
    Needs(JobId),
}

impl Past {
    /// Everything that came before this, in the journal's count, as the request wants it.
    pub fn new(until: u64, request: &EventsJournal) -> Past {
        let is_full = request.full.unwrap_or(false);
        let rows = Rows {
            since: request.since.unwrap_or(0.0),
            left_out: 0,
            writer: RowsWriter::default(),
        };
        Past {
            until,
            pass: if is_full {
                Pass::Inactive
            } else {
                Pass::Active
            },
            cursor: JobId(0),
            rows: request.is_packed().then_some(rows),
        }
    }

    /// The record after the past.
    pub fn mark(&self) -> JournalRecord {
        JournalRecord {
            left_out: self.rows.as_ref().map(|rows| rows.left_out),
            ..JournalRecord::mark()
        }
    }

    /// True if an event of a job that is active now will be in the job's record.
    pub fn covers(&self, id: JobId, since: u64) -> bool {
        let is_sent = self.pass == Pass::Active && id < self.cursor;
        since < self.until && !is_sent
    }

    /// The record of a job, if its turn is in this pass.
    fn record(&self, id: JobId, slot: &Slot, filter: &Filter) -> Option<Bytes> {
        let keep = |line: &str| filter.passes(&name_of(line));
        match (self.pass, slot) {
            (Pass::Inactive, Slot::Inactive(packed)) if packed.ended >= self.until => None,
            (Pass::Active, Slot::Inactive(packed)) if packed.ended < self.until => None,
            (_, Slot::Inactive(packed)) if packed.since >= self.until => None,
            (_, Slot::Inactive(packed)) => Some(match filter.is_open() {
                true => packed.record(id),
                false => packed.filtered(id, keep),
            }),
            (Pass::Active, Slot::Active(job)) if job.since < self.until => {
                Some(match filter.is_open() {
                    true => job.record(|_| true),
                    false => job.record(keep),
                })
            }
            (_, Slot::Active(_) | Slot::Away(_)) => None,
        }
    }

    /// Sends the next slice; returns the next step.
    pub fn slice(
        &mut self,
        listener: &mut Stream<EventsJournal>,
        filter: &Filter,
        jobs: &Jobs,
        folder: &mut Folder,
        cx: &mut Cx<JobManager>,
    ) -> PastStep {
        let told = self.slice_records(listener, filter, jobs, folder, cx);
        if let Some(rows) = &mut self.rows
            && !rows.writer.is_empty()
        {
            listener.send_bytes(cx, std::mem::take(&mut rows.writer).finish());
        }
        told
    }

    fn slice_records(
        &mut self,
        listener: &mut Stream<EventsJournal>,
        filter: &Filter,
        jobs: &Jobs,
        folder: &mut Folder,
        cx: &mut Cx<JobManager>,
    ) -> PastStep {
        let (mut bytes, mut looked) = (0, 0);
        loop {
            for (id, slot) in jobs.from(self.cursor) {
                if bytes >= HISTORY_SLICE_BYTES || looked >= HISTORY_SLICE_JOBS {
                    self.cursor = id;
                    return PastStep::More;
                }
                looked += 1;
                if self.leaves_out(slot) {
                    continue;
                }
                // Those who want inactive jobs had this one in the first pass.
                let is_meant = self.pass == Pass::Inactive || !matches!(slot, Slot::Away(_));
                let slot = match jobs.here(id, slot) {
                    _ if !is_meant => continue,
                    Some(slot) => slot,
                    None => {
                        self.cursor = id;
                        return PastStep::Needs(id);
                    }
                };
                if let (Pass::Inactive, Some(rows), Slot::Inactive(packed)) =
                    (self.pass, &mut self.rows, slot)
                {
                    if packed.ended < self.until {
                        bytes += rows.add(id, packed, folder);
                    }
                } else if let Some(record) = self.record(id, slot, filter) {
                    bytes += record.len();
                    listener.send_bytes(cx, record);
                }
            }
            if self.pass == Pass::Active {
                return PastStep::All;
            }
            (self.pass, self.cursor) = (Pass::Active, JobId(0));
        }
    }

    /// Counts an inactive job whose row the listener has; it is not even looked up.
    fn leaves_out(&mut self, slot: &Slot) -> bool {
        let Some(rows) = self.rows.as_mut().filter(|_| self.pass == Pass::Inactive) else {
            return false;
        };
        let is_past = match slot {
            Slot::Active(_) => false,
            Slot::Inactive(packed) => packed.ended < self.until,
            Slot::Away(_) => true,
        };
        let is_known = is_past && slot.is_over_by(rows.since);
        rows.left_out += u64::from(is_known);
        is_known
    }
}

impl Rows {
    /// Adds the row of a job; returns its weight in a slice.
    fn add(&mut self, id: JobId, packed: &Packed, folder: &mut Folder) -> usize {
        let is_made = packed.is_listed();
        let Some(row) = packed.listed(id, folder) else {
            return 0;
        };
        self.writer.push(row);
        row.len() + if is_made { 0 } else { FOLD_BYTES }
    }
}
