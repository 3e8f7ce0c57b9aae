//! The files below a path, a directory after its contents.

use std::fs::{self, Metadata};
use std::path::{Component, Path, PathBuf};

use proto::Errno;

use crate::limits::DEPTH_MAX;

/// A file that was found.
#[derive(Debug)]
pub struct Found {
    /// Path of the file.
    pub path: PathBuf,
    /// Path in the archive.
    pub name: String,
    /// Metadata of the entry itself, not of the file that a link points to.
    pub metadata: Metadata,
}

/// Errors of listing the files below a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// The system refuses.
    #[error("{0}: {1}")]
    Io(String, Errno),
    /// A name that JSON cannot hold.
    #[error("{0}: name is not UTF-8")]
    NotText(String),
    /// A path that would lead out of the archive.
    #[error("{0}: path contains '..'")]
    Upwards(String),
    /// Too many directories within each other.
    #[error("{0}: more than {DEPTH_MAX} levels of directories")]
    TooDeep(String),
}

/// The number of an error of the system.
pub(crate) fn errno(error: &std::io::Error) -> Errno {
    let number = error
        .raw_os_error()
        .and_then(|number| u32::try_from(number).ok());
    number.map_or(Errno::EIO, Errno)
}

/// Shows `path`, which is relative to `base`, and everything below it to `visit`, in the
/// order of names. Links are not followed. `.` stands for the contents of `base`.
pub fn walk<E: From<WalkError>>(
    base: &Path,
    path: &Path,
    visit: &mut impl FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    step(base, path, name_of(path)?, 0, visit)
}

/// `relative` is the path in errors: the one by which the user knows the file.
fn step<E: From<WalkError>>(
    base: &Path,
    relative: &Path,
    name: String,
    depth: usize,
    visit: &mut impl FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    if depth > DEPTH_MAX {
        return Err(WalkError::TooDeep(relative.display().to_string()).into());
    }
    let path = base.join(relative);
    let io = |error| WalkError::Io(relative.display().to_string(), errno(&error));
    let metadata = path.symlink_metadata().map_err(io)?;
    if metadata.is_dir() {
        for entry in names_in(&path, relative)? {
            let below = match name.is_empty() {
                true => entry.clone(),
                false => format!("{name}/{entry}"),
            };
            step(base, &relative.join(&entry), below, depth + 1, visit)?;
        }
    }
    match name.is_empty() {
        true => Ok(()),
        false => visit(Found {
            path,
            name,
            metadata,
        }),
    }
}

/// The names in a directory, sorted.
fn names_in(path: &Path, relative: &Path) -> Result<Vec<String>, WalkError> {
    let io = |error| WalkError::Io(relative.display().to_string(), errno(&error));
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let lossy = || relative.join(&name).display().to_string();
        let text = name.to_str().ok_or_else(|| WalkError::NotText(lossy()))?;
        names.push(text.to_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// The path in the archive: relative, without `.` and `..`.
fn name_of(path: &Path) -> Result<String, WalkError> {
    let shown = || path.display().to_string();
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => {
                parts.push(part.to_str().ok_or_else(|| WalkError::NotText(shown()))?);
            }
            Component::ParentDir => return Err(WalkError::Upwards(shown())),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names below `path` in the order in which they come.
    fn names(base: &Path, path: &str) -> Result<String, WalkError> {
        let mut names = Vec::new();
        walk(base, Path::new(path), &mut |found| {
            names.push(found.name);
            Ok::<_, WalkError>(())
        })?;
        Ok(names.join(" "))
    }

    #[test]
    fn a_directory_comes_after_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        fs::create_dir_all(base.join("d/e")).unwrap();
        for file in ["d/b", "d/a", "d/e/f", "g"] {
            fs::write(base.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink("/", base.join("d/root")).unwrap();
        let below = "d/a d/b d/e/f d/e d/root d";
        assert_eq!(names(base, "d").unwrap(), below);
        assert_eq!(names(base, "./d/").unwrap(), below);
        assert_eq!(names(base, ".").unwrap(), format!("{below} g"));
        assert_eq!(names(base, "d/root").unwrap(), "d/root");
        let absolute = base.join("d/e").display().to_string();
        let bare = &absolute[1..];
        assert_eq!(names(base, &absolute).unwrap(), format!("{bare}/f {bare}"));
    }

    #[test]
    fn what_cannot_be_archived_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &str| names(folder.path(), path).unwrap_err().to_string();
        assert_eq!(told("a/../b"), "a/../b: path contains '..'");
        assert_eq!(told("no"), "no: No such file or directory");
    }
}
