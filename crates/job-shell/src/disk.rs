//! Files as named by scripts: patterns, and contents. Called by the worker, and where a handler
//! of a script asks for one.
#![allow(
    clippy::disallowed_types,
    reason = "called by the worker, which touches files"
)]

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use initrc::limits::{FILES_MAX, SCRIPT_BYTES_MAX};
use wire::topic::glob_matches;

use crate::worker::text_of;

/// The files of this node.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// The user's own folder, which `~` stands for.
    pub home: String,
}

impl initrc::Disk for Disk {
    fn glob(&self, pattern: &str) -> Vec<String> {
        let pattern = self.expand(pattern);
        if !is_pattern(&pattern) {
            let is_there = fs::symlink_metadata(&pattern).is_ok();
            return is_there.then_some(pattern).into_iter().collect();
        }
        let (mut found, rest) = match pattern.strip_prefix('/') {
            Some(rest) => (vec!["/".to_owned()], rest),
            None => (vec![String::new()], pattern.as_str()),
        };
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            let next = found.iter().flat_map(|folder| matches(folder, part));
            found = next.take(FILES_MAX).collect();
        }
        found
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let read = || {
            let mut text = Vec::new();
            let file = File::open(self.expand(path))?;
            file.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|error| text_of(&error))?;
        match text.len() as u64 <= SCRIPT_BYTES_MAX {
            true => Ok(text),
            false => Err(format!("more than {SCRIPT_BYTES_MAX} bytes")),
        }
    }
}

impl Disk {
    fn expand(&self, path: &str) -> String {
        match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.home)
            }
            Some(rest) => {
                let (name, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let user = nix::unistd::User::from_name(name).ok().flatten();
                let home = user.map(|user| user.dir.to_string_lossy().into_owned());
                home.map_or_else(|| path.to_owned(), |home| home + below)
            }
            None => path.to_owned(),
        }
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Entries of a directory that match one part of a pattern.
fn matches(folder: &str, part: &str) -> Vec<String> {
    let below = |name: &str| match folder {
        "" => name.to_owned(),
        "/" => format!("/{name}"),
        folder => format!("{folder}/{name}"),
    };
    if !is_pattern(part) {
        let path = below(part);
        let is_there = Path::new(&path).symlink_metadata().is_ok();
        return is_there.then_some(path).into_iter().collect();
    }
    let folder = if folder.is_empty() { "." } else { folder };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    // A hidden file is meant only where a pattern says so.
    let names = names.filter(|name| !name.starts_with('.') || part.starts_with('.'));
    let mut names: Vec<String> = names.filter(|name| glob_matches(part, name)).collect();
    names.sort();
    names.iter().map(|name| below(name)).collect()
}

#[cfg(test)]
mod tests {
    use initrc::Disk as _;

    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_string_lossy().into_owned();
        for name in ["a/1.lua", "a/2.lua", "a/.h.lua", "b/1.lua", "b/x"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let disk = Disk { home: root.clone() };
        let check = |pattern: &str, expect: &[&str]| {
            let found = disk.glob(pattern);
            let found: Vec<&str> = found
                .iter()
                .map(|path| path.strip_prefix(&root).unwrap())
                .collect();
            assert_eq!(found, expect, "{pattern}");
        };
        check(&format!("{root}/a/*.lua"), &["/a/1.lua", "/a/2.lua"]);
        check(&format!("{root}/*/1.lua"), &["/a/1.lua", "/b/1.lua"]);
        check(&format!("{root}/[b-z]/?"), &["/b/x"]);
        check("~/b/x", &["/b/x"]);
        check("~/b/.*", &[]);
        check("~/a/.*", &["/a/.h.lua"]);
        check("~/none", &[]);
        assert_eq!(disk.read("~/b/x").unwrap(), b"b/x");
        let why = "No such file or directory";
        assert_eq!(disk.read("~/none").unwrap_err(), why);
        assert_eq!(disk.glob("~no-such-user/*"), [""; 0]);
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(SCRIPT_BYTES_MAX + 1).unwrap();
        let why = Disk::default().read(&file.path().to_string_lossy());
        assert_eq!(why.unwrap_err(), "more than 1048576 bytes");
    }
}
