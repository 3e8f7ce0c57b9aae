//! Host lists (RFC 29): ordered lists of host names that keep duplicates.
//!
//! Contains the list; the compressed text form is in `text.rs`. Expansion is bounded by
//! [`HOSTS_MAX`](super::limits::HOSTS_MAX), so untrusted text cannot allocate without end.

mod text;

use super::idset::IdSet;
use super::limits::{HOST_NAME_BYTES_MAX, HOSTS_MAX};

pub use text::HostlistError;

/// An ordered list of host names.
///
/// `Display` is the compressed form, `FromStr` expands it: `foo[9-10],bar`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Hostlist {
    hosts: Vec<Box<str>>,
}

impl Hostlist {
    /// The empty list.
    pub const fn new() -> Self {
        Self { hosts: Vec::new() }
    }

    /// A list of names taken literally: brackets in a name are not expanded.
    pub fn from_names<S: AsRef<str>>(
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self, HostlistError> {
        let mut list = Self::new();
        for name in names {
            list.push(name.as_ref())?;
        }
        Ok(list)
    }

    /// Appends one name taken literally.
    pub fn push(&mut self, name: &str) -> Result<(), HostlistError> {
        if name.len() > HOST_NAME_BYTES_MAX {
            return Err(HostlistError::NameTooLong);
        }
        if self.hosts.len() == HOSTS_MAX {
            return Err(HostlistError::TooManyHosts);
        }
        self.hosts.push(name.into());
        Ok(())
    }

    /// Appends the names of another list.
    pub fn extend(&mut self, other: &Hostlist) -> Result<(), HostlistError> {
        if self.hosts.len() + other.hosts.len() > HOSTS_MAX {
            return Err(HostlistError::TooManyHosts);
        }
        self.hosts.extend(other.hosts.iter().cloned());
        Ok(())
    }

    /// Number of names in the list, duplicates included.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// True for the empty list.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The name at `index`.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.hosts.get(index).map(AsRef::as_ref)
    }

    /// The names in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator + Clone {
        self.hosts.iter().map(AsRef::as_ref)
    }

    /// The first position of `name`. Linear: build an index to look up many.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| &**host == name)
    }

    /// True if `name` is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The names at the positions in `indexes`, in list order; positions beyond the end are
    /// skipped.
    pub fn select(&self, indexes: &IdSet) -> Hostlist {
        let mut hosts = Vec::new();
        for (first, last) in indexes.ranges() {
            let end = (last as usize + 1).min(self.hosts.len());
            hosts.extend_from_slice(self.hosts.get(first as usize..end).unwrap_or_default());
        }
        Hostlist { hosts }
    }

    /// Keeps the names for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.hosts.retain(|host| keep(host));
    }

    /// Sorts by prefix, then by the trailing number's value, then by its width.
    pub fn sort(&mut self) {
        self.hosts
            .sort_by(|a, b| text::sort_key(a).cmp(&text::sort_key(b)));
    }

    /// Sorts and drops duplicates.
    pub fn uniq(&mut self) {
        self.sort();
        self.hosts.dedup();
    }
}

impl<'a> IntoIterator for &'a Hostlist {
    type Item = &'a str;
    type IntoIter = std::iter::Map<std::slice::Iter<'a, Box<str>>, fn(&'a Box<str>) -> &'a str>;

    fn into_iter(self) -> Self::IntoIter {
        self.hosts.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_position_and_back() {
        let list: Hostlist = "foo[0-3],bar,foo1".parse().unwrap();
        assert_eq!(list.len(), 6);
        assert_eq!((list.get(4), list.get(6)), (Some("bar"), None));
        assert_eq!((list.find("foo1"), list.find("baz")), (Some(1), None));
        assert_eq!(
            list.select(&"1-2,4,9".parse().unwrap()).to_string(),
            "foo[1-2],bar"
        );
        assert_eq!(
            list.select(&"4-4000000000".parse().unwrap()).to_string(),
            "bar,foo1"
        );
    }

    #[test]
    fn sorting_is_by_number_and_uniq_drops_duplicates() {
        let mut list: Hostlist = "foo10,foo9,bar,foo9,foo01,foo1".parse().unwrap();
        list.sort();
        assert_eq!(
            list.iter().collect::<Vec<_>>(),
            ["bar", "foo1", "foo01", "foo9", "foo9", "foo10"]
        );
        list.uniq();
        assert_eq!(list.to_string(), "bar,foo[1,01,9-10]");
    }

    #[test]
    fn a_list_is_bounded() {
        let mut list: Hostlist = format!("n[1-{HOSTS_MAX}]").parse().unwrap();
        assert_eq!(list.push("one-more"), Err(HostlistError::TooManyHosts));
        assert_eq!(list.extend(&list.clone()), Err(HostlistError::TooManyHosts));
        let long = "x".repeat(HOST_NAME_BYTES_MAX + 1);
        assert_eq!(
            Hostlist::from_names([long]),
            Err(HostlistError::NameTooLong)
        );
    }
}
