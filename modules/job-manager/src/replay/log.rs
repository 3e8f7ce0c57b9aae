//! Reading the job log: its pieces in the order of time, in any order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proto::data::JobId;

use super::Step;
use crate::JobManager;
use crate::job::Packed;
use crate::joblog::{Damage, LEVELS, Record, decode, level_key, segment_key, segment_of};

/// How far the log is read.
#[derive(Default)]
pub struct LogReader {
    segments: BTreeSet<u32>,
    /// Pieces that came before their turn.
    early: BTreeMap<usize, Option<Bytes>>,
    /// The piece whose turn it is.
    next: usize,
}

/// A piece by its place.
enum Place {
    Segment(u32),
    Level(usize),
}

impl LogReader {
    /// There is a segment with this key.
    pub fn found(&mut self, key: &str) {
        match segment_of(key) {
            Some(segment) => drop(self.segments.insert(segment)),
            None => tracing::error!("{key}: not a segment of the job log"),
        }
    }

    /// The keys of all pieces in the order of time.
    pub fn keys(&self) -> Vec<String> {
        let segments = self.segments.iter().map(|segment| segment_key(*segment));
        segments.chain((0..LEVELS).rev().map(level_key)).collect()
    }

    fn place(&self, piece: usize) -> Option<Place> {
        match self.segments.iter().nth(piece) {
            Some(segment) => Some(Place::Segment(*segment)),
            None => {
                let above = piece.checked_sub(self.segments.len())?;
                (LEVELS - 1).checked_sub(above).map(Place::Level)
            }
        }
    }

    /// The next piece whose turn it is, if it is there.
    fn take(&mut self) -> Option<(Place, Option<Bytes>)> {
        let frames = self.early.remove(&self.next)?;
        let place = self.place(self.next)?;
        self.next += 1;
        Some((place, frames))
    }
}

impl JobManager {
    /// A piece of the log came, or is not there.
    pub(super) fn piece(&mut self, n: usize, frames: Option<Bytes>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        if replay.step != Step::Log {
            // Damage was found while it was on its way.
            return;
        }
        replay.log.early.insert(n, frames);
        while let Some(replay) = &mut self.replay
            && let Some((place, frames)) = replay.log.take()
        {
            let frames = frames.unwrap_or_default();
            if let Err(damage) = self.apply_piece(&place, &frames) {
                let key = match place {
                    Place::Segment(segment) => segment_key(segment),
                    Place::Level(level) => level_key(level),
                };
                return self.damaged(&key, &damage.to_string());
            }
        }
    }

    fn apply_piece(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Damage> {
        let frames = decode(bytes)?;
        for record in frames.iter().flatten() {
            self.apply_record(record);
        }
        match place {
            Place::Segment(segment) => {
                self.joblog
                    .read_segment(*segment, frames.len(), bytes.len());
            }
            Place::Level(level) => self.joblog.read_level(*level, frames),
        }
        Ok(())
    }

    fn apply_record(&mut self, record: &Record) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        match record {
            Record::Submitted(id) => {
                if self.jobs.get(JobId(*id)).is_none() {
                    replay.active.insert(JobId(*id));
                }
            }
            Record::Retired(row) => {
                replay.active.remove(&JobId(row.id));
                self.jobs.retire(JobId(row.id), Packed::of_row(row.clone()));
            }
            Record::Purged(ids) => {
                for id in ids.iter().map(|id| JobId(*id)) {
                    replay.active.remove(&id);
                    self.jobs.note_id(id);
                    self.jobs.remove(id);
                }
            }
            Record::Unwaited(id, told) => {
                replay.unwaited.insert(JobId(*id), told.0.clone());
            }
            Record::Waited(id) => drop(replay.unwaited.remove(&JobId(*id))),
        }
    }
}
