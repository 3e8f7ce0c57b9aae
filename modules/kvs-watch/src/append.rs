//! What is new in a value that grows: by the list of its blobs, of which only the last
//! one sent is remembered (protocol/04 section 8).

use bytes::Bytes;
use proto::data::{BlobRef, Tree};
use proto::kvs_watch::LookupError;

/// What has been sent of a value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Sent {
    /// Nothing yet.
    #[default]
    Nothing,
    /// A value held in its directory.
    Inline(Bytes),
    /// So many blobs, of which this is the last.
    Blobs(usize, BlobRef),
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// What is in this blob.
    Blob(BlobRef),
}

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
            Self::Blobs(..) => Err(LookupError::Shortened),
        }
    }

    fn advance_blobs(&mut self, names: &[BlobRef]) -> Result<Vec<Piece>, LookupError> {
        let sent = match self {
            Self::Nothing => 0,
            // The first append turns a value held in its directory into a blob.
            Self::Inline(bytes) => match names.first() {
                Some(first) if *first == BlobRef::of(first.kind(), bytes) => 1,
                _ => return Err(LookupError::Overwritten),
            },
            Self::Blobs(sent, last) => match names.get(*sent - 1) {
                None => return Err(LookupError::Shortened),
                Some(name) if name != last => return Err(LookupError::Overwritten),
                Some(_) => *sent,
            },
        };
        if let Some(last) = names.last() {
            *self = Self::Blobs(names.len(), *last);
        }
        Ok(names[sent..].iter().copied().map(Piece::Blob).collect())
    }
}

/// All pieces of `value`, for a stream.
pub fn pieces_of(value: &Tree) -> Result<Vec<Piece>, LookupError> {
    match value {
        Tree::Val(bytes) => Ok(vec![Piece::Bytes(bytes.clone())]),
        Tree::ValRef(names) => Ok(names.iter().copied().map(Piece::Blob).collect()),
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

    /// The values one after the other; what is sent for the last of them.
    fn check(values: &[Tree], expect: Result<&[Piece], LookupError>) {
        let mut sent = Sent::default();
        let (last, before) = values.split_last().unwrap();
        for value in before {
            sent.advance(value).unwrap();
        }
        assert_eq!(sent.advance(last), expect.map(<[_]>::to_vec), "{values:?}");
    }

    #[test]
    fn only_what_was_appended_is_sent() {
        let blob = |text| Piece::Blob(name(text));
        check(&[val("a")], Ok(&[Piece::Bytes("a".into())]));
        check(&[val("")], Ok(&[Piece::Bytes("".into())]));
        check(&[blobs(&["a", "b"])], Ok(&[blob("a"), blob("b")]));
        check(&[val("a"), blobs(&["a", "b"])], Ok(&[blob("b")]));
        check(
            &[blobs(&["a"]), blobs(&["a", "b", "c"])],
            Ok(&[blob("b"), blob("c")]),
        );
        check(&[blobs(&["a"]), blobs(&["a"])], Ok(&[]));
        check(&[val("a"), val("a")], Ok(&[]));
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
        let refusals = [
            (
                Tree::empty_dir(),
                "dir cannot be watched with WATCH_APPEND",
                "dir cannot be streamed",
            ),
            (
                dirref,
                "dirref cannot be watched with WATCH_APPEND",
                "dirref cannot be streamed",
            ),
            (
                Tree::symlink("a"),
                "symlink cannot be watched with WATCH_APPEND",
                "symlink cannot be streamed",
            ),
        ];
        for (tree, append, stream) in refusals {
            let text = Sent::default().advance(&tree).unwrap_err().to_string();
            assert_eq!(text, append);
            assert_eq!(pieces_of(&tree).unwrap_err().to_string(), stream);
        }
    }
}
