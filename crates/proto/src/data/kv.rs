//! Key-value sequences (RFC 38): the header of a signed request.
//!
//! Each entry is `key NUL type value NUL`, the type one character: `s` text, `i` integer.

/// A value of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvValue {
    /// Type `s`.
    Text(String),
    /// Type `i`.
    Int(i64),
}

/// Errors of decoding a sequence or encoding an entry. Services answer EINVAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The last entry is cut off.
    #[error("key-value sequence is cut off")]
    CutOff,
    /// A key is empty.
    #[error("key-value sequence has an empty key")]
    EmptyKey,
    /// A key is in the sequence twice.
    #[error("key-value sequence has a key twice")]
    Repeated,
    /// A type other than `s` and `i`.
    #[error("key-value sequence has an unknown type")]
    Type,
    /// A value that does not fit its type, or a NUL inside.
    #[error("key-value sequence has an invalid value")]
    Value,
    /// Not UTF-8.
    #[error("key-value sequence is not UTF-8")]
    NotUtf8,
}

/// The bytes of a sequence.
pub fn encode_kv<'a>(
    entries: impl IntoIterator<Item = (&'a str, KvValue)>,
) -> Result<Vec<u8>, KvError> {
    let mut bytes = Vec::new();
    for (key, value) in entries {
        if key.is_empty() {
            return Err(KvError::EmptyKey);
        }
        let (kind, value) = match value {
            KvValue::Text(text) => (b's', text),
            KvValue::Int(number) => (b'i', number.to_string()),
        };
        if key.contains('\0') || value.contains('\0') {
            return Err(KvError::Value);
        }
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(&[0, kind]);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    Ok(bytes)
}

/// The entries of a sequence in their order.
pub fn decode_kv(bytes: &[u8]) -> Result<Vec<(&str, KvValue)>, KvError> {
    let text = std::str::from_utf8(bytes).map_err(|_| KvError::NotUtf8)?;
    let mut entries: Vec<(&str, KvValue)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('\0').ok_or(KvError::CutOff)?;
        let (value, after) = after.split_once('\0').ok_or(KvError::CutOff)?;
        if key.is_empty() {
            return Err(KvError::EmptyKey);
        }
        if entries.iter().any(|(known, _)| *known == key) {
            return Err(KvError::Repeated);
        }
        let value = if let Some(text) = value.strip_prefix('s') {
            KvValue::Text(text.to_owned())
        } else if let Some(number) = value.strip_prefix('i') {
            KvValue::Int(number.parse().map_err(|_| KvError::Value)?)
        } else {
            return Err(KvError::Type);
        };
        entries.push((key, value));
        rest = after;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_are_written_and_read() {
        let entries = [
            ("version", KvValue::Int(1)),
            ("mechanism", KvValue::Text("none".into())),
        ];
        let bytes = encode_kv(entries.clone()).unwrap();
        assert_eq!(bytes, b"version\0i1\0mechanism\0snone\0");
        assert_eq!(decode_kv(&bytes), Ok(entries.to_vec()));
        assert_eq!(decode_kv(b""), Ok(vec![]));
    }

    #[test]
    fn bad_sequences_are_refused() {
        for (bytes, error) in [
            (&b"a"[..], KvError::CutOff),
            (b"a\0i1", KvError::CutOff),
            (b"\0i1\0", KvError::EmptyKey),
            (b"a\0i1\0a\0i2\0", KvError::Repeated),
            (b"a\0x1\0", KvError::Type),
            (b"a\0\0", KvError::Type),
            (b"a\0ix\0", KvError::Value),
            (b"a\0s\xff\0", KvError::NotUtf8),
        ] {
            assert_eq!(decode_kv(bytes), Err(error), "{bytes:?}");
        }
        assert_eq!(encode_kv([("", KvValue::Int(1))]), Err(KvError::EmptyKey));
        assert_eq!(
            encode_kv([("a", KvValue::Text("\0".into()))]),
            Err(KvError::Value)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            let _ = decode_kv(&bytes);
        }
    }
}
