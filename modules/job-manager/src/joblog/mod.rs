//! The job log: what a restart reads in place of every job's keys (`job-log.*` in the KVS).
//!
//! It is written in the same commits as the events that it is about. Each commit appends
//! one small frame; frames are folded into larger ones as they grow in number, at last into
//! segments that are never rewritten, so that a restart reads few and large values. Order of
//! time: segments by number, then the levels from the highest to the lowest.
//!
//! Owns what goes into the log. What is read from it, and what becomes of a damaged one, is
//! in `replay.rs`.

mod record;

use proto::data::JobId;
use proto::kvs::Op;
use rustc_hash::FxHashSet;

pub use record::{Blob, Damage, Record, Row, decode};

use crate::limits::{
    LOG_FOLD_BYTES, LOG_FOLD_FRAMES, LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_FRAMES_MAX,
};

/// The KVS directory of the log.
pub const LOG_KEY: &str = "job-log";
/// Says that the log is complete, and its version.
pub const HEAD_KEY: &str = "job-log.head";
/// The value of [`HEAD_KEY`].
pub const HEAD: &str = r#"{"version":1}"#;
/// The directory of the segments.
pub const SEGMENTS_KEY: &str = "job-log.seg";

/// How many levels there are below the segments.
pub const LEVELS: usize = 2;

/// Segments in one directory: what is written often stays small.
const SEGMENTS_PER_DIR: u32 = 64;

/// The key of a level, 0 the lowest.
pub fn level_key(level: usize) -> String {
    format!("{LOG_KEY}.level{level}")
}

/// The key of a segment.
pub fn segment_key(segment: u32) -> String {
    let (dir, name) = (segment / SEGMENTS_PER_DIR, segment % SEGMENTS_PER_DIR);
    format!("{SEGMENTS_KEY}.{dir}.{name}")
}

/// The segment with this key.
pub fn segment_of(key: &str) -> Option<u32> {
    let (dir, name) = key
        .strip_prefix(SEGMENTS_KEY)?
        .strip_prefix('.')?
        .split_once('.')?;
    let (dir, name): (u32, u32) = (dir.parse().ok()?, name.parse().ok()?);
    dir.checked_mul(SEGMENTS_PER_DIR)?.checked_add(name)
}

/// Frames that are to be folded some day.
#[derive(Debug, Default)]
struct Level {
    records: Vec<Record>,
    frames: usize,
    bytes: usize,
}

impl Level {
    fn add(&mut self, records: Vec<Record>) {
        self.frames += 1;
        self.bytes += records.iter().map(Record::bytes).sum::<usize>();
        self.records.extend(records);
    }
}

/// Where the log's end is.
#[derive(Debug, Default)]
pub struct JobLog {
    levels: [Level; LEVELS],
    segment: u32,
    segment_frames: usize,
    segment_bytes: usize,
}

impl JobLog {
    /// Takes in what a level has, at the start.
    pub fn read_level(&mut self, level: usize, frames: Vec<Vec<Record>>) {
        for records in frames {
            self.levels[level].add(records);
        }
    }

    /// Takes in how large a segment is, at the start; the last one counts.
    pub fn read_segment(&mut self, segment: u32, frames: usize, bytes: usize) {
        (self.segment, self.segment_frames, self.segment_bytes) = (segment, frames, bytes);
    }

    /// The operations that add these records.
    pub fn write(&mut self, records: Vec<Record>) -> Vec<Op> {
        let mut ops = Vec::new();
        if !records.is_empty() {
            self.add(0, records, &mut ops);
        }
        ops
    }

    /// Adds records to a level, or folds it with them into what is above.
    fn add(&mut self, level: usize, records: Vec<Record>, ops: &mut Vec<Op>) {
        let bytes: usize = records.iter().map(Record::bytes).sum();
        let here = &self.levels[level];
        let is_large = here.bytes + bytes >= LOG_FOLD_BYTES;
        if here.frames + 1 < LOG_FOLD_FRAMES && !is_large {
            ops.push(Op::append(level_key(level), record::encode(&records)));
            return self.levels[level].add(records);
        }
        if level + 1 < LEVELS && !is_large {
            let mut all = self.take(level, ops);
            all.extend(records);
            return self.add(level + 1, fold(all), ops);
        }
        // Into a segment goes what is older too, or it would be read too late.
        let mut all = Vec::new();
        for older in (0..LEVELS).rev() {
            all.extend(self.take(older, ops));
        }
        all.extend(records);
        self.add_to_segment(&fold(all), ops);
    }

    fn take(&mut self, level: usize, ops: &mut Vec<Op>) -> Vec<Record> {
        let taken = std::mem::take(&mut self.levels[level]);
        if taken.frames > 0 {
            ops.push(Op::unlink(level_key(level)));
        }
        taken.records
    }

    fn add_to_segment(&mut self, records: &[Record], ops: &mut Vec<Op>) {
        let is_full = self.segment_frames >= LOG_SEGMENT_FRAMES_MAX
            || self.segment_bytes >= LOG_SEGMENT_BYTES_MAX;
        if is_full {
            self.read_segment(self.segment + 1, 0, 0);
        }
        let frame = record::encode(records);
        self.segment_frames += 1;
        self.segment_bytes += frame.len();
        ops.push(Op::append(segment_key(self.segment), frame));
    }
}

/// Leaves out what a later record makes void.
fn fold(records: Vec<Record>) -> Vec<Record> {
    let mut purged = FxHashSet::default();
    let mut retired = FxHashSet::default();
    let (mut unwaited, mut waited) = (FxHashSet::default(), FxHashSet::default());
    for record in &records {
        match record {
            Record::Submitted(_) => {}
            Record::Retired(row) => {
                retired.insert(JobId(row.id));
            }
            Record::Purged(ids) => purged.extend(ids.iter().map(|id| JobId(*id))),
            Record::Unwaited(id, _) => drop(unwaited.insert(JobId(*id))),
            Record::Waited(id) => drop(waited.insert(JobId(*id))),
        }
    }
    let is_live = |record: &Record| match (record, record.id()) {
        (Record::Submitted(_), Some(id)) => !retired.contains(&id) && !purged.contains(&id),
        (Record::Retired(_), Some(id)) => !purged.contains(&id),
        (Record::Unwaited(..), Some(id)) => !waited.contains(&id),
        // Of a job in an older frame it is still to be said.
        (Record::Waited(_), Some(id)) => !unwaited.contains(&id),
        _ => true,
    };
    records.into_iter().filter(is_live).collect()
}

#[cfg(test)]
mod tests;
