//! A table bounded by the bytes of its items: the ones not used for longest leave first.

use std::collections::BTreeMap;
use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Approximate bytes of an item besides its value: its name in two tables, and the
/// overhead of the allocator.
pub const LRU_ITEM_BYTES: usize = 200;

/// A bounded table.
#[derive(Debug)]
pub struct Lru<K, V> {
    items: FxHashMap<K, Item<V>>,
    /// Every item once, by when it was used last.
    by_use: BTreeMap<u64, K>,
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

impl<K: Copy + Eq + Hash, V: Clone> Lru<K, V> {
    /// An empty table that holds up to `bytes_max` bytes, or one item.
    pub fn new(bytes_max: usize) -> Lru<K, V> {
        Lru {
            items: FxHashMap::default(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// An item, used again.
    pub fn get(&mut self, name: &K) -> Option<V> {
        let item = self.items.get_mut(name)?;
        // The newest one is used over and over: the root directory of the KVS.
        if item.used != self.uses {
            self.uses += 1;
            self.by_use.remove(&item.used);
            self.by_use.insert(self.uses, *name);
            item.used = self.uses;
        }
        Some(item.value.clone())
    }

    /// An item, without counting as a use.
    pub fn peek(&self, name: &K) -> Option<&V> {
        self.items.get(name).map(|item| &item.value)
    }

    /// Keeps an item of `bytes` bytes.
    pub fn insert(&mut self, name: K, value: V, bytes: usize) {
        self.remove(&name);
        self.uses += 1;
        self.bytes += bytes;
        self.by_use.insert(self.uses, name);
        let used = self.uses;
        self.items.insert(name, Item { used, bytes, value });
        self.make_room();
    }

    /// Holds up to `bytes_max` bytes from now on.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.make_room();
    }

    /// Maximum number of bytes held.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    fn make_room(&mut self) {
        while self.bytes > self.bytes_max && self.items.len() > 1 && self.remove_oldest() {}
    }

    /// Forgets an item.
    pub fn remove(&mut self, name: &K) {
        if let Some(item) = self.items.remove(name) {
            self.bytes -= item.bytes;
            self.by_use.remove(&item.used);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Lru::new(self.bytes_max);
    }

    /// A mark between the uses until now and those to come.
    pub fn mark(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    /// Forgets all items that were not used after `mark`.
    pub fn forget_before(&mut self, mark: u64) {
        let is_old = |(used, _): (&u64, &K)| *used <= mark;
        while self.by_use.first_key_value().is_some_and(is_old) && self.remove_oldest() {}
    }

    fn remove_oldest(&mut self) -> bool {
        let oldest = self.by_use.first_key_value().map(|(_, name)| *name);
        oldest.map(|name| self.remove(&name)).is_some()
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The bytes of all items.
    pub fn bytes(&self) -> usize {
        self.bytes
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
    use super::*;

    fn put(lru: &mut Lru<u32, u32>, number: u32, bytes: usize) {
        lru.insert(number, number, bytes);
        lru.check();
    }

    #[test]
    fn the_item_not_used_for_longest_makes_room() {
        let mut lru = Lru::new(8);
        for number in 1..=4 {
            put(&mut lru, number, 2);
        }
        assert_eq!(lru.get(&1), Some(1));
        put(&mut lru, 5, 2);
        assert_eq!((lru.get(&1), lru.get(&2)), (Some(1), None));
        assert_eq!((lru.len(), lru.bytes()), (4, 8));
    }

    #[test]
    fn a_table_may_become_smaller() {
        let mut lru = Lru::new(8);
        for number in 1..=4 {
            put(&mut lru, number, 2);
        }
        lru.set_bytes_max(4);
        lru.check();
        assert_eq!((lru.peek(&2), lru.peek(&3)), (None, Some(&3)));
        put(&mut lru, 5, 2);
        assert_eq!((lru.len(), lru.bytes()), (2, 4));
    }

    #[test]
    fn one_item_may_be_larger_than_the_table() {
        let mut lru = Lru::new(8);
        put(&mut lru, 1, 2);
        put(&mut lru, 2, 100);
        assert_eq!((lru.get(&1), lru.get(&2)), (None, Some(2)));
        put(&mut lru, 3, 1);
        assert_eq!(lru.get(&2), None);
    }

    #[test]
    fn the_same_item_counts_once() {
        let mut lru = Lru::new(8);
        put(&mut lru, 1, 2);
        put(&mut lru, 1, 3);
        assert_eq!((lru.len(), lru.bytes()), (1, 3));
        lru.clear();
        assert_eq!((lru.is_empty(), lru.bytes()), (true, 0));
    }

    #[test]
    fn what_was_not_used_after_a_mark_can_be_forgotten() {
        let mut lru = Lru::new(8);
        put(&mut lru, 1, 2);
        put(&mut lru, 2, 2);
        let mark = lru.mark();
        // The newest item too, which a use moves only behind a mark.
        assert_eq!(lru.get(&2), Some(2));
        put(&mut lru, 3, 2);
        lru.forget_before(mark);
        lru.check();
        assert_eq!((lru.get(&1), lru.get(&2)), (None, Some(2)));
        assert_eq!(lru.len(), 2);
    }
}
