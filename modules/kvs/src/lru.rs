//! Objects by the name of their blob, the ones not used for longest leaving first.

use std::collections::BTreeMap;

use proto::data::BlobRef;
use rustc_hash::FxHashMap;

/// A bounded table.
#[derive(Debug)]
pub struct Lru<V> {
    items: FxHashMap<BlobRef, Item<V>>,
    /// Every item once, by when it was used last.
    by_use: BTreeMap<u64, BlobRef>,
    uses: u64,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Item<V> {
    used: u64,
    bytes: usize,
    value: V,
}

impl<V: Clone> Lru<V> {
    /// An empty table that holds up to `bytes_max` bytes, or one item.
    pub fn new(bytes_max: usize) -> Lru<V> {
        Lru {
            items: FxHashMap::default(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// An item, used again.
    pub fn get(&mut self, name: &BlobRef) -> Option<V> {
        let item = self.items.get_mut(name)?;
        // The newest one is used over and over: the root directory.
        if item.used != self.uses {
            self.uses += 1;
            self.by_use.remove(&item.used);
            self.by_use.insert(self.uses, *name);
            item.used = self.uses;
        }
        Some(item.value.clone())
    }

    /// An item, without counting as a use.
    pub fn peek(&self, name: &BlobRef) -> Option<&V> {
        self.items.get(name).map(|item| &item.value)
    }

    /// Keeps an item of so many bytes.
    pub fn insert(&mut self, name: BlobRef, value: V, bytes: usize) {
        self.remove(&name);
        self.uses += 1;
        self.bytes += bytes;
        self.by_use.insert(self.uses, name);
        let used = self.uses;
        self.items.insert(name, Item { used, bytes, value });
        while self.bytes > self.bytes_max && self.items.len() > 1 {
            let Some(oldest) = self.by_use.first_key_value().map(|(_, name)| *name) else {
                return;
            };
            self.remove(&oldest);
        }
    }

    /// Forgets an item.
    pub fn remove(&mut self, name: &BlobRef) {
        if let Some(item) = self.items.remove(name) {
            self.bytes -= item.bytes;
            self.by_use.remove(&item.used);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Lru::new(self.bytes_max);
    }

    /// The bytes of every item, oldest use first.
    pub fn sizes(&self) -> impl Iterator<Item = usize> {
        self.by_use
            .values()
            .filter_map(|name| self.items.get(name).map(|item| item.bytes))
    }

    /// Panics if the tables disagree.
    pub fn check(&self) {
        assert_eq!(self.items.len(), self.by_use.len());
        assert_eq!(self.sizes().sum::<usize>(), self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proto::data::HashKind;

    use super::*;

    fn put(lru: &mut Lru<u32>, number: u32, bytes: usize) -> BlobRef {
        let name = BlobRef::of(HashKind::Sha1, &number.to_be_bytes());
        lru.insert(name, number, bytes);
        lru.check();
        name
    }

    #[test]
    fn the_item_not_used_for_longest_makes_room() {
        let mut lru = Lru::new(8);
        let names = [1, 2, 3, 4].map(|number| put(&mut lru, number, 2));
        assert_eq!(lru.get(&names[0]), Some(1));
        put(&mut lru, 5, 2);
        assert_eq!(lru.get(&names[0]), Some(1));
        assert_eq!(lru.get(&names[1]), None);
    }

    #[test]
    fn one_item_is_kept_however_large() {
        let mut lru = Lru::new(8);
        let small = put(&mut lru, 1, 2);
        let large = put(&mut lru, 2, 100);
        assert_eq!((lru.get(&small), lru.get(&large)), (None, Some(2)));
        put(&mut lru, 3, 1);
        assert_eq!(lru.get(&large), None);
    }
}
