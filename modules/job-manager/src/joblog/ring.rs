//! The segments of the job log, and how room comes back: always from the oldest one, because
//! the records of its purges can be nowhere before it. So a log has no more dead bytes than
//! living ones, and [`LOG_DEAD_WEIGHT`]; a row is written again at most once for each that
//! died.

use std::collections::BTreeMap;

use proto::kvs::Op;

use super::record::{self, Damage, Record};
use super::{JobLog, segment_key};
use crate::limits::{LOG_DEAD_WEIGHT, LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_FRAMES_MAX};

/// One segment.
#[derive(Debug, Default)]
struct Segment {
    frames: usize,
    bytes: usize,
    weight: u64,
    /// The write that was the last to add to it.
    write: u64,
}

/// The segments that there are.
#[derive(Debug, Default)]
pub struct Ring {
    segments: BTreeMap<u32, Segment>,
    /// The one that is added to.
    last: u32,
    /// Counts writes. One is begun when the one before is stored.
    writes: u64,
    bytes: usize,
    weight: u64,
    cleaning: Cleaning,
}

/// Progress of removing the oldest segment.
#[derive(Debug, Default)]
enum Cleaning {
    #[default]
    None,
    /// The segment is being read.
    Reads,
    /// The live records go with the next write.
    Moves(u32, Vec<Record>),
    /// The segment cannot be read. The next start reads the jobs' own keys.
    Failed,
}

impl Ring {
    /// Reads a segment, at the start.
    pub fn read(&mut self, segment: u32, frames: &[Vec<Record>], bytes: usize) {
        self.last = segment;
        let weight = frames.iter().flatten().map(Record::weight).sum();
        self.grow(frames.len(), bytes, weight);
    }

    /// Of all segments.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes that earlier writes are stored.
    pub fn begin_write(&mut self) {
        self.writes += 1;
    }

    /// Adds a frame; returns its segment.
    pub fn add(&mut self, frame: &[Record], bytes: usize) -> u32 {
        let is_full = self.segments.get(&self.last).is_some_and(|last| {
            last.frames >= LOG_SEGMENT_FRAMES_MAX || last.bytes >= LOG_SEGMENT_BYTES_MAX
        });
        self.last += u32::from(is_full);
        self.grow(1, bytes, frame.iter().map(Record::weight).sum());
        self.last
    }

    fn grow(&mut self, frames: usize, bytes: usize, weight: u64) {
        let last = self.segments.entry(self.last).or_default();
        last.frames += frames;
        last.bytes += bytes;
        last.weight += weight;
        last.write = self.writes;
        self.bytes += bytes;
        self.weight += weight;
    }

    /// The oldest segment, if it is to go, is not on its way and is stored.
    fn begin_cleaning(&mut self, live_weight: u64) -> Option<u32> {
        let is_due = self.weight > 2 * live_weight + LOG_DEAD_WEIGHT;
        if !is_due || !matches!(self.cleaning, Cleaning::None) {
            return None;
        }
        let segment = self.segments.keys().next()?;
        if !self.is_stored(*segment) {
            return None;
        }
        self.cleaning = Cleaning::Reads;
        Some(*segment)
    }

    /// True if all of a segment is stored.
    pub fn is_stored(&self, segment: u32) -> bool {
        let known = self.segments.get(&segment);
        known.is_some_and(|it| it.write < self.writes || self.writes == 0)
    }

    fn remove(&mut self, segment: u32) {
        if let Some(gone) = self.segments.remove(&segment) {
            self.bytes -= gone.bytes;
            self.weight -= gone.weight;
            self.last += u32::from(segment == self.last);
        }
    }
}

impl JobLog {
    /// The segment that is to be read and given to [`JobLog::clean`], if one is.
    pub fn begin_cleaning(&mut self) -> Option<u32> {
        if !self.is_complete {
            return None;
        }
        self.ring.begin_cleaning(self.table.weight())
    }

    /// The oldest segment came: its living records go with the next write, and it is removed
    /// then.
    pub fn clean(&mut self, segment: u32, bytes: &[u8]) -> Result<(), Damage> {
        let known = self.ring.segments.get(&segment);
        let frames = match known.is_some_and(|it| it.bytes == bytes.len()) {
            true => record::decode(bytes),
            false => Err(Damage::Malformed("its length differs".to_owned())),
        };
        let frames = frames.inspect_err(|_| self.ring.cleaning = Cleaning::Failed)?;
        let records = frames.into_iter().flatten();
        let live = records.filter(|record| self.table.is_live(record, segment));
        self.ring.cleaning = Cleaning::Moves(segment, live.collect());
        Ok(())
    }

    /// The segment could not be looked up; it is tried again later, or not.
    pub fn not_cleaned(&mut self, is_tried_again: bool) {
        self.ring.cleaning = match is_tried_again {
            true => Cleaning::None,
            false => Cleaning::Failed,
        };
    }

    /// Records to write again, if still live. Its segment goes.
    pub(super) fn take_moved(&mut self, ops: &mut Vec<Op>) -> Vec<Record> {
        if !matches!(self.ring.cleaning, Cleaning::Moves(..)) {
            return Vec::new();
        }
        let Cleaning::Moves(segment, mut records) = std::mem::take(&mut self.ring.cleaning) else {
            return Vec::new();
        };
        records.retain(|record| self.table.is_live(record, segment));
        self.ring.remove(segment);
        ops.push(Op::unlink(segment_key(segment)));
        records
    }
}
