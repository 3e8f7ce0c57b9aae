//! Keys as paths of files, and back.
//!
//! In an archive the names of a key stand between slashes (protocol/04 section 12). Keys
//! for which that does not lead back, such as one with a slash in a name, carry their
//! names in a header of ours as well, which other programs pass over.

use std::fmt;

/// Keyword of the extended header with a key's names: a JSON array.
pub const NAMES_KEYWORD: &str = "FERROFLUX.names";

/// Keyword of the extended header with a link: a tree object (RFC 11).
pub const LINK_KEYWORD: &str = "FERROFLUX.link";

/// Separator of a namespace and a key in the target of a link.
const NAMESPACE_MARK: &str = "::";

/// A key, as the names from the root down to it. Shown as users write it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Key(Vec<Box<str>>);

impl Key {
    /// The key made of these names.
    pub fn of(names: Vec<Box<str>>) -> Key {
        Key(names)
    }

    /// The names.
    pub fn names(&self) -> &[Box<str>] {
        &self.0
    }

    /// The key that a path in an archive stands for. Dots part names too, and empty parts
    /// between them are left out, `.` and `..` among them.
    pub fn of_path(path: &str) -> Key {
        let names = path.split(['/', '.']);
        Key(names
            .filter(|name| !name.is_empty())
            .map(Box::from)
            .collect())
    }

    /// The path in an archive. Not every program reads control characters there.
    pub fn path(&self) -> String {
        plain(&self.0.join("/"))
    }

    /// The names as JSON, if the path does not say them all.
    pub fn json_if_odd(&self) -> Option<String> {
        let is_plain = Key::of_path(&self.path()) == *self;
        (!is_plain).then(|| serde_json::json!(self.0).to_string())
    }

    /// The key whose names stand in a header of ours.
    pub fn of_json(json: &str) -> Option<Key> {
        serde_json::from_str(json).ok().map(Key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("."),
            names => f.write_str(&names.join(".")),
        }
    }
}

/// A text in which `_` stands for control characters.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, "_")
}

/// The target of a link as text: `KEY` or `NAMESPACE::KEY`.
pub fn link_text(namespace: Option<&str>, target: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}{NAMESPACE_MARK}{target}"),
        None => target.to_owned(),
    }
}

/// Namespace and target of a link.
pub fn link_of(text: &str) -> (Option<String>, String) {
    match text.split_once(NAMESPACE_MARK) {
        Some((namespace, target)) => (Some(namespace.to_owned()), target.to_owned()),
        None => (None, text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], path: &str, json: Option<&str>) {
        let key = Key::of(names.iter().map(|name| Box::from(*name)).collect());
        assert_eq!(key.path(), path);
        assert_eq!(key.json_if_odd().as_deref(), json);
        let back = match json {
            Some(json) => Key::of_json(json),
            None => Some(Key::of_path(path)),
        };
        assert_eq!(back, Some(key));
    }

    #[test]
    fn keys_are_paths_and_odd_ones_say_their_names() {
        check(&["a"], "a", None);
        check(&["job", "00-1 é", "R"], "job/00-1 é/R", None);
        check(&["a/b", "c"], "a/b/c", Some(r#"["a/b","c"]"#));
        check(&["a.b"], "a.b", Some(r#"["a.b"]"#));
        check(&["", "a"], "/a", Some(r#"["","a"]"#));
        check(&["a\0b"], "a_b", Some(r#"["a\u0000b"]"#));
        check(&["a\nb"], "a_b", Some(r#"["a\nb"]"#));
    }

    #[test]
    fn paths_of_other_programs_are_keys_too() {
        for (path, key) in [
            ("./a/b", "a.b"),
            ("a//b/", "a.b"),
            ("/a/../b", "a.b"),
            ("a/file.txt", "a.file.txt"),
            ("./", "."),
        ] {
            assert_eq!(Key::of_path(path).to_string(), key);
        }
    }

    #[test]
    fn links_name_their_namespace_in_front() {
        for (namespace, target, text) in [(None, "a.b", "a.b"), (Some("ns"), "a", "ns::a")] {
            assert_eq!(link_text(namespace, target), text);
            assert_eq!(
                link_of(text),
                (namespace.map(str::to_owned), target.to_owned())
            );
        }
    }
}
