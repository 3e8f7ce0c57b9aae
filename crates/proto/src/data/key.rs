//! KVS keys: dotted paths in their one normal form (protocol/04 section 2).

use std::fmt;
use std::str::FromStr;

use super::limits::{KEY_BYTES_MAX, KEY_COMPONENTS_MAX};
use super::textual::string_on_the_wire;

/// A normalised key: components joined by single dots, or the root, which prints as `.`.
///
/// Leading and trailing dots are dropped and runs of dots collapse, so `..a..b.` is `a.b`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<str>);

/// A key beyond the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Longer than `KEY_BYTES_MAX`.
    #[error("key is longer than {KEY_BYTES_MAX} bytes")]
    TooLong,
    /// More components than `KEY_COMPONENTS_MAX`.
    #[error("key is too deep: it has more than {KEY_COMPONENTS_MAX} levels")]
    TooDeep,
}

impl Key {
    /// Normalises a key as a client wrote it.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        if text.split('.').filter(|part| !part.is_empty()).count() > KEY_COMPONENTS_MAX {
            return Err(KeyError::TooDeep);
        }
        let is_normal = !text.starts_with('.') && !text.ends_with('.') && !text.contains("..");
        if is_normal {
            return Ok(Self(text.into()));
        }
        let mut normal = String::with_capacity(text.len());
        for part in text.split('.').filter(|part| !part.is_empty()) {
            if !normal.is_empty() {
                normal.push('.');
            }
            normal.push_str(part);
        }
        Ok(Self(normal.into()))
    }

    /// The root directory, `.`.
    pub fn root() -> Self {
        Self("".into())
    }

    /// True for the root directory.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components from the root down; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.0.split('.').filter(|part| !part.is_empty())
    }

    /// The last component, or `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The key of the directory that contains this one, or `None` for the root.
    pub fn parent(&self) -> Option<Key> {
        if self.is_root() {
            return None;
        }
        let parent = self.0.rsplit_once('.').map_or("", |(parent, _)| parent);
        Some(Self(parent.into()))
    }

    /// The key `below`, read relative to this one.
    pub fn join(&self, below: &str) -> Result<Key, KeyError> {
        Key::new(&format!("{}.{below}", self.0))
    }

    /// The normal form; `.` for the root.
    pub fn as_str(&self) -> &str {
        if self.is_root() { "." } else { &self.0 }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.as_str())
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Key::new(text)
    }
}

string_on_the_wire!(Key, "Key", "a KVS key, components separated by dots");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, normal: &str) {
        assert_eq!(Key::new(text).unwrap().as_str(), normal, "{text:?}");
    }

    #[test]
    fn keys_are_normalised() {
        check("a.b.c", "a.b.c");
        check("..a..b.", "a.b");
        check(".", ".");
        check("", ".");
        check("....", ".");
        check("a.", "a");
    }

    #[test]
    fn a_key_knows_its_parts() {
        let key = Key::new("a.b.c").unwrap();
        assert_eq!(key.components().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(key.name(), Some("c"));
        assert_eq!(key.parent().unwrap().as_str(), "a.b");
        assert_eq!(Key::new("a").unwrap().parent(), Some(Key::root()));
        assert_eq!(Key::root().parent(), None);
        assert_eq!(Key::root().components().count(), 0);
        assert_eq!(Key::root().join("x.y").unwrap().as_str(), "x.y");
        assert_eq!(key.join(".").unwrap(), key);
    }

    #[test]
    fn keys_beyond_the_limits_are_refused() {
        assert!(Key::new(&"a.".repeat(KEY_COMPONENTS_MAX)).is_ok());
        assert_eq!(
            Key::new(&"a.".repeat(KEY_COMPONENTS_MAX + 1)),
            Err(KeyError::TooDeep)
        );
        assert!(Key::new(&"a".repeat(KEY_BYTES_MAX)).is_ok());
        assert_eq!(
            Key::new(&"a".repeat(KEY_BYTES_MAX + 1)),
            Err(KeyError::TooLong)
        );
    }
}
