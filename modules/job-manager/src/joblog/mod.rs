//! The job log: read at a restart in place of every job's keys (`job-log.*` in the KVS).
//!
//! It is written in the same commits as the events that it is about. Each commit appends
//! one small frame; frames are folded into larger ones as they grow in number, at last into
//! segments that are not rewritten, so that a restart reads few and large values. Order of
//! time: segments by number, then the levels from the highest to the lowest. With each
//! commit the head has the checksum of all of it (`table.rs`).
//!
//! The segments are a ring: when purges leave more that is dead than alive in them, the
//! living records of the oldest one are written again at the end, and it is removed
//! (`ring.rs`).
//!
//! Owner of all records that go into the log. Reading, and handling of a damaged log, is
//! in `replay.rs`.

mod head;
mod made;
mod record;
mod ring;
mod table;

use proto::data::JobId;
use proto::kvs::Op;
use rustc_hash::FxHashSet;

pub use head::Head;
pub use made::made_log;
pub use record::{Blob, Damage, Record, Row, decode};
pub use table::{Sum, Table};

use crate::limits::{LOG_FOLD_BYTES, LOG_FOLD_FRAMES, LOG_FRAME_BYTES};
use ring::Ring;

/// The KVS directory of the log.
pub const LOG_KEY: &str = "job-log";
/// Key of the head, which marks the log as complete, with its version and checksum.
pub const HEAD_KEY: &str = "job-log.head";
/// The directory of the segments.
pub const SEGMENTS_KEY: &str = "job-log.seg";

/// Number of levels below the segments.
pub const LEVELS: usize = 2;

/// Segments in one directory: values that are written often stay small.
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
    /// Of the records, about.
    bytes: usize,
    /// As it is stored.
    stored_bytes: usize,
}

impl Level {
    fn add(&mut self, records: Vec<Record>) {
        self.frames += 1;
        self.bytes += bytes_of(&records);
        self.records.extend(records);
    }
}

/// Location of the row of an inactive job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In this segment.
    Segment(u32),
    /// In a level, which is in memory.
    Level,
}

/// The log, as far as it is written.
#[derive(Debug)]
pub struct JobLog {
    levels: [Level; LEVELS],
    ring: Ring,
    table: Table,
    /// The log has a head.
    is_complete: bool,
    /// Frames of a level, but for tests [`LOG_FOLD_FRAMES`].
    fold_frames: usize,
}

impl Default for JobLog {
    fn default() -> JobLog {
        JobLog {
            levels: Default::default(),
            ring: Ring::default(),
            table: Table::default(),
            is_complete: false,
            fold_frames: LOG_FOLD_FRAMES,
        }
    }
}

impl JobLog {
    /// Puts records into segments after few commits.
    #[cfg(test)]
    pub fn fold_early(&mut self) {
        self.fold_frames = 2;
    }

    /// Reads the records of a level, at the start.
    pub fn read_level(&mut self, level: usize, frames: Vec<Vec<Record>>, bytes: usize) {
        self.levels[level].stored_bytes = bytes;
        for records in frames {
            records.iter().for_each(|it| self.table.apply(it, None));
            self.levels[level].add(records);
        }
    }

    /// Reads the records of a segment, at the start; the last one counts.
    pub fn read_segment(&mut self, segment: u32, frames: &[Vec<Record>], bytes: usize) {
        for record in frames.iter().flatten() {
            self.table.apply(record, Some(segment));
        }
        self.ring.read(segment, frames, bytes);
    }

    /// The log was read, and goes on.
    pub fn completed(&mut self) {
        self.is_complete = true;
    }

    /// The jobs that it has.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Where the row of a job is; none if the log does not have it yet, or any more.
    pub fn home(&self, id: JobId) -> Option<Home> {
        let segment = self.table.segment_of(id)?;
        Some(segment.map_or(Home::Level, Home::Segment))
    }

    /// The rows that are not in segments.
    pub fn level_rows(&self) -> impl Iterator<Item = &Row> {
        let records = self.levels.iter().flat_map(|level| &level.records);
        records.filter_map(|record| match record {
            Record::Retired(row) => Some(row),
            _ => None,
        })
    }

    /// True if all of a segment is stored.
    pub fn is_stored(&self, segment: u32) -> bool {
        self.ring.is_stored(segment)
    }

    /// The jobs that it has, without the log.
    pub fn into_table(self) -> Table {
        self.table
    }

    /// Sum of all records.
    pub fn sum(&self) -> Sum {
        let levels = self.levels.iter().map(|level| level.stored_bytes);
        let bytes = levels.sum::<usize>() + self.ring.bytes();
        self.table.sum(bytes as u64)
    }

    /// The operations that add these records.
    pub fn write(&mut self, mut records: Vec<Record>) -> Vec<Op> {
        let (mut ops, n_all) = (Vec::new(), records.len());
        records.retain(|record| *record != Record::Complete);
        self.is_complete |= records.len() < n_all;
        // Earlier records come first.
        let mut all = self.take_moved(&mut ops);
        if n_all == 0 && ops.is_empty() {
            return ops;
        }
        all.extend(records);
        all.iter().for_each(|it| self.table.apply(it, None));
        self.ring.begin_write();
        if !all.is_empty() {
            self.add(0, all, &mut ops);
        }
        if self.is_complete {
            ops.push(Op::put(HEAD_KEY, Head::of(self.sum()).encode()));
        }
        ops
    }

    /// Adds records to a level, or folds it with them into the level above.
    fn add(&mut self, level: usize, records: Vec<Record>, ops: &mut Vec<Op>) {
        let bytes = bytes_of(&records);
        let fold_frames = self.fold_frames;
        let here = &mut self.levels[level];
        let is_large = here.bytes + bytes >= LOG_FOLD_BYTES;
        if here.frames + 1 < fold_frames && !is_large {
            let frame = record::encode(&records);
            here.stored_bytes += frame.len();
            here.add(records);
            return ops.push(Op::append(level_key(level), frame));
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
        self.add_to_segments(&fold(all), ops);
    }

    fn take(&mut self, level: usize, ops: &mut Vec<Op>) -> Vec<Record> {
        let taken = std::mem::take(&mut self.levels[level]);
        if taken.frames > 0 {
            ops.push(Op::unlink(level_key(level)));
        }
        taken.records
    }

    /// Adds records to the last segment, and to further ones when it is full, in frames that
    /// can be looked at one at a time.
    fn add_to_segments(&mut self, mut records: &[Record], ops: &mut Vec<Op>) {
        while !records.is_empty() {
            let mut bytes = 0;
            let fits = records.iter().take_while(|record| {
                let is_begun = bytes > 0;
                bytes += record.bytes();
                !is_begun || bytes <= LOG_FRAME_BYTES
            });
            let (frame, rest) = records.split_at(fits.count());
            let encoded = record::encode(frame);
            let segment = self.ring.add(frame, encoded.len());
            for record in frame {
                if let Record::Retired(row) = record {
                    self.table.moved(row.id, segment);
                }
            }
            ops.push(Op::append(segment_key(segment), encoded));
            records = rest;
        }
    }
}

fn bytes_of(records: &[Record]) -> usize {
    records.iter().map(Record::bytes).sum()
}

/// Leaves out records that a later record makes void.
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
            Record::Complete => {}
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
