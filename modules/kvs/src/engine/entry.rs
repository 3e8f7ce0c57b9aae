//! The text of one directory entry: a tree object in JSON.
//!
//! Most entries are never taken apart. Facts visible at the ends of the canonical form
//! are read there; anything else goes through `proto::data::Tree`.

use bytes::Bytes;
use proto::data::{BlobRef, Tree};

/// Kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value held here.
    Val,
    /// A value in blobs.
    ValRef,
    /// A directory held here; only client programs make these.
    Dir,
    /// A directory in a blob.
    DirRef,
    /// A link.
    Symlink,
}

/// Between two blobs of a valref.
const SEPARATOR: &str = "\",\"";
const VALREF_HEAD: &[u8] = br#"{"data":[""#;
const VALREF_TAIL: &[u8] = br#""],"type":"valref","ver":1}"#;
const DIRREF_TAIL: &[u8] = br#""],"type":"dirref","ver":1}"#;
const VAL_TAIL: &[u8] = br#"","type":"val","ver":1}"#;
const DIR_TAIL: &[u8] = br#"},"type":"dir","ver":1}"#;
const SYMLINK_TAIL: &[u8] = br#"},"type":"symlink","ver":1}"#;

/// Text that is no tree object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

/// Kind of `text`.
pub fn kind_of(text: &[u8]) -> Result<Kind, Corrupt> {
    let tails = [
        (VAL_TAIL, Kind::Val),
        (DIRREF_TAIL, Kind::DirRef),
        (VALREF_TAIL, Kind::ValRef),
        (SYMLINK_TAIL, Kind::Symlink),
        (DIR_TAIL, Kind::Dir),
    ];
    if let Some((_, kind)) = tails.iter().find(|(tail, _)| text.ends_with(tail))
        && text.starts_with(br#"{"data":"#)
    {
        return Ok(*kind);
    }
    Ok(match decode(text)? {
        Tree::Val(_) => Kind::Val,
        Tree::ValRef(_) => Kind::ValRef,
        Tree::Dir(_) => Kind::Dir,
        Tree::DirRef(_) => Kind::DirRef,
        Tree::Symlink { .. } => Kind::Symlink,
    })
}

/// The whole object.
pub fn decode(text: &[u8]) -> Result<Tree, Corrupt> {
    Tree::decode(text).map_err(|_| Corrupt)
}

/// The reference in a dirref.
pub fn dirref_of(text: &[u8]) -> Result<BlobRef, Corrupt> {
    let inner = text
        .strip_prefix(VALREF_HEAD)
        .and_then(|text| text.strip_suffix(DIRREF_TAIL));
    let name = inner.and_then(|name| std::str::from_utf8(name).ok()?.parse().ok());
    match name {
        Some(name) => Ok(name),
        None => match decode(text)? {
            Tree::DirRef(name) => Ok(name),
            _ => Err(Corrupt),
        },
    }
}

/// The text of a dirref.
pub fn dirref(name: BlobRef) -> Vec<u8> {
    let name = name.to_string();
    [VALREF_HEAD, name.as_bytes(), DIRREF_TAIL].concat()
}

/// The text of a valref.
pub fn valref(names: &[BlobRef]) -> Vec<u8> {
    Tree::ValRef(names.to_vec()).encode()
}

/// The bytes of a val.
pub fn val_bytes(text: &[u8]) -> Result<Bytes, Corrupt> {
    match decode(text)? {
        Tree::Val(bytes) => Ok(bytes),
        _ => Err(Corrupt),
    }
}

/// The text of a val.
pub fn val(bytes: Bytes) -> Vec<u8> {
    Tree::Val(bytes).encode()
}

/// True if a val of `len` bytes is stored as a blob: its base64 text is longer than 72
/// bytes (protocol/04 section 1).
pub fn is_long(len: usize) -> bool {
    len.div_ceil(3) * 4 > 72
}

/// The blobs of a valref, the last one first. None if the text is not canonical.
pub fn last_blobs(valref: &[u8]) -> impl Iterator<Item = BlobRef> {
    let names = names_in(valref).unwrap_or_default();
    let names = std::str::from_utf8(names).unwrap_or_default();
    names.rsplit(SEPARATOR).map_while(|name| name.parse().ok())
}

/// The text of a valref whose last `count` blobs have become `name`; with 0, it has one
/// more. A log may have thousands, so the old text is copied, not read.
pub fn replace_last_blobs(valref: &[u8], count: usize, name: BlobRef) -> Result<Vec<u8>, Corrupt> {
    let Some(names) = names_in(valref) else {
        let Tree::ValRef(mut names) = decode(valref)? else {
            return Err(Corrupt);
        };
        names.truncate(names.len().saturating_sub(count));
        names.push(name);
        return Ok(self::valref(&names));
    };
    let name = name.to_string();
    let mut kept = names.len();
    for _ in 0..count {
        let before = &names[..kept];
        let found = before
            .windows(SEPARATOR.len())
            .rposition(|part| part == SEPARATOR.as_bytes());
        match found {
            Some(at) => kept = at,
            None => return Ok([VALREF_HEAD, name.as_bytes(), VALREF_TAIL].concat()),
        }
    }
    let (kept, separator) = (&names[..kept], SEPARATOR.as_bytes());
    Ok([VALREF_HEAD, kept, separator, name.as_bytes(), VALREF_TAIL].concat())
}

/// Text between the first and the last quote of a canonical valref.
fn names_in(valref: &[u8]) -> Option<&[u8]> {
    valref.strip_prefix(VALREF_HEAD)?.strip_suffix(VALREF_TAIL)
}

#[cfg(test)]
mod tests {
    use proto::data::HashKind;

    use super::*;

    const VAL_HEAD: &[u8] = br#"{"data":""#;

    fn name(text: &str) -> BlobRef {
        BlobRef::of(HashKind::Sha1, text.as_bytes())
    }

    fn check(tree: Tree, kind: Kind) {
        let canonical = tree.encode();
        let value: serde_json::Map<_, _> = serde_json::from_slice(&canonical).unwrap();
        let entries: Vec<(String, serde_json::Value)> = value.into_iter().collect();
        let reversed: serde_json::Map<_, _> = entries.into_iter().rev().collect();
        let reversed = serde_json::to_vec(&reversed).unwrap();
        assert_ne!(canonical, reversed);
        for text in [canonical, reversed] {
            assert_eq!(
                kind_of(&text),
                Ok(kind),
                "{}",
                String::from_utf8_lossy(&text)
            );
        }
    }

    #[test]
    fn the_kind_is_told_in_any_form() {
        check(Tree::Val("x".into()), Kind::Val);
        check(Tree::Val("".into()), Kind::Val);
        check(Tree::ValRef(vec![name("a")]), Kind::ValRef);
        check(Tree::DirRef(name("a")), Kind::DirRef);
        check(Tree::empty_dir(), Kind::Dir);
        check(Tree::symlink("a.b"), Kind::Symlink);
        assert_eq!(kind_of(b"{}"), Err(Corrupt));
        assert_eq!(kind_of(b""), Err(Corrupt));
    }

    #[test]
    fn a_dirref_is_read_in_any_form() {
        let text = dirref(name("a"));
        assert_eq!(text, Tree::DirRef(name("a")).encode());
        assert_eq!(dirref_of(&text), Ok(name("a")));
        let other = format!(r#"{{"type":"dirref","ver":1,"data":["{}"]}}"#, name("a"));
        assert_eq!(dirref_of(other.as_bytes()), Ok(name("a")));
        assert_eq!(dirref_of(&val("x".into())), Err(Corrupt));
    }

    #[test]
    fn blobs_are_appended_and_replaced_in_any_form() {
        let names = ["a", "b", "c"].map(name);
        let canonical = valref(&names);
        let [a, b, c] = names;
        let other = format!(r#"{{"type":"valref","ver":1,"data":["{a}","{b}","{c}"]}}"#);
        let new = name("new");
        for text in [&canonical, other.as_bytes()] {
            let check = |count, expect: &[BlobRef]| {
                assert_eq!(
                    replace_last_blobs(text, count, new),
                    Ok(valref(expect)),
                    "{count}"
                );
            };
            check(0, &[a, b, c, new]);
            check(1, &[a, b, new]);
            check(2, &[a, new]);
            check(3, &[new]);
            check(4, &[new]);
        }
        assert_eq!(last_blobs(&canonical).collect::<Vec<_>>(), [c, b, a]);
        assert_eq!(last_blobs(other.as_bytes()).count(), 0);
        assert_eq!(replace_last_blobs(&val("x".into()), 0, new), Err(Corrupt));
    }

    #[test]
    fn a_value_is_long_when_its_base64_text_has_more_than_72_bytes() {
        for len in 0..200 {
            let text = val(vec![b'x'; len].into());
            let base64_len = text.len() - VAL_HEAD.len() - VAL_TAIL.len();
            assert_eq!(is_long(len), base64_len > 72, "{len}");
        }
    }
}
