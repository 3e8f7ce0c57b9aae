//! Operations of a transaction.

use bytes::Bytes;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{APPEND, CUTS_MAX};
use crate::data::Tree;
use crate::schema::JsonSchema;

/// One operation of a transaction: exactly the first three keys, unless a value is to be
/// cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Op {
    /// Key, in any form; normalised by the service.
    pub key: String,
    /// [`APPEND`] or 0; other bits are ignored.
    pub flags: u32,
    /// New value; null removes the key.
    #[serde(deserialize_with = "present")]
    pub dirent: Option<Dirent>,
    /// Our extension, where `dirent` is a val that is put: the offsets at which its bytes are cut
    /// when it becomes blobs, so that equal parts of different values are stored once. They rise,
    /// lie within the value, and are [`CUTS_MAX`] at most. Readers see one value as before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<u32>,
}

/// A key that may be null but must be there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dirent>, D::Error> {
    Option::deserialize(deserializer)
}

/// Entry that a client puts into a directory: a tree object (RFC 11), or JSON that is none,
/// which is refused only when the transaction is applied.
#[derive(Debug, Clone, PartialEq)]
pub enum Dirent {
    /// A tree object.
    Tree(Tree),
    /// Something else, as text.
    Malformed(String),
}

impl Op {
    fn new(key: impl Into<String>, flags: u32, tree: Option<Tree>) -> Op {
        Op {
            key: key.into(),
            flags,
            dirent: tree.map(Dirent::Tree),
            cuts: Vec::new(),
        }
    }

    /// The same, with the value cut at these offsets.
    pub fn cut(mut self, cuts: Vec<u32>) -> Op {
        self.cuts = cuts;
        self
    }

    /// True if the value can be cut as requested, or nothing is to be cut.
    pub fn has_good_cuts(&self) -> bool {
        let len = match &self.dirent {
            _ if self.cuts.is_empty() => return true,
            Some(Dirent::Tree(Tree::Val(bytes))) if self.flags & APPEND == 0 => bytes.len(),
            _ => return false,
        };
        let rises = self.cuts.is_sorted_by(|one, next| one < next);
        let is_within = |cut: &u32| (1..len).contains(&(*cut as usize));
        self.cuts.len() <= CUTS_MAX && rises && self.cuts.iter().all(is_within)
    }

    /// Gives `key` the value `bytes`.
    pub fn put(key: impl Into<String>, bytes: impl Into<Bytes>) -> Op {
        Op::new(key, 0, Some(Tree::Val(bytes.into())))
    }

    /// Appends `bytes` to the value of `key`.
    pub fn append(key: impl Into<String>, bytes: impl Into<Bytes>) -> Op {
        Op::new(key, APPEND, Some(Tree::Val(bytes.into())))
    }

    /// Puts a tree object.
    pub fn put_tree(key: impl Into<String>, tree: Tree) -> Op {
        Op::new(key, 0, Some(tree))
    }

    /// Makes an empty directory, which replaces the previous entry.
    pub fn mkdir(key: impl Into<String>) -> Op {
        Op::put_tree(key, Tree::empty_dir())
    }

    /// Makes a symlink to `target`, optionally in another namespace.
    pub fn symlink(key: impl Into<String>, namespace: Option<&str>, target: &str) -> Op {
        let link = Tree::Symlink {
            target: target.to_owned(),
            namespace: namespace.map(str::to_owned),
        };
        Op::put_tree(key, link)
    }

    /// Removes a key.
    pub fn unlink(key: impl Into<String>) -> Op {
        Op::new(key, 0, None)
    }
}

impl Serialize for Dirent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tree(tree) => tree.serialize(serializer),
            Self::Malformed(text) => RawValue::from_string(text.clone())
                .map_err(S::Error::custom)?
                .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Dirent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Box::deserialize(deserializer)?;
        Ok(match Tree::decode(raw.get().as_bytes()) {
            Ok(tree) => Self::Tree(tree),
            Err(_) => Self::Malformed(raw.get().to_owned()),
        })
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Dirent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Tree::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Tree::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<Op>) {
        assert_eq!(serde_json::from_str::<Op>(text).ok(), expect, "{text}");
    }

    #[test]
    fn an_operation_has_three_keys_and_maybe_cuts() {
        check(
            r#"{"key":"a","flags":0,"dirent":null}"#,
            Some(Op::unlink("a")),
        );
        check(
            r#"{"key":"a","flags":0,"dirent":{"ver":1,"type":"val","data":"MQ=="}}"#,
            Some(Op::put("a", "1")),
        );
        check(r#"{"key":"a","flags":0}"#, None);
        check(r#"{"key":"a","dirent":null}"#, None);
        check(r#"{"flags":0,"dirent":null}"#, None);
        check(r#"{"key":"a","flags":0,"dirent":null,"more":1}"#, None);
        check(
            r#"{"key":"a","flags":0,"dirent":{"ver":1,"type":"val","data":"MTI="},"cuts":[1]}"#,
            Some(Op::put("a", "12").cut(vec![1])),
        );
        check(r#"{"key":"a","flags":0,"dirent":null,"cuts":[-1]}"#, None);
        let plain = serde_json::to_string(&Op::unlink("a")).unwrap();
        assert_eq!(plain, r#"{"key":"a","flags":0,"dirent":null}"#);
    }

    #[test]
    fn cuts_rise_and_lie_within_a_value_that_is_put() {
        let check = |op: Op, cuts: &[u32], expect: bool| {
            let op = op.cut(cuts.to_vec());
            assert_eq!(op.has_good_cuts(), expect, "{op:?}");
        };
        let value = || Op::put("a", "123456");
        check(value(), &[], true);
        check(value(), &[1], true);
        check(value(), &[1, 2, 3, 5], true);
        check(value(), &[1, 2, 3, 4, 5], false);
        check(value(), &[0], false);
        check(value(), &[6], false);
        check(value(), &[2, 2], false);
        check(value(), &[3, 2], false);
        check(value(), &[u32::MAX], false);
        check(Op::append("a", "123456"), &[], true);
        check(Op::append("a", "123456"), &[1], false);
        check(Op::mkdir("a"), &[1], false);
        check(Op::symlink("a", None, "b"), &[1], false);
        check(Op::unlink("a"), &[1], false);
    }

    #[test]
    fn what_is_no_tree_object_is_kept_for_the_refusal() {
        let text = r#"{"key":"a","flags":0,"dirent":{"ver":2}}"#;
        let op: Op = serde_json::from_str(text).unwrap();
        assert_eq!(
            op.dirent,
            Some(Dirent::Malformed(r#"{"ver":2}"#.to_owned()))
        );
        assert_eq!(serde_json::to_string(&op).unwrap(), text);
    }
}
