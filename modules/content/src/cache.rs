//! Blobs in memory, the ones not used for longest leaving first: to make room, or because
//! nobody asks for them any more.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use node::{LRU_ITEM_BYTES, Lru};
use proto::data::BlobRef;

/// Marks kept for the age of blobs.
const AGE_PARTS: u32 = 32;

/// Blobs by name, bounded by their bytes.
#[derive(Debug)]
pub struct Cache {
    blobs: Lru<BlobRef, Bytes>,
    /// Marks between uses and when they were made, the oldest first, no two closer than a
    /// part of the age at which blobs leave.
    marks: VecDeque<(Duration, u64)>,
}

impl Cache {
    /// An empty cache that takes up to `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Cache {
        Cache {
            blobs: Lru::new(bytes_max),
            marks: VecDeque::new(),
        }
    }

    /// A blob, used again.
    pub fn get(&mut self, name: &BlobRef) -> Option<Bytes> {
        self.blobs.get(name)
    }

    /// Keeps a blob, unless it is so large that it would push out most others.
    pub fn insert(&mut self, name: BlobRef, blob: Bytes) {
        if blob.len() > self.blobs.bytes_max() / 4 || self.get(&name).is_some() {
            return;
        }
        let bytes = blob.len() + LRU_ITEM_BYTES;
        self.blobs.insert(name, blob, bytes);
    }

    /// Forgets blobs that have not been used for `age_max`, or a little longer.
    pub fn purge(&mut self, now: Duration, age_max: Duration) {
        let apart = age_max / AGE_PARTS;
        if self
            .marks
            .back()
            .is_none_or(|(at, _)| at.saturating_add(apart) <= now)
        {
            self.marks.push_back((now, self.blobs.mark()));
        }
        while let Some((at, mark)) = self.marks.front().copied()
            && at.saturating_add(age_max) <= now
        {
            self.blobs.forget_before(mark);
            self.marks.pop_front();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Cache::new(self.blobs.bytes_max());
    }

    /// Holds up to `bytes_max` bytes from now on.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.blobs.set_bytes_max(bytes_max);
    }

    /// The number of blobs.
    pub fn len(&self) -> usize {
        self.blobs.len()
    }

    /// Bytes of the blobs, without the overhead of keeping them.
    pub fn bytes(&self) -> usize {
        self.blobs.bytes() - self.blobs.len() * LRU_ITEM_BYTES
    }

    /// Panics if the tables disagree.
    pub fn check(&self) {
        self.blobs.check();
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
