//! The blobs that edits begin from: the newest form of each large directory that is being
//! changed, so that it need not be read and unpacked for every change.

use std::collections::VecDeque;

use bytes::Bytes;
use proto::config::Cache;
use proto::data::BlobRef;

/// A few blobs, the one put last at the end.
#[derive(Debug)]
pub struct Texts {
    blobs: VecDeque<(BlobRef, Bytes)>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts::new(Cache::default().texts)
    }
}

impl Texts {
    /// None yet; up to this number of bytes.
    fn new(bytes_max: usize) -> Texts {
        Texts {
            blobs: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Keeps up to this number of bytes from now on.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.make_room();
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Texts::new(self.bytes_max);
    }

    /// A blob.
    pub fn get(&self, name: &BlobRef) -> Option<&Bytes> {
        let mut newest_first = self.blobs.iter().rev();
        let found = newest_first.find(|(known, _)| known == name);
        found.map(|(_, blob)| blob)
    }

    /// Keeps a blob; the oldest make room, the last one stays however large it is.
    pub fn put(&mut self, name: BlobRef, blob: Bytes) {
        self.bytes += blob.len();
        self.blobs.push_back((name, blob));
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.bytes > self.bytes_max
            && self.blobs.len() > 1
            && let Some((_, oldest)) = self.blobs.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }

    /// Keeps a blob instead of the one that it was made of.
    pub fn replace(&mut self, base: BlobRef, name: BlobRef, blob: Bytes) {
        if let Some(at) = self.blobs.iter().position(|(known, _)| *known == base)
            && let Some((_, blob)) = self.blobs.remove(at)
        {
            self.bytes -= blob.len();
        }
        self.put(name, blob);
    }
}

#[cfg(test)]
mod tests {
    use proto::data::HashKind;

    use super::*;

    fn name(number: u8) -> BlobRef {
        BlobRef::of(HashKind::Sha1, &[number])
    }

    fn blob(bytes: usize) -> Bytes {
        vec![0; bytes].into()
    }

    #[test]
    fn the_oldest_make_room_and_the_last_one_stays() {
        let mut texts = Texts::new(100);
        let half = 50;
        texts.put(name(1), blob(half));
        texts.put(name(2), blob(half));
        texts.put(name(3), blob(1));
        assert!(texts.get(&name(1)).is_none() && texts.get(&name(2)).is_some());
        texts.put(name(4), blob(101));
        assert_eq!(texts.blobs.len(), 1);
        texts.replace(name(4), name(5), blob(2));
        assert_eq!((texts.blobs.len(), texts.bytes), (1, 2));
    }
}
