//! A blob described by its differences from another one: a large directory of which a
//! commit changes one entry is neither sent nor written as a whole.

use bytes::Bytes;

/// Instructions that make a blob from another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    /// The digest is not verified. The caller vouches for it.
    pub digest: Bytes,
    /// Digest of the other one.
    pub base: Bytes,
    /// The parts of the blob in order.
    pub parts: Vec<Part>,
    /// Last bytes.
    pub tail: Bytes,
}

/// Bytes of the blob itself, then bytes of the other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Bytes of the blob itself.
    pub own: Bytes,
    /// Offset in the other blob.
    pub at: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Edit {
    /// Bytes of the blob.
    pub fn blob_bytes(&self) -> usize {
        let parts = self.parts.iter();
        let parts = parts.map(|part| part.own.len() + part.len as usize);
        parts.sum::<usize>() + self.tail.len()
    }

    /// Approximate size of the edit in bytes.
    pub fn bytes(&self) -> usize {
        let own: usize = self.parts.iter().map(|part| part.own.len() + 12).sum();
        own + self.tail.len() + self.digest.len() + self.base.len() + 16
    }

    /// Makes the blob. `None` if `base` is too short to be the right one.
    pub fn apply(&self, base: &[u8]) -> Option<Bytes> {
        let mut blob = Vec::with_capacity(base.len() + self.bytes());
        for part in &self.parts {
            blob.extend_from_slice(&part.own);
            let at = part.at as usize;
            blob.extend_from_slice(base.get(at..at.checked_add(part.len as usize)?)?);
        }
        blob.extend_from_slice(&self.tail);
        Some(blob.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(own: &'static str, at: u32, len: u32) -> Part {
        Part {
            own: Bytes::from_static(own.as_bytes()),
            at,
            len,
        }
    }

    #[test]
    fn parts_of_the_base_are_put_together() {
        let edit = Edit {
            parts: vec![part("", 0, 2), part("X", 3, 1), part("", 0, 1)],
            tail: Bytes::from_static(b"end"),
            ..Edit::default()
        };
        assert_eq!(edit.apply(b"abcd").as_deref(), Some(&b"abXdaend"[..]));
        assert_eq!(edit.blob_bytes(), 8);
    }

    #[test]
    fn a_base_that_is_too_short_is_told() {
        for (at, len) in [(0, 5), (5, 0), (4, 1), (u32::MAX, u32::MAX)] {
            let edit = Edit {
                parts: vec![part("", at, len)],
                ..Edit::default()
            };
            assert_eq!(edit.apply(b"abcd"), None, "{at} {len}");
        }
    }
}
