//! Lookups: a walk from a root to a key as far as memory allows (protocol/04 section 7).

use std::rc::Rc;

use bytes::Bytes;
use proto::data::{BlobRef, Key, Tree};
use proto::kvs::{LookupError, READDIR, READLINK, TREEOBJ};

use super::dir::Dir;
use super::entry::{self, Kind};
use super::view::{Stop, View};
use crate::limits::{ANSWER_BYTES_MAX, LINKS_MAX, PATH_COMPONENTS_MAX};

/// Looks `key` up below `root`. Gives the text of a tree object.
///
/// `other` finds the root of another namespace that a symlink leads to, and returns
/// whether the caller may read there, or that the root has to be asked for.
pub fn lookup(
    view: &mut View<'_>,
    root: BlobRef,
    key: &str,
    flags: u32,
    other: &dyn Fn(&str) -> Result<BlobRef, Stop>,
) -> Result<Bytes, Stop> {
    if key.is_empty() {
        return Err(LookupError::NotFound.into());
    }
    let key = Key::new(key).map_err(|_| LookupError::Invalid)?;
    let mut path: Vec<Box<str>> = key.components().map(Box::from).collect();
    let (mut root, mut links) = (root, 0);
    loop {
        match walk(view, root, &path, flags)? {
            Walked::Found(text) => return Ok(text),
            Walked::Link {
                target,
                namespace,
                rest,
            } => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(LookupError::Loop.into());
                }
                if let Some(namespace) = namespace {
                    root = other(&namespace)?;
                }
                path = follow(&target, &path[rest..]).ok_or(LookupError::Invalid)?;
            }
        }
    }
}

/// The path of a link's target followed by the rest of the key, unless it is too long.
pub fn follow(target: &str, rest: &[Box<str>]) -> Option<Vec<Box<str>>> {
    let target = Key::new(target).ok()?;
    let path: Vec<Box<str>> = target
        .components()
        .map(Box::from)
        .chain(rest.iter().cloned())
        .collect();
    (path.len() <= PATH_COMPONENTS_MAX).then_some(path)
}

/// Result of one walk without links.
enum Walked {
    /// To the end.
    Found(Bytes),
    /// To a link that is to be followed; `rest` of the path comes after it.
    Link {
        target: String,
        namespace: Option<String>,
        rest: usize,
    },
}

fn walk(view: &mut View<'_>, root: BlobRef, path: &[Box<str>], flags: u32) -> Result<Walked, Stop> {
    let Some((last, parents)) = path.split_last() else {
        return at_root(view, root, flags).map(Walked::Found);
    };
    let mut dir = view.dir(root)?;
    for (at, name) in parents.iter().enumerate() {
        let text = dir.get(name).ok_or(LookupError::NotFound)?;
        match entry::kind_of(&text)? {
            Kind::DirRef | Kind::Dir => dir = open(view, &text)?,
            Kind::Symlink => return link(&text, at + 1),
            Kind::Val | Kind::ValRef => return Err(LookupError::NotFound.into()),
        }
    }
    let text = dir.get(last).ok_or(LookupError::NotFound)?;
    let kind = entry::kind_of(&text)?;
    if kind == Kind::Symlink && flags & (TREEOBJ | READLINK) == 0 {
        return link(&text, path.len());
    }
    at_end(view, text, kind, flags).map(Walked::Found)
}

fn link(text: &[u8], rest: usize) -> Result<Walked, Stop> {
    match entry::decode(text)? {
        Tree::Symlink { target, namespace } => Ok(Walked::Link {
            target,
            namespace,
            rest,
        }),
        _ => Err(entry::Corrupt.into()),
    }
}

/// The directory that `text`, a dirref or a dir, is.
fn open(view: &mut View<'_>, text: &Bytes) -> Result<Rc<Dir>, Stop> {
    match entry::kind_of(text)? {
        Kind::DirRef => view.dir(entry::dirref_of(text)?),
        _ => Ok(Rc::new(Dir::parse(text.clone())?)),
    }
}

fn at_root(view: &mut View<'_>, root: BlobRef, flags: u32) -> Result<Bytes, Stop> {
    at_end(view, entry::dirref(root).into(), Kind::DirRef, flags)
}

/// Response for the object at the key: the table of protocol/04 section 7.
fn at_end(view: &mut View<'_>, text: Bytes, kind: Kind, flags: u32) -> Result<Bytes, Stop> {
    let is_dir = matches!(kind, Kind::Dir | Kind::DirRef);
    if flags & TREEOBJ != 0 {
        return Ok(text);
    }
    if flags & READLINK != 0 {
        return match kind {
            Kind::Symlink => Ok(text),
            _ => Err(LookupError::Invalid.into()),
        };
    }
    if flags & READDIR != 0 {
        return match is_dir {
            true => Ok(open(view, &text)?.text().clone()),
            false => Err(LookupError::NotDir.into()),
        };
    }
    match kind {
        Kind::Val => Ok(text),
        Kind::ValRef => match entry::decode(&text)? {
            Tree::ValRef(names) => {
                let bytes = view.join(&names, ANSWER_BYTES_MAX)?;
                Ok(entry::val(bytes).into())
            }
            _ => Err(entry::Corrupt.into()),
        },
        Kind::Dir | Kind::DirRef => Err(LookupError::IsDir.into()),
        Kind::Symlink => Err(entry::Corrupt.into()),
    }
}
