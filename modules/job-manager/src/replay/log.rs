//! Reading the job log: its pieces in the order of time, in any order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proto::data::JobId;

use super::{Step, keys_of};
use crate::JobManager;
use crate::job::Packed;
use crate::joblog::{Damage, LEVELS, LOG_KEY, Record, decode, level_key, segment_key, segment_of};

/// Progress of reading the log.
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

    /// A segment that is missing between others.
    pub fn missing(&self) -> Option<u32> {
        let mut numbers = self.segments.iter();
        let first = *numbers.next()?;
        let mut expected = first..;
        expected.next();
        let mut pairs = numbers.zip(expected);
        pairs.find_map(|(found, expected)| (*found != expected).then_some(expected))
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
        match place {
            Place::Segment(segment) => {
                self.joblog.read_segment(*segment, &frames, bytes.len());
                frames
                    .into_iter()
                    .flatten()
                    .for_each(|it| self.apply_record(it));
                self.put_rows_away();
            }
            Place::Level(level) => {
                let records = frames.iter().flatten().cloned();
                records.for_each(|it| self.apply_record(it));
                self.joblog.read_level(*level, frames, bytes.len());
            }
        }
        Ok(())
    }

    fn apply_record(&mut self, record: Record) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        match record {
            Record::Retired(row) => self.jobs.retire(JobId(row.id), Packed::of_row(row)),
            Record::Purged(ids) => {
                for id in ids.into_iter().map(JobId) {
                    self.jobs.note_id(id);
                    self.jobs.remove(id);
                }
            }
            Record::Unwaited(id, told) => drop(replay.unwaited.insert(JobId(id), told.0)),
            Record::Waited(id) => drop(replay.unwaited.remove(&JobId(id))),
            // The table of the log lists the active jobs in the end.
            Record::Submitted(_) | Record::Complete => {}
        }
    }

    /// The log is read: is it all that was written?
    pub(super) fn log_is_read(&mut self) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        let (sum, head) = (self.joblog.sum(), replay.head.and_then(|head| head.sum));
        if let Some(head) = head.filter(|head| *head != sum) {
            replay.log_table = Some(std::mem::take(&mut self.joblog).into_table());
            let why = format!("its sum is {sum}; its head has {head}");
            return self.damaged(LOG_KEY, &why);
        }
        self.joblog.completed();
        replay.step = Step::Active;
        let active = self.joblog.table().active();
        replay.tasks = active.into_iter().flat_map(keys_of).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_is_missing_between_others_is_found() {
        let check = |segments: &[u32], expect: Option<u32>| {
            let mut reader = LogReader::default();
            segments
                .iter()
                .for_each(|segment| reader.found(&segment_key(*segment)));
            assert_eq!(reader.missing(), expect, "{segments:?}");
        };
        check(&[], None);
        check(&[7], None);
        check(&[7, 8, 9], None);
        check(&[7, 9], Some(8));
        check(&[0, 1, 2, 5, 6], Some(3));
    }
}
