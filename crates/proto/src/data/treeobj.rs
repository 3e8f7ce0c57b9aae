//! KVS tree objects (RFC 11): values, directories, links, and references to blobs of
//! values and directories.
//!
//! Contains the JSON form: exactly the keys `data`, `type`, `ver`. The encoding is canonical
//! (keys sorted, no blanks), because the hash of an encoded directory is its name. Objects are
//! read in one pass, in any order of their keys.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::blobref::{BlobRef, HashKind};

/// The entries of a directory, sorted by name.
pub type Dir = BTreeMap<Box<str>, Tree>;

/// One tree object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A value stored inline.
    Val(Bytes),
    /// A value in one or more blobs, one after the other. Never empty.
    ValRef(Vec<BlobRef>),
    /// A directory stored inline.
    Dir(Dir),
    /// A directory in a blob.
    DirRef(BlobRef),
    /// A link to another key.
    Symlink {
        /// Key that it points to.
        target: String,
        /// The namespace of that key, if another.
        namespace: Option<String>,
    },
}

/// Errors of parsing a tree object. Services answer EINVAL or EPROTO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed tree object: {0}")]
pub struct TreeError(String);

impl Tree {
    /// The empty directory.
    pub const fn empty_dir() -> Self {
        Self::Dir(Dir::new())
    }

    /// A link within the namespace.
    pub fn symlink(target: impl Into<String>) -> Self {
        Self::Symlink {
            target: target.into(),
            namespace: None,
        }
    }

    /// The value of `type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Val(_) => "val",
            Self::ValRef(_) => "valref",
            Self::Dir(_) => "dir",
            Self::DirRef(_) => "dirref",
            Self::Symlink { .. } => "symlink",
        }
    }

    /// True for a directory, inline or in a blob.
    pub const fn is_dir(&self) -> bool {
        matches!(self, Self::Dir(_) | Self::DirRef(_))
    }

    /// The canonical bytes, of which the hash is taken.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("keys are strings and there are no numbers but 1")
    }

    /// Reads one object from JSON text. Nesting is bounded by the JSON reader, 128 levels of
    /// braces, which is about 60 nested directories.
    pub fn decode(json: &[u8]) -> Result<Self, TreeError> {
        serde_json::from_slice(json).map_err(|error| TreeError(error.to_string()))
    }

    /// The reference of the canonical bytes.
    pub fn blobref(&self, kind: HashKind) -> BlobRef {
        BlobRef::of(kind, &self.encode())
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(3))?;
        match self {
            Self::Val(value) => object.serialize_entry("data", &BASE64.encode(value))?,
            Self::ValRef(blobrefs) => object.serialize_entry("data", blobrefs)?,
            Self::Dir(entries) => object.serialize_entry("data", entries)?,
            Self::DirRef(blobref) => object.serialize_entry("data", &[blobref])?,
            Self::Symlink {
                target,
                namespace: None,
            } => {
                object.serialize_entry("data", &BTreeMap::from([("target", target)]))?;
            }
            Self::Symlink {
                target,
                namespace: Some(namespace),
            } => {
                let data = BTreeMap::from([("namespace", namespace), ("target", target)]);
                object.serialize_entry("data", &data)?;
            }
        }
        object.serialize_entry("type", self.kind())?;
        object.serialize_entry("ver", &1)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TreeVisitor)
    }
}

crate::schema::schema_by_hand!(Tree, "Tree", named, {
    "type": "object",
    "description": "A KVS tree object (RFC 11).",
    "properties": {
        "ver": { "const": 1 },
        "type": { "enum": ["val", "valref", "dir", "dirref", "symlink"] },
        "data": { "type": ["string", "array", "object"] }
    },
    "required": ["ver", "type", "data"],
    "additionalProperties": false
});

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tree object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        match map.next_key()? {
            Some(key) => read_tree(key, map),
            None => Err(A::Error::missing_field("ver")),
        }
    }
}

/// Reads a tree object whose first key has been read already.
fn read_tree<'de, A: MapAccess<'de>>(first: Box<str>, mut map: A) -> Result<Tree, A::Error> {
    let (mut ver, mut kind, mut data) = (None::<i64>, None::<Box<str>>, None::<Data>);
    let mut key = Some(first);
    while let Some(name) = key {
        let is_repeated = match &*name {
            "ver" => ver.replace(map.next_value()?).is_some(),
            "type" => kind.replace(map.next_value()?).is_some(),
            "data" => data.replace(map.next_value()?).is_some(),
            _ => return Err(A::Error::custom(format_args!("unknown key '{name}'"))),
        };
        if is_repeated {
            return Err(A::Error::custom(format_args!("key '{name}' twice")));
        }
        key = map.next_key()?;
    }
    if ver.ok_or_else(|| A::Error::missing_field("ver"))? != 1 {
        return Err(A::Error::custom("unknown version"));
    }
    let kind = kind.ok_or_else(|| A::Error::missing_field("type"))?;
    let data = data.ok_or_else(|| A::Error::missing_field("data"))?;
    build(&kind, data).map_err(A::Error::custom)
}

/// Value of `data` before `type` has been read.
enum Data {
    Text(String),
    BlobRefs(Vec<BlobRef>),
    Entries(Dir),
    Texts(BTreeMap<Box<str>, String>),
}

fn build(kind: &str, data: Data) -> Result<Tree, &'static str> {
    match (kind, data) {
        ("val", Data::Text(text)) => {
            let value = BASE64.decode(text).map_err(|_| "invalid base64 in val")?;
            Ok(Tree::Val(value.into()))
        }
        ("valref", Data::BlobRefs(blobrefs)) if !blobrefs.is_empty() => Ok(Tree::ValRef(blobrefs)),
        ("dir", Data::Entries(entries)) => Ok(Tree::Dir(entries)),
        ("dirref", Data::BlobRefs(blobrefs)) => match *blobrefs {
            [blobref] => Ok(Tree::DirRef(blobref)),
            _ => Err("dirref must have exactly one blobref"),
        },
        ("symlink", Data::Texts(mut texts)) => {
            let target = texts.remove("target").ok_or("symlink has no target")?;
            let namespace = texts.remove("namespace");
            match texts.is_empty() {
                true => Ok(Tree::Symlink { target, namespace }),
                false => Err("unknown key in symlink"),
            }
        }
        ("val" | "valref" | "dir" | "symlink", _) => Err("data does not fit type"),
        ("dirref", _) => Err("data does not fit type"),
        _ => Err("unknown type"),
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data of a tree object")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Data, E> {
        Ok(Data::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut blobrefs: A) -> Result<Data, A::Error> {
        let mut all = Vec::new();
        while let Some(blobref) = blobrefs.next_element()? {
            all.push(blobref);
        }
        Ok(Data::BlobRefs(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut entries = Dir::new();
        let mut texts = BTreeMap::new();
        while let Some(name) = map.next_key::<Box<str>>()? {
            let is_repeated = match map.next_value()? {
                Member::Tree(tree) => entries.insert(name, tree).is_some(),
                Member::Text(text) => texts.insert(name, text).is_some(),
            };
            if is_repeated {
                return Err(A::Error::custom("the same name twice"));
            }
        }
        match (entries.is_empty(), texts.is_empty()) {
            (_, true) => Ok(Data::Entries(entries)),
            (true, false) => Ok(Data::Texts(texts)),
            (false, false) => Err(A::Error::custom("data is neither a directory nor a link")),
        }
    }
}

/// A value in an object under `data`: an entry of a directory, or a string of a link.
enum Member {
    Tree(Tree),
    Text(String),
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemberVisitor;

        impl<'de> Visitor<'de> for MemberVisitor {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tree object or a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Member, E> {
                Ok(Member::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
                TreeVisitor.visit_map(map).map(Member::Tree)
            }
        }

        deserializer.deserialize_any(MemberVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709";

    /// Reads `json`; prints the canonical form or the error.
    fn check(json: &str, expect: &str) {
        let outcome = match Tree::decode(json.as_bytes()) {
            Ok(tree) => String::from_utf8(tree.encode()).unwrap(),
            Err(error) => error.to_string(),
        };
        assert!(outcome.starts_with(expect), "{json}\n{outcome}");
    }

    fn check_same(json: &str) {
        check(json, json);
        let tree = Tree::decode(json.as_bytes()).unwrap();
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::from_value::<Tree>(value).unwrap(), tree);
    }

    #[test]
    fn canonical_objects_are_read_and_written() {
        check_same(r#"{"data":"MQ==","type":"val","ver":1}"#);
        check_same(r#"{"data":"","type":"val","ver":1}"#);
        check_same(&format!(
            r#"{{"data":["{A}","{A}"],"type":"valref","ver":1}}"#
        ));
        check_same(r#"{"data":{"a":{"data":"MQ==","type":"val","ver":1}},"type":"dir","ver":1}"#);
        check_same(&format!(r#"{{"data":["{A}"],"type":"dirref","ver":1}}"#));
        check_same(r#"{"data":{"target":"a.b"},"type":"symlink","ver":1}"#);
        check_same(r#"{"data":{"namespace":"ns1","target":"a.b"},"type":"symlink","ver":1}"#);
    }

    #[test]
    fn the_empty_directory_has_32_bytes() {
        let text = r#"{"data":{},"type":"dir","ver":1}"#;
        assert_eq!(Tree::empty_dir().encode(), text.as_bytes());
        assert_eq!(text.len(), 32);
        check_same(text);
        let blobref = Tree::empty_dir().blobref(HashKind::Sha1);
        assert_eq!(blobref, BlobRef::of(HashKind::Sha1, text.as_bytes()));
    }

    #[test]
    fn key_order_and_blanks_do_not_matter_when_reading() {
        check(
            r#" {"ver":1, "type":"val","data":"MQ=="} "#,
            r#"{"data":"MQ==","type":"val","ver":1}"#,
        );
        check(
            r#"{"type":"symlink","ver":1,"data":{"target":"a.b","namespace":"ns1"}}"#,
            r#"{"data":{"namespace":"ns1","target":"a.b"},"type":"symlink","ver":1}"#,
        );
        check(
            r#"{"type":"dir","data":{"b/ü":{"ver":1,"type":"val","data":""},"a":{"ver":1,"type":"dir","data":{}}},"ver":1}"#,
            r#"{"data":{"a":{"data":{},"type":"dir","ver":1},"b/ü":{"data":"","type":"val","ver":1}},"type":"dir","ver":1}"#,
        );
    }

    #[test]
    fn malformed_objects_are_refused_with_the_reason() {
        for (json, reason) in [
            ("{}", "missing field `ver`"),
            (r#"{"ver":1,"type":"val"}"#, "missing field `data`"),
            (r#"{"ver":1,"data":""}"#, "missing field `type`"),
            (r#"{"type":"val","data":""}"#, "missing field `ver`"),
            (r#"{"ver":2,"type":"val","data":""}"#, "unknown version"),
            (
                r#"{"ver":1,"type":"val","data":"","x":1}"#,
                "unknown key 'x'",
            ),
            (
                r#"{"ver":1,"type":"val","data":"","ver":1}"#,
                "key 'ver' twice",
            ),
            (r#"{"ver":1,"type":"hdir","data":{}}"#, "unknown type"),
            ("[1,\"val\",\"\"]", "invalid type: sequence"),
            ("", "EOF"),
        ] {
            check(json, &format!("malformed tree object: {reason}"));
        }
    }

    #[test]
    fn data_that_does_not_fit_its_type_is_refused_with_the_reason() {
        for (json, reason) in [
            (
                r#"{"ver":1,"type":"val","data":"*"}"#,
                "invalid base64 in val",
            ),
            (
                r#"{"ver":1,"type":"val","data":"MQ"}"#,
                "invalid base64 in val",
            ),
            (
                r#"{"ver":1,"type":"val","data":[]}"#,
                "data does not fit type",
            ),
            (
                r#"{"ver":1,"type":"val","data":null}"#,
                "invalid type: null",
            ),
            (
                r#"{"ver":1,"type":"valref","data":[]}"#,
                "data does not fit type",
            ),
            (
                r#"{"ver":1,"type":"valref","data":["sha1-00"]}"#,
                "blobref has the wrong length",
            ),
            (
                r#"{"ver":1,"type":"dirref","data":[]}"#,
                "dirref must have exactly one blobref",
            ),
            (
                r#"{"ver":1,"type":"dirref","data":{}}"#,
                "data does not fit type",
            ),
            (
                r#"{"ver":1,"type":"dir","data":{"a":"x"}}"#,
                "data does not fit type",
            ),
            (r#"{"ver":1,"type":"dir","data":{"a":1}}"#, "invalid type"),
            (
                r#"{"ver":1,"type":"symlink","data":{}}"#,
                "data does not fit type",
            ),
            (
                r#"{"ver":1,"type":"symlink","data":{"namespace":"n"}}"#,
                "symlink has no target",
            ),
            (
                r#"{"ver":1,"type":"symlink","data":{"target":"a","x":"y"}}"#,
                "unknown key in symlink",
            ),
        ] {
            check(json, &format!("malformed tree object: {reason}"));
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let deep = r#"{"type":"dir","ver":1,"data":{"a":"#.repeat(10_000);
        check(&deep, "malformed tree object: recursion limit exceeded");
    }

    fn trees() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            any::<Vec<u8>>().prop_map(|value| Tree::Val(value.into())),
            prop::collection::vec(any::<[u8; 20]>().prop_map(BlobRef::Sha1), 1..3)
                .prop_map(Tree::ValRef),
            any::<[u8; 32]>().prop_map(|digest| Tree::DirRef(BlobRef::Sha256(digest))),
            (any::<String>(), any::<Option<String>>())
                .prop_map(|(target, namespace)| Tree::Symlink { target, namespace }),
        ];
        leaf.prop_recursive(4, 20, 4, |inner| {
            let name = any::<String>().prop_map(String::into_boxed_str);
            prop::collection::btree_map(name, inner, 0..4).prop_map(Tree::Dir)
        })
    }

    proptest! {
        #[test]
        fn any_tree_survives_its_bytes(tree in trees()) {
            prop_assert_eq!(Tree::decode(&tree.encode()), Ok(tree));
        }
    }
}
