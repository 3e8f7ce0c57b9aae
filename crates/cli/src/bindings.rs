//! Python bindings: where they are, and which interpreters they serve.
//!
//! Installed, they are in `PREFIX/lib/flux/pythonX.Y`, where X.Y is the version that they
//! were made for; those for the stable ABI serve every later one too. A build tree has them
//! in the folder `python` beside the programs, once they were built.

use std::path::PathBuf;

use crate::layout::{Layout, is_executable};

/// A version of Python, such as 3.11.
pub type Version = (u32, u32);

/// The version whose stable ABI our own bindings are made for: pyo3 in the root `Cargo.toml`.
const OLDEST: Version = (3, 9);

/// The native half of bindings for the stable ABI.
const STABLE: &str = "flux/_core.abi3.so";

/// Bindings in one folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bindings {
    /// The version of Python that they were made for.
    pub version: Version,
    /// The folder to be put into PYTHONPATH.
    pub path: PathBuf,
}

impl Bindings {
    /// Those of this installation, in order of version.
    pub fn of(layout: &Layout) -> Vec<Bindings> {
        let folder = layout.prefix.join("lib/flux").read_dir();
        let entries = folder.into_iter().flatten().flatten();
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let version = version_named(entry.file_name().to_str()?)?;
                let path = entry.path();
                path.is_dir().then_some(Bindings { version, path })
            })
            .collect();
        found.sort();
        let path = layout.bin.join("python");
        if found.is_empty() && path.join(STABLE).exists() {
            found.push(Bindings {
                version: OLDEST,
                path,
            });
        }
        found
    }

    /// True if an interpreter of this version can load them.
    pub fn serves(&self, version: Version) -> bool {
        if self.path.join(STABLE).exists() {
            version >= self.version
        } else {
            version == self.version
        }
    }
}

/// The version that `python3.11` names.
pub fn version_named(name: &str) -> Option<Version> {
    let (major, minor) = name.strip_prefix("python")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The versions of Python that have programs such as `python3.11` in these folders.
pub fn interpreters(folders: impl IntoIterator<Item = PathBuf>) -> Vec<Version> {
    let entries = folders
        .into_iter()
        .filter_map(|folder| folder.read_dir().ok());
    let programs = entries
        .flatten()
        .flatten()
        .filter(|entry| is_executable(&entry.path()));
    programs
        .filter_map(|entry| version_named(entry.file_name().to_str()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The versions of the bindings that serve each of these interpreters, where there are
    /// these files.
    fn check(files: &[&str], interpreters: &[Version], expect: &[Option<Version>]) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let layout = Layout::around(&folder.path().join("bin/flux"));
        let found = Bindings::of(&layout);
        let serving = interpreters.iter().map(|version| {
            let mut serving = found.iter().filter(|bindings| bindings.serves(*version));
            serving.next_back().map(|bindings| bindings.version)
        });
        assert_eq!(serving.collect::<Vec<_>>(), expect, "{files:?}");
    }

    #[test]
    fn bindings_serve_their_own_version() {
        let files = [
            "lib/flux/python3.9/flux/x",
            "lib/flux/python3.11/flux/x",
            "lib/flux/pythonic/x",
            "lib/flux/python3.x/x",
        ];
        let expect = [Some((3, 9)), None, Some((3, 11))];
        check(&files, &[(3, 9), (3, 10), (3, 11)], &expect);
    }

    #[test]
    fn bindings_for_the_stable_abi_serve_later_versions_too() {
        let files = ["lib/flux/python3.9/flux/_core.abi3.so"];
        let expect = [None, Some((3, 9)), Some((3, 9))];
        check(&files, &[(3, 8), (3, 9), (3, 14)], &expect);
    }

    #[test]
    fn a_build_tree_has_them_beside_its_programs() {
        check(
            &["bin/python/flux/_core.abi3.so"],
            &[(3, 9)],
            &[Some(OLDEST)],
        );
        check(&["bin/python/flux/constants.py"], &[(3, 9)], &[None]);
    }
}
