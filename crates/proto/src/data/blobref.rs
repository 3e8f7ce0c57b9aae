//! Blob references (RFC 10): the name of a blob is the hash of its bytes.

use std::fmt::{self, Write};
use std::str::FromStr;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::textual::string_on_the_wire;

/// A hash function of the content store, broker attribute `content.hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum HashKind {
    /// SHA-1, 20 bytes; the default.
    #[default]
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

/// The name of one blob: `sha1-` and 40 hexadecimal digits, or `sha256-` and 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobRef {
    /// A SHA-1 digest.
    Sha1([u8; 20]),
    /// A SHA-256 digest.
    Sha256([u8; 32]),
}

/// A text or digest that names no blob. Services answer EINVAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobRefError {
    /// The prefix is neither `sha1-` nor `sha256-`.
    #[error("blobref has an unknown hash type")]
    Kind,
    /// The number of digits or bytes is wrong for the hash.
    #[error("blobref has the wrong length")]
    Length,
    /// A character other than 0-9 and a-f.
    #[error("blobref has an invalid digit")]
    Digit,
}

impl HashKind {
    /// The prefix of a reference, also the value of `content.hash`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// Bytes of a digest.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl FromStr for HashKind {
    type Err = BlobRefError;

    fn from_str(name: &str) -> Result<Self, BlobRefError> {
        match name {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            _ => Err(BlobRefError::Kind),
        }
    }
}

impl fmt::Display for HashKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl BlobRef {
    /// The reference of a blob with these bytes.
    pub fn of(kind: HashKind, blob: &[u8]) -> Self {
        match kind {
            HashKind::Sha1 => Self::Sha1(Sha1::digest(blob).into()),
            HashKind::Sha256 => Self::Sha256(Sha256::digest(blob).into()),
        }
    }

    /// The reference with this digest; its length determines the hash.
    pub fn from_digest(digest: &[u8]) -> Result<Self, BlobRefError> {
        if let Ok(digest) = digest.try_into() {
            Ok(Self::Sha1(digest))
        } else if let Ok(digest) = digest.try_into() {
            Ok(Self::Sha256(digest))
        } else {
            Err(BlobRefError::Length)
        }
    }

    /// The digest, as in raw requests to the content store.
    pub fn digest(&self) -> &[u8] {
        match self {
            Self::Sha1(digest) => digest,
            Self::Sha256(digest) => digest,
        }
    }

    /// Hash of the reference.
    pub const fn kind(&self) -> HashKind {
        match self {
            Self::Sha1(_) => HashKind::Sha1,
            Self::Sha256(_) => HashKind::Sha256,
        }
    }
}

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        f.write_char('-')?;
        for byte in self.digest() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobRef({self})")
    }
}

impl FromStr for BlobRef {
    type Err = BlobRefError;

    fn from_str(text: &str) -> Result<Self, BlobRefError> {
        let (name, digits) = text.split_once('-').ok_or(BlobRefError::Kind)?;
        match name.parse()? {
            HashKind::Sha1 => parse_digits(digits).map(Self::Sha1),
            HashKind::Sha256 => parse_digits(digits).map(Self::Sha256),
        }
    }
}

string_on_the_wire!(
    BlobRef,
    "BlobRef",
    "a blob reference, such as \"sha1-…\" with 40 digits"
);

fn parse_digits<const N: usize>(text: &str) -> Result<[u8; N], BlobRefError> {
    if text.len() != 2 * N {
        return Err(BlobRefError::Length);
    }
    let mut digest = [0; N];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Ok(digest)
}

fn nibble(digit: u8) -> Result<u8, BlobRefError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(BlobRefError::Digit),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY_SHA1: &str = "sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709";
    const EMPTY_SHA256: &str =
        "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_blob_is_named_by_its_hash() {
        for (kind, text) in [("sha1", EMPTY_SHA1), ("sha256", EMPTY_SHA256)] {
            let kind: HashKind = kind.parse().unwrap();
            let blobref = BlobRef::of(kind, b"");
            assert_eq!(blobref.to_string(), text);
            assert_eq!(text.parse(), Ok(blobref));
            assert_eq!(BlobRef::from_digest(blobref.digest()), Ok(blobref));
            assert_eq!(
                (blobref.kind(), blobref.digest().len()),
                (kind, kind.digest_len())
            );
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, error) in [
            ("", BlobRefError::Kind),
            ("sha1", BlobRefError::Kind),
            ("md5-00", BlobRefError::Kind),
            ("sha1-00", BlobRefError::Length),
            (
                &EMPTY_SHA1.to_uppercase().replace("SHA", "sha"),
                BlobRefError::Digit,
            ),
            (&EMPTY_SHA1.replace("sha1", "sha256"), BlobRefError::Length),
            (&format!("sha1-{}", "é".repeat(20)), BlobRefError::Digit),
        ] {
            assert_eq!(text.parse::<BlobRef>(), Err(error), "{text}");
        }
        assert_eq!(BlobRef::from_digest(&[0; 21]), Err(BlobRefError::Length));
    }

    proptest! {
        #[test]
        fn any_reference_survives_its_text(blob: Vec<u8>) {
            for kind in [HashKind::Sha1, HashKind::Sha256] {
                let blobref = BlobRef::of(kind, &blob);
                prop_assert_eq!(blobref.to_string().parse(), Ok(blobref));
            }
        }
    }
}
