//! Size of transactions, and limits of one turn.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use proto::data::Tree;
use proto::kvs::{Dirent, Op};

use crate::limits::{BATCH_BYTES_MAX, BATCH_OPS_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_OPS_MAX};

/// A number of operations, and the bytes that they bring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Operations, each entry of a directory one, and each cut of a value.
    pub ops: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl Size {
    /// True if `self` has room for `more` besides `taken`. There always is if the batch
    /// is empty: a large item has its turn too.
    pub fn has_room(self, taken: Size, more: Size) -> bool {
        let all = taken + more;
        taken == Size::default() || (all.ops <= self.ops && all.bytes <= self.bytes)
    }
}

impl Add for Size {
    type Output = Size;

    fn add(self, other: Size) -> Size {
        Size {
            ops: self.ops + other.ops,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Size) {
        *self = *self + other;
    }
}

impl Sum for Size {
    fn sum<I: Iterator<Item = Size>>(sizes: I) -> Size {
        sizes.fold(Size::default(), Size::add)
    }
}

/// The size of one operation.
pub fn size_of(op: &Op) -> Size {
    let key = Size {
        ops: 1 + op.cuts.len(),
        bytes: op.key.len(),
    };
    match &op.dirent {
        Some(Dirent::Tree(tree)) => key + size_of_tree(tree),
        Some(Dirent::Malformed(_)) | None => key,
    }
}

/// Size that a tree object adds to the operation that puts it. The recursion ends where
/// that of the parser did.
fn size_of_tree(tree: &Tree) -> Size {
    match tree {
        Tree::Val(value) => Size {
            ops: 0,
            bytes: value.len(),
        },
        Tree::Dir(entries) => entries
            .iter()
            .map(|(name, entry)| {
                let one = Size {
                    ops: 1,
                    bytes: name.len(),
                };
                one + size_of_tree(entry)
            })
            .sum(),
        Tree::ValRef(_) | Tree::DirRef(_) | Tree::Symlink { .. } => Size::default(),
    }
}

/// Limits of work at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of one transaction; its bytes are those of the payload. More is refused.
    pub transaction: Size,
    /// Of one batch. More waits for the next.
    pub batch: Size,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            transaction: Size {
                ops: TRANSACTION_OPS_MAX,
                bytes: TRANSACTION_BYTES_MAX,
            },
            batch: Size {
                ops: BATCH_OPS_MAX,
                bytes: BATCH_BYTES_MAX,
            },
        }
    }
}

impl Bounds {
    /// The bound that a module argument lowers.
    pub fn named(&mut self, name: &str) -> Option<&mut usize> {
        match name {
            "transaction-ops-max" => Some(&mut self.transaction.ops),
            "transaction-bytes-max" => Some(&mut self.transaction.bytes),
            "batch-ops-max" => Some(&mut self.batch.ops),
            "batch-bytes-max" => Some(&mut self.batch.bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::data::Tree;
    use proto::kvs::Op;

    use super::{Size, size_of};

    fn size(ops: usize, bytes: usize) -> Size {
        Size { ops, bytes }
    }

    #[test]
    fn entries_of_directories_count() {
        let check = |op: Op, ops: usize, bytes: usize| assert_eq!(size_of(&op), size(ops, bytes));
        let tree = |json: &str| Tree::decode(json.as_bytes()).unwrap();
        let value = r#"{"data":"MTIz","type":"val","ver":1}"#;
        let inner = format!(r#"{{"data":{{"b":{value},"cc":{value}}},"type":"dir","ver":1}}"#);
        let outer = format!(r#"{{"data":{{"d":{inner}}},"type":"dir","ver":1}}"#);
        check(Op::unlink("a.b"), 1, 3);
        check(Op::put("a", "12345"), 1, 6);
        check(Op::append("a", "12345"), 1, 6);
        check(Op::put("a", "12345").cut(vec![1, 3]), 3, 6);
        check(Op::mkdir("a"), 1, 1);
        check(Op::symlink("a", None, "target"), 1, 1);
        check(Op::put_tree("a", tree(&inner)), 3, 1 + 1 + 3 + 2 + 3);
        check(Op::put_tree("a", tree(&outer)), 4, 1 + 1 + 1 + 3 + 2 + 3);
    }

    #[test]
    fn what_is_large_by_itself_has_its_turn() {
        let check = |taken: (usize, usize), more: (usize, usize), expect: bool| {
            let has_room = size(10, 100).has_room(size(taken.0, taken.1), size(more.0, more.1));
            assert_eq!(has_room, expect, "{taken:?} {more:?}");
        };
        check((0, 0), (11, 0), true);
        check((0, 0), (1, 101), true);
        check((9, 99), (1, 1), true);
        check((10, 0), (1, 0), false);
        check((1, 100), (1, 1), false);
        check((1, 1), (11, 0), false);
        check((1, 1), (1, 100), false);
    }
}
