//! Transactions: operations in order on a private copy of the root (protocol/04 section 6).

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::data::{BlobRef, HashKind, Key, Tree};
use proto::kvs::{APPEND, CommitError, Dirent, Op};

use super::draft::{Draft, Edit, Made, Slot};
use super::entry::{self, Kind};
use super::lookup::follow;
use super::view::{Stop, View, Want};
use crate::limits::{LINKS_MAX, PATH_COMPONENTS_MAX};

/// One operation, checked as far as it can be without the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Key.
    pub key: Key,
    /// Action on it.
    pub action: Action,
}

/// Action on a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Put this there.
    Put(Tree),
    /// Put these bytes there, in blobs that begin at these offsets.
    PutCut(Bytes, Vec<u32>),
    /// Append these bytes.
    Append(Bytes),
    /// Remove it.
    Unlink,
    /// Nothing: the transaction fails here.
    Refuse(CommitError),
}

impl Step {
    /// Checks one operation.
    pub fn of(op: Op) -> Step {
        let refuse = |error| Step {
            key: Key::root(),
            action: Action::Refuse(error),
        };
        let Ok(key) = Key::new(&op.key) else {
            return refuse(CommitError::Invalid);
        };
        if !op.has_good_cuts() {
            return refuse(CommitError::Cuts);
        }
        let appends = op.flags & APPEND != 0;
        let action = match op.dirent {
            _ if key.is_root() => Action::Refuse(CommitError::Invalid),
            None => Action::Unlink,
            Some(Dirent::Malformed(_)) => Action::Refuse(CommitError::Invalid),
            Some(Dirent::Tree(Tree::Val(bytes))) if appends => Action::Append(bytes),
            Some(Dirent::Tree(_)) if appends => Action::Refuse(CommitError::AppendOfOther),
            Some(Dirent::Tree(Tree::Val(bytes))) if !op.cuts.is_empty() => {
                Action::PutCut(bytes, op.cuts)
            }
            Some(Dirent::Tree(tree)) => Action::Put(tree),
        };
        Step { key, action }
    }
}

/// Result of a transaction.
#[derive(Debug)]
pub struct Applied {
    /// New root.
    pub root: BlobRef,
    /// Every key written or removed.
    pub keys: BTreeSet<Key>,
    /// New blobs.
    pub made: Made,
}

/// Applies `steps` to the tree at `root`.
///
/// When something is missing from memory the other steps are still looked at, so that a
/// large transaction asks for all that it needs in a few rounds, one for each level.
pub fn apply<'a>(
    view: &mut View<'_>,
    hash: HashKind,
    root: BlobRef,
    steps: impl Iterator<Item = &'a Step>,
) -> Result<Applied, Stop> {
    let mut needed = BTreeSet::<Want>::new();
    let mut keys = BTreeSet::new();
    let mut made = Made::default();
    let mut draft = Draft::stored(root, view.dir(root)?);
    for step in steps {
        match apply_step(view, hash, &mut draft, &mut made, step) {
            Ok(()) => {
                keys.insert(step.key.clone());
            }
            Err(Stop::Need(wants)) => needed.extend(wants),
            // The needs of the steps before it decide whether it comes to this one.
            Err(_) if !needed.is_empty() => break,
            Err(failed) => return Err(failed),
        }
    }
    if !needed.is_empty() {
        return Err(Stop::Need(needed.into_iter().collect()));
    }
    let root = draft.seal(view.memory, hash, &mut made)?;
    Ok(Applied { root, keys, made })
}

fn apply_step(
    view: &mut View<'_>,
    hash: HashKind,
    root: &mut Draft,
    made: &mut Made,
    step: &Step,
) -> Result<(), Stop> {
    if let Action::Refuse(error) = &step.action {
        return Err(error.clone().into());
    }
    let place = resolve(view, root, &step.key)?;
    if place.existing.is_none() && step.action == Action::Unlink {
        return Ok(());
    }
    let Some((last, parents)) = place.path.split_last() else {
        return Err(CommitError::Invalid.into());
    };
    let mut draft = root;
    for name in parents {
        draft = draft.open(view, name)?;
    }
    match &step.action {
        Action::Unlink => draft.set(last, Edit::Removed),
        Action::Put(tree) => draft.set(last, made.edit_of(hash, tree)?),
        Action::PutCut(bytes, cuts) => draft.set(last, made.edit_of_parts(hash, bytes, cuts)?),
        Action::Append(bytes) => draft.grow(last, growable(place.existing)?, bytes.clone()),
        Action::Refuse(error) => return Err(error.clone().into()),
    }
    Ok(())
}

/// The text of the value that is appended to, if there is one by now.
fn growable(existing: Option<Existing>) -> Result<Option<Bytes>, Stop> {
    let text = match existing {
        None | Some(Existing::Grown) => return Ok(None),
        Some(Existing::Dir) => return Err(CommitError::IsDir.into()),
        Some(Existing::Object(text)) => text,
    };
    match entry::kind_of(&text)? {
        Kind::Val | Kind::ValRef => Ok(Some(text)),
        Kind::Dir | Kind::DirRef => Err(CommitError::IsDir.into()),
        Kind::Symlink => Err(CommitError::AppendToSymlink.into()),
    }
}

/// The resolved place of a key, and its value.
struct Place {
    /// The path with links followed, the last component aside.
    path: Vec<Box<str>>,
    existing: Option<Existing>,
}

/// Object at a key.
enum Existing {
    /// A directory being changed.
    Dir,
    /// An object by its text.
    Object(Bytes),
    /// A value that something was appended to before.
    Grown,
}

/// Follows the links in the directories above `key`.
fn resolve(view: &mut View<'_>, root: &Draft, key: &Key) -> Result<Place, Stop> {
    let mut path: Vec<Box<str>> = key.components().map(Box::from).collect();
    for _ in 0..=LINKS_MAX {
        match walk(view, root, &path)? {
            Walked::End(existing) => {
                return Ok(Place { path, existing });
            }
            Walked::Link { text, rest } => match entry::decode(&text)? {
                Tree::Symlink {
                    target,
                    namespace: None,
                } => path = follow(&target, &path[rest..]).ok_or(CommitError::Invalid)?,
                // Transactions stay within their namespace.
                _ => return Err(CommitError::Invalid.into()),
            },
        }
        debug_assert!(path.len() <= PATH_COMPONENTS_MAX);
    }
    Err(proto::Refusal::bare(proto::Errno::ELOOP).into())
}

enum Walked {
    /// To the key or as near to it as there are directories.
    End(Option<Existing>),
    /// To a link in a directory's place; `rest` of the path comes after it.
    Link { text: Bytes, rest: usize },
}

fn walk(view: &mut View<'_>, root: &Draft, path: &[Box<str>]) -> Result<Walked, Stop> {
    let Some((last, parents)) = path.split_last() else {
        // A link to the root, followed to its end.
        return Ok(Walked::End(Some(Existing::Dir)));
    };
    // Directories being changed come first on the way down, stored ones below them.
    let mut draft = root;
    for (at, name) in parents.iter().enumerate() {
        match draft.get(name) {
            Slot::Dir(next) => draft = next,
            Slot::Missing | Slot::Grown => return Ok(Walked::End(None)),
            Slot::Object(text) => return walk_stored(view, text, path, at),
        }
    }
    Ok(Walked::End(match draft.get(last) {
        Slot::Missing => None,
        Slot::Object(text) => Some(Existing::Object(text)),
        Slot::Grown => Some(Existing::Grown),
        Slot::Dir(_) => Some(Existing::Dir),
    }))
}

/// Goes on below the object `text`, which is component `at` of the path.
fn walk_stored(
    view: &mut View<'_>,
    mut text: Bytes,
    path: &[Box<str>],
    mut at: usize,
) -> Result<Walked, Stop> {
    while at + 1 < path.len() {
        let dir = match entry::kind_of(&text)? {
            Kind::DirRef => view.dir(entry::dirref_of(&text)?)?,
            Kind::Dir => std::rc::Rc::new(super::dir::Dir::parse(text)?),
            Kind::Symlink => return Ok(Walked::Link { text, rest: at + 1 }),
            Kind::Val | Kind::ValRef => return Ok(Walked::End(None)),
        };
        at += 1;
        match dir.get(&path[at]) {
            Some(next) => text = next,
            None => return Ok(Walked::End(None)),
        }
    }
    Ok(Walked::End(Some(Existing::Object(text))))
}
