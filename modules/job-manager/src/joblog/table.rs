//! Sum of the records of the job log: the jobs, and a hash over all of them that does not
//! depend on the order. Records go through here when they are written and when they are
//! read, so that both must come to the same.

use std::collections::BTreeSet;
use std::fmt;

use proto::data::JobId;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::record::{ROW_WEIGHT, Record, Row};
use crate::limits::DIFFERENCES_MAX;

/// The row of an inactive job.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The segment that it is in; none while it is in a level.
    segment: u32,
    /// The checksum of the whole row.
    checksum: u32,
}

/// [`Place::segment`] of a row in a level.
const IN_LEVEL: u32 = u32::MAX;

/// The jobs.
#[derive(Debug, Default)]
pub struct Table {
    active: FxHashSet<u64>,
    rows: FxHashMap<u64, Place>,
    /// Jobs that nobody has waited for, with the checksum of the result that is to be
    /// sent.
    unwaited: FxHashMap<u64, u32>,
    hash: u64,
}

/// The table in a few numbers, as the head of the log has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Over each job: its id, its kind, and its row.
    #[serde(with = "hex")]
    pub hash: u64,
    /// Active jobs.
    pub active: u64,
    /// Inactive jobs.
    pub inactive: u64,
    /// Jobs that nobody has waited for.
    pub unwaited: u64,
    /// Of all frames of the log.
    pub bytes: u64,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} active, {} inactive, {} unwaited jobs in {} bytes, hash {:016x}",
            self.active, self.inactive, self.unwaited, self.bytes, self.hash
        )
    }
}

impl Table {
    /// Applies a record that is in this segment, or in a level.
    pub fn apply(&mut self, record: &Record, segment: Option<u32>) {
        match record {
            Record::Submitted(id) => {
                if !self.rows.contains_key(id) && self.active.insert(*id) {
                    self.add(share(*id, Kind::Active, 0));
                }
            }
            Record::Retired(row) => {
                self.remove_active(row.id);
                let segment = segment.unwrap_or(IN_LEVEL);
                let checksum = row.checksum();
                let place = Place { segment, checksum };
                if let Some(before) = self.rows.insert(row.id, place) {
                    self.subtract(share(row.id, Kind::Inactive, before.checksum));
                }
                self.add(share(row.id, Kind::Inactive, checksum));
            }
            Record::Purged(ids) => {
                for id in ids {
                    self.remove_active(*id);
                    self.remove_row(*id);
                }
            }
            Record::Unwaited(id, told) => {
                self.remove_unwaited(*id);
                let checksum = crc32fast::hash(&told.0);
                self.unwaited.insert(*id, checksum);
                self.add(share(*id, Kind::Unwaited, checksum));
            }
            Record::Waited(id) => self.remove_unwaited(*id),
            Record::Complete => {}
        }
    }

    /// Takes note that a row is in another place now.
    pub fn moved(&mut self, id: u64, segment: u32) {
        if let Some(home) = self.rows.get_mut(&id) {
            home.segment = segment;
        }
    }

    /// The segment that the row of an inactive job is in, if it is not in a level.
    pub fn segment_of(&self, id: JobId) -> Option<Option<u32>> {
        let place = self.rows.get(&id.0)?;
        Some((place.segment != IN_LEVEL).then_some(place.segment))
    }

    /// True if a record of this segment is still current.
    pub fn is_live(&self, record: &Record, segment: u32) -> bool {
        match record {
            Record::Submitted(id) => self.active.contains(id),
            Record::Retired(row) => {
                let home = self.rows.get(&row.id);
                home.is_some_and(|home| home.segment == segment)
            }
            Record::Unwaited(id, _) => self.unwaited.contains_key(id),
            // Older than all other segments: the records it refers to are removed.
            Record::Purged(_) | Record::Waited(_) | Record::Complete => false,
        }
    }

    /// The active jobs, by id.
    pub fn active(&self) -> BTreeSet<JobId> {
        self.active.iter().map(|id| JobId(*id)).collect()
    }

    /// Weight of the log without dead records.
    pub fn weight(&self) -> u64 {
        let rows = self.rows.len() + self.unwaited.len();
        rows as u64 * ROW_WEIGHT + self.active.len() as u64
    }

    /// The table in numbers.
    pub fn sum(&self, bytes: u64) -> Sum {
        Sum {
            hash: self.hash,
            active: self.active.len() as u64,
            inactive: self.rows.len() as u64,
            unwaited: self.unwaited.len() as u64,
            bytes,
        }
    }

    /// Differences between this table, from the log, and one from the jobs' own keys: the
    /// number of jobs, and some of them.
    pub fn differences(&self, keys: &Table) -> (usize, Vec<String>) {
        let ids = |table: &Table| -> BTreeSet<u64> {
            let active = table.active.iter();
            active.chain(table.rows.keys()).copied().collect()
        };
        let (ours, theirs) = (ids(self), ids(keys));
        let all = ours.union(&theirs);
        let differing = all.filter_map(|id| {
            let state = |table: &Table| table.rows.get(id).map(|home| home.checksum);
            let what = match (ours.contains(id), theirs.contains(id)) {
                (true, false) => "is in the log only",
                (false, _) => "is not in the log",
                (true, true) => match (state(self), state(keys)) {
                    (None, Some(_)) => "is active in the log only",
                    (Some(_), None) => "is inactive in the log only",
                    (ours, theirs) if ours != theirs => "has another row in the log",
                    _ => return None,
                },
            };
            Some(format!("{} {what}", JobId(*id)))
        });
        let mut some = Vec::new();
        let mut n_all = 0;
        for difference in differing {
            n_all += 1;
            if some.len() < DIFFERENCES_MAX {
                some.push(difference);
            }
        }
        (n_all, some)
    }

    fn remove_active(&mut self, id: u64) {
        if self.active.remove(&id) {
            self.subtract(share(id, Kind::Active, 0));
        }
    }

    fn remove_row(&mut self, id: u64) {
        if let Some(home) = self.rows.remove(&id) {
            self.subtract(share(id, Kind::Inactive, home.checksum));
        }
        if self.rows.capacity() > 4 * self.rows.len() + 1024 {
            self.rows.shrink_to(2 * self.rows.len());
        }
    }

    fn remove_unwaited(&mut self, id: u64) {
        if let Some(checksum) = self.unwaited.remove(&id) {
            self.subtract(share(id, Kind::Unwaited, checksum));
        }
    }

    fn add(&mut self, share: u64) {
        self.hash = self.hash.wrapping_add(share);
    }

    fn subtract(&mut self, share: u64) {
        self.hash = self.hash.wrapping_sub(share);
    }
}

impl Row {
    /// Over all of it but the id.
    pub fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.userid.to_le_bytes());
        hasher.update(&self.t_clean.to_bits().to_le_bytes());
        hasher.update(&self.bytes.to_le_bytes());
        hasher.update(&self.packed.0);
        hasher.finalize()
    }
}

/// Part of a job that is in the hash.
#[derive(Clone, Copy)]
enum Kind {
    Active = 1,
    Inactive = 2,
    Unwaited = 3,
}

/// Contribution of a job to the hash. It is on disk: another one is another version of the
/// head.
fn share(id: u64, kind: Kind, checksum: u32) -> u64 {
    mix(mix(id).wrapping_add((kind as u64) << 32 | u64::from(checksum)))
}

/// Spreads each bit over all (the finalizer of MurmurHash3).
fn mix(mut n: u64) -> u64 {
    n = (n ^ (n >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    n = (n ^ (n >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ (n >> 33)
}

/// Numbers as text: not every reader of JSON has 64 bits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(n: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{n:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
