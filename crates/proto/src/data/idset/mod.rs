//! Sets of small non-negative integers (RFC 22): ranks, cores, task ids.
//!
//! Contains the set and its algebra; the text form is in `text.rs`. A set is its sorted,
//! disjoint ranges, so memory follows the number of ranges and never the number of ids.

mod text;

use std::fmt;

pub use text::{IdSetError, IdSetStyle};

/// A set of ids, kept as ascending ranges with a gap between each two.
///
/// `Display` compresses runs and writes no brackets: `0-3,7`. Other styles by
/// [`IdSet::encode`].
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct IdSet {
    ranges: Vec<(u32, u32)>,
}

impl IdSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The ids from `first` to `last`, both included; empty if `last` is below `first`.
    pub fn from_range(first: u32, last: u32) -> Self {
        let mut set = Self::new();
        set.insert_range(first, last);
        set
    }

    /// The ids `0..count`.
    pub fn first_n(count: u32) -> Self {
        count
            .checked_sub(1)
            .map_or_else(Self::new, |last| Self::from_range(0, last))
    }

    /// Number of ids in the set.
    pub fn count(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(lo, hi)| u64::from(hi - lo) + 1)
            .sum()
    }

    /// True for the empty set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest id.
    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|(lo, _)| *lo)
    }

    /// The highest id.
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|(_, hi)| *hi)
    }

    /// True if `id` is in the set.
    pub fn contains(&self, id: u32) -> bool {
        let at = self.ranges.partition_point(|(_, hi)| *hi < id);
        self.ranges.get(at).is_some_and(|(lo, _)| *lo <= id)
    }

    /// Number of ids in the set below `id`: the position of `id` in ascending order.
    pub fn position(&self, id: u32) -> u64 {
        let below = self.ranges.iter().take_while(|(lo, _)| *lo < id);
        below
            .map(|(lo, hi)| u64::from((*hi).min(id - 1) - lo) + 1)
            .sum()
    }

    /// The id at `index` in ascending order.
    pub fn nth(&self, mut index: u64) -> Option<u32> {
        for (lo, hi) in &self.ranges {
            let size = u64::from(hi - lo) + 1;
            if index < size {
                return Some(lo + index as u32);
            }
            index -= size;
        }
        None
    }

    /// The `count` lowest ids, or all if there are fewer.
    pub fn lowest(&self, mut count: u64) -> IdSet {
        let mut ranges = Vec::new();
        for (lo, hi) in &self.ranges {
            let size = u64::from(hi - lo) + 1;
            if count == 0 {
                break;
            }
            let taken = size.min(count);
            ranges.push((*lo, lo + (taken - 1) as u32));
            count -= taken;
        }
        IdSet { ranges }
    }

    /// The ids in ascending order, made one by one.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + Clone + '_ {
        self.ranges.iter().flat_map(|(lo, hi)| *lo..=*hi)
    }

    /// The ranges in ascending order, both ends included.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (u32, u32)> + ExactSizeIterator + '_ {
        self.ranges.iter().copied()
    }

    /// Adds one id.
    pub fn insert(&mut self, id: u32) {
        self.insert_range(id, id);
    }

    /// Adds the ids from `first` to `last`, both included.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        if last < first {
            return;
        }
        // Ranges that overlap or touch the new one melt into it.
        let start = self
            .ranges
            .partition_point(|(_, hi)| hi.saturating_add(1) < first);
        let end = self
            .ranges
            .partition_point(|(lo, _)| *lo <= last.saturating_add(1));
        let mut merged = (first, last);
        if start < end {
            merged.0 = first.min(self.ranges[start].0);
            merged.1 = last.max(self.ranges[end - 1].1);
        }
        self.ranges.splice(start..end, [merged]);
    }

    /// Removes one id.
    pub fn remove(&mut self, id: u32) {
        self.remove_range(id, id);
    }

    /// Removes the ids from `first` to `last`, both included.
    pub fn remove_range(&mut self, first: u32, last: u32) {
        if last < first {
            return;
        }
        let start = self.ranges.partition_point(|(_, hi)| *hi < first);
        let end = self.ranges.partition_point(|(lo, _)| *lo <= last);
        if start >= end {
            return;
        }
        let (left, right) = (self.ranges[start].0, self.ranges[end - 1].1);
        let left = (left < first).then(|| (left, first - 1));
        let right = (right > last).then(|| (last + 1, right));
        self.ranges
            .splice(start..end, left.into_iter().chain(right));
    }

    /// Adds every id of `other`.
    pub fn add(&mut self, other: &IdSet) {
        *self = self.union(other);
    }

    /// Removes every id of `other`.
    pub fn subtract(&mut self, other: &IdSet) {
        *self = self.difference(other);
    }

    /// The ids in either set.
    pub fn union(&self, other: &IdSet) -> IdSet {
        let (mut left, mut right) = (self.ranges().peekable(), other.ranges().peekable());
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(left.len().max(right.len()));
        loop {
            let (lo, hi) = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 <= b.0 => left.next(),
                (Some(_), None) => left.next(),
                _ => right.next(),
            }
            .unwrap_or((1, 0));
            if lo > hi {
                return IdSet { ranges };
            }
            match ranges.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => ranges.push((lo, hi)),
            }
        }
    }

    /// The ids in both sets.
    pub fn intersection(&self, other: &IdSet) -> IdSet {
        let (mut i, mut j) = (0, 0);
        let mut ranges = Vec::new();
        while let (Some(a), Some(b)) = (self.ranges.get(i), other.ranges.get(j)) {
            let (lo, hi) = (a.0.max(b.0), a.1.min(b.1));
            if lo <= hi {
                ranges.push((lo, hi));
            }
            if a.1 <= b.1 { i += 1 } else { j += 1 }
        }
        IdSet { ranges }
    }

    /// The ids of this set that are not in `other`.
    pub fn difference(&self, other: &IdSet) -> IdSet {
        let mut ranges = Vec::with_capacity(self.ranges.len());
        let mut j = 0;
        for &(lo, hi) in &self.ranges {
            let mut from = Some(lo);
            while other.ranges.get(j).is_some_and(|cut| cut.1 < lo) {
                j += 1;
            }
            let mut k = j;
            while let (Some(start), Some(cut)) = (from, other.ranges.get(k)) {
                if cut.0 > hi {
                    break;
                }
                if cut.0 > start {
                    ranges.push((start, cut.0 - 1));
                }
                from = cut.1.checked_add(1).filter(|next| *next <= hi);
                k += 1;
            }
            if let Some(start) = from {
                ranges.push((start, hi));
            }
        }
        IdSet { ranges }
    }

    /// True if the sets share an id.
    pub fn intersects(&self, other: &IdSet) -> bool {
        !self.intersection(other).is_empty()
    }

    /// True if every id of this set is in `other`.
    pub fn is_subset(&self, other: &IdSet) -> bool {
        self.difference(other).is_empty()
    }
}

impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdSet({self})")
    }
}

impl FromIterator<u32> for IdSet {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut ids: Vec<u32> = ids.into_iter().collect();
        ids.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for id in ids {
            match ranges.last_mut() {
                Some(last) if id <= last.1.saturating_add(1) => last.1 = last.1.max(id),
                _ => ranges.push((id, id)),
            }
        }
        IdSet { ranges }
    }
}

impl From<u32> for IdSet {
    fn from(id: u32) -> Self {
        Self::from_range(id, id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> IdSet {
        text.parse().unwrap()
    }

    fn check(a: &str, b: &str, union: &str, intersection: &str, difference: &str) {
        let (a, b) = (set(a), set(b));
        assert_eq!(a.union(&b).to_string(), union);
        assert_eq!(a.intersection(&b).to_string(), intersection);
        assert_eq!(a.difference(&b).to_string(), difference);
    }

    #[test]
    fn algebra_works_on_ranges() {
        check("0-3", "2-5", "0-5", "2-3", "0-1");
        check("0-1", "2-3", "0-3", "", "0-1");
        check("", "7", "7", "", "");
        check("0-9", "3,5-6", "0-9", "3,5-6", "0-2,4,7-9");
        check("1-2,8-9", "0-20", "0-20", "1-2,8-9", "");
        check(
            "5-4294967295",
            "0-4000000000",
            "0-4294967295",
            "5-4000000000",
            "4000000001-4294967295",
        );
    }

    #[test]
    fn a_huge_range_costs_one_pair() {
        let huge = set("0-4000000000");
        assert_eq!((huge.ranges.len(), huge.count()), (1, 4_000_000_001));
        assert_eq!(huge.nth(4_000_000_000), Some(4_000_000_000));
        assert_eq!(huge.lowest(2).to_string(), "0-1");
    }

    #[test]
    fn the_top_id_does_not_overflow() {
        let mut top = IdSet::from(u32::MAX);
        top.insert(u32::MAX - 1);
        top.insert(u32::MAX);
        assert_eq!(top.to_string(), "4294967294-4294967295");
        top.remove(u32::MAX);
        assert_eq!(top.last(), Some(u32::MAX - 1));
    }

    #[test]
    fn positions_count_from_the_lowest_id() {
        let some = set("2-3,7");
        assert_eq!([2, 3, 7].map(|id| some.position(id)), [0, 1, 2]);
        assert_eq!(
            [0, 1, 2, 3].map(|n| some.nth(n)),
            [Some(2), Some(3), Some(7), None]
        );
        assert_eq!(IdSet::first_n(0), IdSet::new());
        assert_eq!(IdSet::first_n(2).to_string(), "0-1");
    }

    fn ids() -> impl Strategy<Value = BTreeSet<u32>> {
        prop::collection::btree_set(0_u32..60, 0..30)
    }

    proptest! {
        #[test]
        fn algebra_agrees_with_a_plain_set(a in ids(), b in ids()) {
            let (x, y): (IdSet, IdSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert_eq!(x.union(&y), a.union(&b).copied().collect());
            prop_assert_eq!(x.intersection(&y), a.intersection(&b).copied().collect());
            prop_assert_eq!(x.difference(&y), a.difference(&b).copied().collect());
            prop_assert_eq!(x.intersects(&y), !a.is_disjoint(&b));
            prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
            prop_assert_eq!(x.count(), a.len() as u64);
            prop_assert_eq!(x.iter().collect::<BTreeSet<_>>(), a);
        }

        #[test]
        fn edits_agree_with_a_plain_set(
            start in ids(),
            edits in prop::collection::vec((any::<bool>(), 0_u32..60, 0_u32..6), 0..20),
        ) {
            let mut plain = start.clone();
            let mut set: IdSet = start.into_iter().collect();
            for (add, first, more) in edits {
                let last = first + more;
                if add {
                    plain.extend(first..=last);
                    set.insert_range(first, last);
                } else {
                    plain.retain(|id| !(first..=last).contains(id));
                    set.remove_range(first, last);
                }
            }
            let expected: IdSet = plain.iter().copied().collect();
            prop_assert_eq!(&set, &expected);
            for id in 0..70 {
                prop_assert_eq!(set.contains(id), plain.contains(&id));
            }
        }
    }
}
