//! New part of a growing value, found by the list of its blobs (protocol/04 section 8).
//!
//! The kvs makes one blob of the last small ones of a log now and then. Such a blob
//! begins with text that was sent already, proved by its hashes, and only the rest is
//! new.

use bytes::Bytes;
use proto::data::{BlobRef, Tree};
use proto::kvs_watch::LookupError;

/// Part of a value that has been sent.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Sent {
    /// Nothing yet.
    #[default]
    Nothing,
    /// A value held in its directory.
    Inline(Bytes),
    /// Blobs, all of them sent or on their way.
    Blobs {
        /// Blobrefs.
        names: Vec<BlobRef>,
        /// Bytes of those that were sent.
        sizes: Vec<usize>,
    },
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// Contents of a blob, behind the part sent before.
    Blob(BlobRef, Known),
}

/// Blobs that another blob should begin with, and their sizes.
pub type Known = Vec<(BlobRef, usize)>;

impl Sent {
    /// The pieces of `value` that were not sent yet. They count as sent after this.
    pub fn advance(&mut self, value: &Tree) -> Result<Vec<Piece>, LookupError> {
        match value {
            Tree::Val(bytes) => self.advance_inline(bytes),
            Tree::ValRef(names) => self.advance_blobs(names),
            Tree::Dir(_) | Tree::DirRef(_) => Err(LookupError::DirAppend(value.kind())),
            Tree::Symlink { .. } => Err(LookupError::SymlinkAppend),
        }
    }

    fn advance_inline(&mut self, bytes: &Bytes) -> Result<Vec<Piece>, LookupError> {
        match self {
            Self::Nothing => {
                *self = Self::Inline(bytes.clone());
                Ok(vec![Piece::Bytes(bytes.clone())])
            }
            Self::Inline(before) if before == bytes => Ok(Vec::new()),
            _ if bytes.is_empty() => Err(LookupError::Truncated),
            Self::Inline(_) => Err(LookupError::Overwritten),
            Self::Blobs { .. } => Err(LookupError::Shortened),
        }
    }

    fn advance_blobs(&mut self, new: &[BlobRef]) -> Result<Vec<Piece>, LookupError> {
        let (old, mut sizes) = match std::mem::take(self) {
            Self::Nothing => (Vec::new(), Vec::new()),
            // The first append turns a value held in its directory into a blob.
            Self::Inline(bytes) => {
                let kind = new.first().map(BlobRef::kind).unwrap_or_default();
                (vec![BlobRef::of(kind, &bytes)], vec![bytes.len()])
            }
            Self::Blobs { names, sizes } => (names, sizes),
        };
        let same = old
            .iter()
            .zip(new)
            .take_while(|(old, new)| old == new)
            .count();
        let mut known: Known = old
            .iter()
            .copied()
            .zip(sizes.iter().copied())
            .skip(same)
            .collect();
        if same == new.len() && same < old.len() {
            return Err(LookupError::Shortened);
        }
        sizes.truncate(same);
        *self = Self::Blobs {
            names: new.to_vec(),
            sizes,
        };
        let pieces = new[same..].iter();
        Ok(pieces
            .map(|name| Piece::Blob(*name, std::mem::take(&mut known)))
            .collect())
    }

    /// Notes that the next blob, of `bytes` bytes, was sent.
    pub fn note(&mut self, bytes: usize) {
        if let Self::Blobs { sizes, .. } = self {
            sizes.push(bytes);
        }
    }
}

/// Contents of `blob` behind the blobs that it should begin with.
pub fn after(known: &Known, blob: &Bytes) -> Result<Bytes, LookupError> {
    let mut rest = blob.clone();
    for (name, bytes) in known {
        if rest.len() < *bytes || BlobRef::of(name.kind(), &rest.split_to(*bytes)) != *name {
            return Err(LookupError::Overwritten);
        }
    }
    Ok(rest)
}

/// All pieces of `value`, for a stream.
pub fn pieces_of(value: &Tree) -> Result<Vec<Piece>, LookupError> {
    match value {
        Tree::Val(bytes) => Ok(vec![Piece::Bytes(bytes.clone())]),
        Tree::ValRef(names) => {
            let names = names.iter();
            Ok(names.map(|name| Piece::Blob(*name, Known::new())).collect())
        }
        Tree::Dir(_) | Tree::DirRef(_) => Err(LookupError::DirStream(value.kind())),
        Tree::Symlink { .. } => Err(LookupError::SymlinkStream),
    }
}

#[cfg(test)]
mod tests {
    use proto::data::HashKind;

    use super::*;

    fn name(text: &str) -> BlobRef {
        BlobRef::of(HashKind::Sha1, text.as_bytes())
    }

    fn val(text: &'static str) -> Tree {
        Tree::Val(text.into())
    }

    fn blobs(texts: &[&str]) -> Tree {
        Tree::ValRef(texts.iter().map(|text| name(text)).collect())
    }

    /// Sends a value; gives the texts that were sent. Blobs are named for their text.
    fn send(sent: &mut Sent, value: &Tree, texts: &[&str]) -> Result<Vec<String>, LookupError> {
        let mut said = Vec::new();
        for piece in sent.advance(value)? {
            let bytes = match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::Blob(wanted, known) => {
                    let text = texts.iter().find(|text| name(text) == wanted).unwrap();
                    sent.note(text.len());
                    after(&known, &Bytes::copy_from_slice(text.as_bytes()))?
                }
            };
            said.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        Ok(said)
    }

    /// The values one after the other; the messages sent for the last of them.
    fn check(values: &[Tree], expect: Result<&[&str], LookupError>) {
        let texts = [
            "a", "b", "c", "d", "ab", "abc", "bc", "bcd", "cd", "x", "xb",
        ];
        let mut sent = Sent::default();
        let (last, before) = values.split_last().unwrap();
        for value in before {
            send(&mut sent, value, &texts).unwrap();
        }
        let expect = expect.map(|texts| texts.iter().map(|text| text.to_string()).collect());
        assert_eq!(send(&mut sent, last, &texts), expect, "{values:?}");
    }

    #[test]
    fn only_what_was_appended_is_sent() {
        check(&[val("a")], Ok(&["a"]));
        check(&[val("")], Ok(&[""]));
        check(&[blobs(&["a", "b"])], Ok(&["a", "b"]));
        check(&[val("a"), blobs(&["a", "b"])], Ok(&["b"]));
        check(&[blobs(&["a"]), blobs(&["a", "b", "c"])], Ok(&["b", "c"]));
        check(&[blobs(&["a"]), blobs(&["a"])], Ok(&[]));
        check(&[val("a"), val("a")], Ok(&[]));
    }

    #[test]
    fn a_blob_made_of_others_is_new_after_them() {
        check(&[blobs(&["a", "b"]), blobs(&["abc"])], Ok(&["c"]));
        check(&[val("a"), blobs(&["abc", "d"])], Ok(&["bc", "d"]));
        check(&[blobs(&["a", "b", "c"]), blobs(&["a", "bcd"])], Ok(&["d"]));
        check(&[blobs(&["a", "b"]), blobs(&["ab", "cd"])], Ok(&["", "cd"]));
        let steps = [blobs(&["a", "b"]), blobs(&["abc"]), blobs(&["abc", "d"])];
        check(&steps, Ok(&["d"]));
    }

    #[test]
    fn a_value_that_did_not_just_grow_is_refused() {
        check(&[val("a"), val("b")], Err(LookupError::Overwritten));
        check(
            &[val("a"), blobs(&["b", "c"])],
            Err(LookupError::Overwritten),
        );
        check(
            &[blobs(&["a"]), blobs(&["b", "c"])],
            Err(LookupError::Overwritten),
        );
        check(
            &[blobs(&["a", "b"]), blobs(&["xb", "c"])],
            Err(LookupError::Overwritten),
        );
        check(
            &[blobs(&["a", "b"]), blobs(&["x"])],
            Err(LookupError::Overwritten),
        );
        check(&[val("a"), val("")], Err(LookupError::Truncated));
        check(&[blobs(&["a"]), val("")], Err(LookupError::Truncated));
        check(
            &[blobs(&["a", "b"]), blobs(&["a"])],
            Err(LookupError::Shortened),
        );
        check(&[blobs(&["a", "b"]), val("a")], Err(LookupError::Shortened));
    }

    #[test]
    fn only_values_grow_and_are_streamed() {
        let dirref = Tree::DirRef(name("a"));
        for (tree, kind) in [
            (Tree::empty_dir(), "dir"),
            (dirref, "dirref"),
            (Tree::symlink("a"), "symlink"),
        ] {
            let text = Sent::default().advance(&tree).unwrap_err().to_string();
            assert_eq!(text, format!("{kind} cannot be watched with WATCH_APPEND"));
            let text = pieces_of(&tree).unwrap_err().to_string();
            assert_eq!(text, format!("{kind} cannot be streamed"));
        }
    }
}
