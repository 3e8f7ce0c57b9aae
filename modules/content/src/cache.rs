//! Blobs in memory, the ones not used for longest leaving first.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::data::BlobRef;
use rustc_hash::FxHashMap;

/// Blobs by name, bounded by their bytes.
#[derive(Debug, Default)]
pub struct Cache {
    blobs: FxHashMap<BlobRef, (u64, Bytes)>,
    /// Every blob once, by when it was used last.
    by_use: BTreeMap<u64, BlobRef>,
    uses: u64,
    bytes: usize,
    bytes_max: usize,
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
        while self.bytes > self.bytes_max
            && let Some((_, oldest)) = self.by_use.pop_first()
            && let Some((_, blob)) = self.blobs.remove(&oldest)
        {
            self.bytes -= blob.len();
        }
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
}
