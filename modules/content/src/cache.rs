//! Blobs in memory, the ones not used for longest leaving first: to make room, or because
//! nobody asks for them any more.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use proto::data::BlobRef;
use rustc_hash::FxHashMap;

/// Marks kept for the age of blobs.
const AGE_PARTS: u32 = 32;

/// Blobs by name, bounded by their bytes.
#[derive(Debug, Default)]
pub struct Cache {
    blobs: FxHashMap<BlobRef, (u64, Bytes)>,
    /// Every blob once, by when it was used last.
    by_use: BTreeMap<u64, BlobRef>,
    uses: u64,
    bytes: usize,
    bytes_max: usize,
    /// How many uses there were by when, the oldest first, no two closer than a part of
    /// the age at which blobs leave.
    marks: VecDeque<(Duration, u64)>,
}

impl Cache {
    /// An empty cache that holds up to `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Cache {
        Cache {
            bytes_max,
            ..Cache::default()
        }
    }

    /// A blob, used again.
    pub fn get(&mut self, name: &BlobRef) -> Option<Bytes> {
        let (used, blob) = self.blobs.get_mut(name)?;
        self.uses += 1;
        self.by_use.remove(used);
        self.by_use.insert(self.uses, *name);
        *used = self.uses;
        Some(blob.clone())
    }

    /// Keeps a blob, unless it is so large that it would push out most others.
    pub fn insert(&mut self, name: BlobRef, blob: Bytes) {
        if blob.len() > self.bytes_max / 4 || self.get(&name).is_some() {
            return;
        }
        self.uses += 1;
        self.bytes += blob.len();
        self.by_use.insert(self.uses, name);
        self.blobs.insert(name, (self.uses, blob));
        while self.bytes > self.bytes_max && self.forget_oldest() {}
    }

    /// Forgets blobs that have not been used for `age_max`, or a little longer.
    pub fn purge(&mut self, now: Duration, age_max: Duration) {
        let apart = age_max / AGE_PARTS;
        if self
            .marks
            .back()
            .is_none_or(|(at, _)| at.saturating_add(apart) <= now)
        {
            self.marks.push_back((now, self.uses));
        }
        let mut old = 0;
        while let Some((at, uses)) = self.marks.front()
            && at.saturating_add(age_max) <= now
        {
            old = *uses;
            self.marks.pop_front();
        }
        while self
            .by_use
            .first_key_value()
            .is_some_and(|(used, _)| *used <= old)
            && self.forget_oldest()
        {}
    }

    fn forget_oldest(&mut self) -> bool {
        let oldest = self.by_use.pop_first();
        let blob = oldest.and_then(|(_, name)| self.blobs.remove(&name));
        self.bytes -= blob.as_ref().map_or(0, |(_, blob)| blob.len());
        blob.is_some()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Cache::new(self.bytes_max);
    }

    /// How many blobs there are.
    pub fn len(&self) -> usize {
        self.blobs.len()
    }

    /// Their bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Panics if the two tables disagree.
    pub fn check(&self) {
        assert_eq!(self.blobs.len(), self.by_use.len());
        let bytes: usize = self
            .by_use
            .values()
            .map(|name| self.blobs[name].1.len())
            .sum();
        assert_eq!(bytes, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proto::data::HashKind;

    use super::*;

    fn put(cache: &mut Cache, text: &str) -> BlobRef {
        let name = BlobRef::of(HashKind::Sha1, text.as_bytes());
        cache.insert(name, Bytes::copy_from_slice(text.as_bytes()));
        cache.check();
        name
    }

    #[test]
    fn the_blob_not_used_for_longest_makes_room() {
        let mut cache = Cache::new(8);
        let names = ["aa", "bb", "cc", "dd"].map(|text| put(&mut cache, text));
        assert_eq!(cache.get(&names[0]), Some(Bytes::from("aa")));
        put(&mut cache, "ee");
        assert!(cache.get(&names[0]).is_some());
        assert_eq!(cache.get(&names[1]), None);
        assert_eq!((cache.len(), cache.bytes()), (4, 8));
    }

    #[test]
    fn a_blob_of_a_quarter_is_kept_and_a_larger_one_is_not() {
        let mut cache = Cache::new(8);
        put(&mut cache, "aa");
        let name = put(&mut cache, "aaa");
        assert_eq!(cache.get(&name), None);
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn the_same_blob_counts_once() {
        let mut cache = Cache::new(8);
        put(&mut cache, "aa");
        put(&mut cache, "aa");
        assert_eq!((cache.len(), cache.bytes()), (1, 2));
        cache.clear();
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn blobs_that_nobody_asks_for_leave() {
        let mut cache = Cache::new(1000);
        let old = put(&mut cache, "old");
        let used = put(&mut cache, "used");
        let age = Duration::from_secs(60);
        for second in (0..=58).step_by(2) {
            cache.purge(Duration::from_secs(second), age);
        }
        assert_eq!(cache.len(), 2);
        cache.get(&used);
        put(&mut cache, "new");
        cache.purge(Duration::from_secs(62), age);
        cache.check();
        assert_eq!((cache.get(&old), cache.len()), (None, 2));
        assert!(cache.marks.len() <= AGE_PARTS as usize + 1);
        for second in (64..=130).step_by(2) {
            cache.purge(Duration::from_secs(second), age);
        }
        cache.check();
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }
}
