//! Rows of inactive jobs that are in the job log only (`job-manager.inactive-memory`). Those of
//! the jobs that ended first go; who needs one asks for it, and for its neighbours with
//! it: a segment of the log is read, and kept for a while.

use std::collections::{BTreeMap, VecDeque};

use node::Cx;
use proto::config::keys;
use proto::data::size::parse_size;
use proto::data::{JobId, Tree};
use proto::kvs::{Found, Lookup, PRIMARY};
use proto::{Errno, Object, Refusal};
use rustc_hash::FxHashMap;

use crate::JobManager;
use crate::batch::Deferred;
use crate::job::Packed;
use crate::joblog::{Home, Record, Row, decode, segment_key};
use crate::jobs::Slot;
use crate::journal::NEXT_TURN;
use crate::limits::{COMMIT_RETRY, ROWS_PUT_AWAY_MAX, SHELF_SEGMENTS_MAX};

/// Rows that came from the log, those of the newest segment last.
#[derive(Debug, Default)]
pub struct Shelf(VecDeque<FxHashMap<JobId, Slot>>);

impl Shelf {
    /// The job with its row, if it is here.
    pub fn get(&self, id: JobId) -> Option<&Slot> {
        self.0.iter().rev().find_map(|rows| rows.get(&id))
    }

    fn put(&mut self, rows: FxHashMap<JobId, Slot>) {
        if self.0.len() >= SHELF_SEGMENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(rows);
    }
}

/// Rows kept, and rows being fetched.
#[derive(Default)]
pub struct Rows {
    /// Bytes of rows that are kept.
    most: usize,
    /// Segments that are being read: the jobs that need them, and the steps to take then.
    loading: BTreeMap<u32, (Vec<JobId>, Vec<Deferred>)>,
}

impl Rows {
    /// Requests that wait for rows.
    pub fn n_waiting(&self) -> usize {
        self.loading
            .values()
            .map(|(_, waiting)| waiting.len())
            .sum()
    }
}

/// The bytes of rows that the configuration lets us keep.
pub fn most_bytes(conf: &Object) -> Result<usize, Refusal> {
    let key = &keys::JOB_MANAGER_INACTIVE_MEMORY;
    let text: Option<String> = key.read(conf)?;
    let bytes = parse_size(text.as_deref().unwrap_or(key.default));
    Ok(bytes.map_or(usize::MAX, |bytes| {
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }))
}

impl JobManager {
    /// Keeps this many bytes of rows from now on.
    pub(crate) fn keep_rows(&mut self, most: usize) {
        self.rows.most = most;
    }

    /// Lets go of rows that are too many, as far as the log has them.
    pub(crate) fn put_rows_away(&mut self) {
        // While a listener is sent the past, rows stay: their age tells which it was sent.
        if self.jobs.row_bytes() <= self.rows.most || self.journal.tells_past() {
            return;
        }
        for _ in 0..ROWS_PUT_AWAY_MAX {
            if self.jobs.row_bytes() <= self.rows.most {
                return;
            }
            let oldest = self.jobs.oldest_row();
            let stored = oldest.filter(|id| match self.joblog.home(*id) {
                Some(Home::Segment(segment)) => self.joblog.is_stored(segment),
                _ => false,
            });
            let Some(id) = stored else {
                return;
            };
            self.jobs.put_away(id);
        }
    }

    /// Gets the row of a job that is away, and does `then`: the row is on the shelf, or the
    /// job was purged, or the row must be asked for again.
    pub(crate) fn want_row(&mut self, cx: &mut Cx<Self>, id: JobId, then: Option<Deferred>) {
        let Some(Home::Segment(segment)) = self.joblog.home(id) else {
            return self.level_came(cx, id, then);
        };
        if !self.joblog.is_stored(segment) && !self.batch.is_idle() {
            self.batch.then(move |core, cx| core.want_row(cx, id, then));
            return;
        }
        let is_asked = self.rows.loading.contains_key(&segment);
        let (ids, deferred) = self.rows.loading.entry(segment).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        deferred.extend(then);
        if !is_asked {
            self.load(cx, segment);
        }
    }

    /// The row of a job that is away was moved from an old segment to a level, with others.
    fn level_came(&mut self, cx: &mut Cx<Self>, id: JobId, then: Option<Deferred>) {
        let rows = self.joblog.level_rows().cloned();
        let shelved = rows.filter_map(|row| self.shelved(row)).collect();
        self.shelve(&[id], shelved);
        cx.timer(NEXT_TURN, |core: &mut Self, cx| {
            if let Some(then) = then {
                then(core, cx);
            }
            core.send_past(cx);
        });
    }

    fn load(&mut self, cx: &mut Cx<Self>, segment: u32) {
        let request = Lookup::new(PRIMARY, &segment_key(segment), 0);
        cx.call(&request, move |core, cx, result| {
            core.segment_came(cx, segment, result);
        });
    }

    fn segment_came(&mut self, cx: &mut Cx<Self>, segment: u32, found: Result<Found, Refusal>) {
        let rows = match found.map(|found| found.val) {
            Ok(Tree::Val(bytes)) => decode(&bytes).map_err(|damage| damage.to_string()),
            Err(error) if error.errno == Errno::EHOSTUNREACH || error.errno == Errno::ENOSYS => {
                cx.timer(COMMIT_RETRY, move |core: &mut Self, cx| {
                    core.load(cx, segment);
                });
                return;
            }
            Ok(_) => Err("it is not a value".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &rows {
            tracing::error!("{}: {why}", segment_key(segment));
        }
        let records = rows.unwrap_or_default().into_iter().flatten();
        let shelved = records.filter_map(|record| match record {
            Record::Retired(row) => self.shelved(row),
            _ => None,
        });
        let shelved = shelved.collect();
        let (mut ids, deferred) = self.rows.loading.remove(&segment).unwrap_or_default();
        // Others were moved meanwhile, and are asked for again.
        ids.retain(|id| self.joblog.home(*id) == Some(Home::Segment(segment)));
        self.shelve(&ids, shelved);
        for then in deferred {
            then(self, cx);
        }
        self.send_past(cx);
    }

    /// Keeps rows for a while, among them those of these jobs.
    fn shelve(&mut self, ids: &[JobId], mut rows: FxHashMap<JobId, Slot>) {
        for id in ids {
            if let Some(Slot::Away(away)) = self.jobs.get(*id)
                && !rows.contains_key(id)
            {
                // It should be there and is not: what can be told of it is nothing.
                tracing::error!("job={id} is not at its place in the job log");
                let lost = Packed::lost(away.userid, away.t_clean);
                rows.insert(*id, Slot::Inactive(Box::new(lost)));
            }
        }
        self.jobs.shelf_mut().put(rows);
    }

    fn shelved(&self, row: Row) -> Option<(JobId, Slot)> {
        let id = JobId(row.id);
        let is_away = matches!(self.jobs.get(id), Some(Slot::Away(_)));
        is_away.then(|| (id, Slot::Inactive(Box::new(Packed::of_row(row)))))
    }
}
