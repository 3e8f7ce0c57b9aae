//! A tree being changed: each directory as it was stored, and the changes to it.
//!
//! Nothing of the stored tree is copied before the changes are complete; then each
//! changed directory is written once, the deepest first.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use proto::data::{BlobRef, HashKind, Tree};
use proto::kvs::CommitError;
use proto::{Refusal, content};
use rustc_hash::FxHashMap;

use super::dir::{Change, Copied, Dir};
use super::entry::{self, Corrupt, Kind};
use super::view::{Memory, Stop, View};
use crate::limits::{EDITED_DIR_BYTES_MIN, MERGED_BYTES_MAX, OBJECT_BYTES_MAX, SMALL_BLOBS_MAX};

/// A directory being changed.
#[derive(Debug, Clone)]
pub struct Draft {
    base: Rc<Dir>,
    /// The blob that `base` is in; `None` for a new directory.
    name: Option<BlobRef>,
    edits: BTreeMap<Box<str>, Edit>,
}

/// Change of one entry.
#[derive(Debug, Clone)]
pub enum Edit {
    /// The entry is removed.
    Removed,
    /// The entry is this object's text, not a directory held inline.
    Object(Bytes),
    /// The entry is a value with more at its end.
    Grown {
        /// The text of the val or valref that was there, if there was one.
        text: Option<Bytes>,
        /// Appended pieces.
        tail: Vec<Bytes>,
    },
    /// The entry is a directory being changed itself.
    Dir(Draft),
}

/// Current contents of one name.
#[derive(Debug)]
pub enum Slot<'a> {
    /// Nothing.
    Missing,
    /// This object, by its text.
    Object(Bytes),
    /// A value that something was appended to.
    Grown,
    /// A directory being changed.
    Dir(&'a Draft),
}

/// Blobs that a transaction has made.
#[derive(Debug, Default)]
pub struct Made {
    /// New directories, deepest first.
    pub dirs: Vec<(BlobRef, Rc<Dir>)>,
    /// Edits that make the large ones among them from their bases.
    pub edits: FxHashMap<BlobRef, content::Edit>,
    /// New values.
    pub blobs: Vec<(BlobRef, Bytes)>,
    /// Directories that came out as they were.
    pub noop_stores: u64,
}

impl Draft {
    /// A stored directory without changes.
    pub fn stored(name: BlobRef, dir: Rc<Dir>) -> Draft {
        Draft {
            base: dir,
            name: Some(name),
            edits: BTreeMap::new(),
        }
    }

    /// A new directory.
    pub fn empty() -> Draft {
        Draft {
            base: Dir::empty(),
            name: None,
            edits: BTreeMap::new(),
        }
    }

    /// Contents of `name`.
    pub fn get(&self, name: &str) -> Slot<'_> {
        match self.edits.get(name) {
            Some(Edit::Removed) => Slot::Missing,
            Some(Edit::Object(text)) => Slot::Object(text.clone()),
            Some(Edit::Grown { .. }) => Slot::Grown,
            Some(Edit::Dir(draft)) => Slot::Dir(draft),
            None => match self.base.get(name) {
                Some(text) => Slot::Object(text),
                None => Slot::Missing,
            },
        }
    }

    /// Changes the entry under `name`.
    pub fn set(&mut self, name: &str, edit: Edit) {
        self.edits.insert(name.into(), edit);
    }

    /// Appends to the value under `name`, whose text is `text`, or makes it.
    pub fn grow(&mut self, name: &str, text: Option<Bytes>, bytes: Bytes) {
        match self.edits.get_mut(name) {
            Some(Edit::Grown { tail, .. }) => tail.push(bytes),
            _ => {
                let tail = vec![bytes];
                self.set(name, Edit::Grown { text, tail });
            }
        }
    }

    /// The directory under `name`, made if there is none; anything else there is lost.
    pub fn open(&mut self, view: &mut View<'_>, name: &str) -> Result<&mut Draft, Stop> {
        if !matches!(self.edits.get(name), Some(Edit::Dir(_))) {
            let draft = match self.get(name) {
                Slot::Object(text) => Draft::of_object(view, &text)?,
                Slot::Missing | Slot::Grown | Slot::Dir(_) => Draft::empty(),
            };
            self.set(name, Edit::Dir(draft));
        }
        match self.edits.get_mut(name) {
            Some(Edit::Dir(draft)) => Ok(draft),
            // Just put there.
            _ => Err(entry::Corrupt.into()),
        }
    }

    fn of_object(view: &mut View<'_>, text: &Bytes) -> Result<Draft, Stop> {
        Ok(match entry::kind_of(text)? {
            Kind::DirRef => {
                let name = entry::dirref_of(text)?;
                Draft::stored(name, view.dir(name)?)
            }
            Kind::Dir => Draft {
                base: Rc::new(Dir::parse(text.clone())?),
                name: None,
                edits: BTreeMap::new(),
            },
            Kind::Val | Kind::ValRef | Kind::Symlink => Draft::empty(),
        })
    }

    /// Writes every changed directory. Gives the root's name.
    pub fn seal(
        self,
        memory: &Memory,
        hash: HashKind,
        made: &mut Made,
    ) -> Result<BlobRef, Refusal> {
        let mut texts = Vec::with_capacity(self.edits.len());
        for (name, edit) in self.edits {
            let text = match edit {
                Edit::Removed => None,
                Edit::Object(text) => Some(text),
                Edit::Grown { text, tail } => Some(made.grown(memory, hash, text, tail)?),
                Edit::Dir(draft) if draft.is_as_stored() => continue,
                Edit::Dir(draft) => Some(entry::dirref(draft.seal(memory, hash, made)?).into()),
            };
            texts.push((name, text));
        }
        let changes: Vec<Change<'_>> = texts
            .iter()
            .map(|(name, text)| (&**name, text.as_deref()))
            .collect();
        if let (Some(name), true) = (self.name, changes.is_empty()) {
            return Ok(name);
        }
        let dir = self.base.with(&changes, OBJECT_BYTES_MAX);
        let (dir, copied) = dir.ok_or(CommitError::TooBig)?;
        let name = BlobRef::of(hash, dir.text());
        if self.name == Some(name) {
            made.noop_stores += 1;
            return Ok(name);
        }
        if let Some(base) = self.name
            && dir.text().len() >= EDITED_DIR_BYTES_MIN
            && !self.base.was_rewritten()
        {
            made.edits.insert(name, edit_of(name, &dir, base, &copied));
        }
        made.dirs.push((name, Rc::new(dir)));
        Ok(name)
    }

    fn is_as_stored(&self) -> bool {
        self.edits.is_empty() && self.name.is_some()
    }
}

/// Edit that makes a directory from its base.
fn edit_of(name: BlobRef, dir: &Dir, base: BlobRef, copied: &[Copied]) -> content::Edit {
    let (mut parts, mut end) = (Vec::with_capacity(copied.len()), 0);
    for copied in copied {
        let to = copied.to as usize;
        parts.push(content::Part {
            own: dir.text().slice(end..to),
            at: copied.at,
            len: copied.len,
        });
        end = to + copied.len as usize;
    }
    content::Edit {
        digest: Bytes::copy_from_slice(name.digest()),
        base: Bytes::copy_from_slice(base.digest()),
        parts,
        tail: dir.text().slice(end..),
    }
}

/// Number of the last blobs of a valref that are merged with the appended data, and their
/// contents.
///
/// A log is written in many small appends. If each stayed a blob of its own, the list of
/// blobs would grow with the log and every append would write all of it again. Blobs that
/// are not in memory stay as they are: an append waits for nothing.
fn mergeable(memory: &Memory, text: &[u8], tail: &[Bytes]) -> (usize, Vec<Bytes>) {
    let mut bytes: usize = tail.iter().map(Bytes::len).sum();
    let mut blobs = Vec::new();
    for name in entry::last_blobs(text) {
        let Some(blob) = memory.peek_blob(&name) else {
            break;
        };
        bytes += blob.len();
        if bytes > MERGED_BYTES_MAX {
            break;
        }
        blobs.push(blob.clone());
    }
    if blobs.len() + 1 < SMALL_BLOBS_MAX {
        return (0, Vec::new());
    }
    blobs.reverse();
    (blobs.len(), blobs)
}

fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [piece] => piece.clone(),
        pieces => pieces.concat().into(),
    }
}

impl Made {
    /// Form of `tree` in a directory: long values become blobs, directories are taken
    /// apart, anything else stays as it is.
    pub fn edit_of(&mut self, hash: HashKind, tree: &Tree) -> Result<Edit, CommitError> {
        Ok(match tree {
            Tree::Val(bytes) if entry::is_long(bytes.len()) => {
                let name = self.blob(hash, bytes)?;
                Edit::Object(entry::valref(&[name]).into())
            }
            Tree::Dir(entries) => {
                let mut draft = Draft::empty();
                for (name, tree) in entries {
                    let edit = self.edit_of(hash, tree)?;
                    draft.set(name, edit);
                }
                Edit::Dir(draft)
            }
            other => Edit::Object(other.encode().into()),
        })
    }

    /// Form of a value that is cut: a blob for each part, short ones too.
    pub fn edit_of_parts(
        &mut self,
        hash: HashKind,
        bytes: &Bytes,
        cuts: &[u32],
    ) -> Result<Edit, CommitError> {
        let ends = cuts.iter().map(|cut| *cut as usize).chain([bytes.len()]);
        let (mut names, mut begin) = (Vec::with_capacity(cuts.len() + 1), 0);
        for end in ends {
            names.push(self.blob(hash, &bytes.slice(begin..end))?);
            begin = end;
        }
        Ok(Edit::Object(entry::valref(&names).into()))
    }

    /// The text of a value that has grown. All data appended by one transaction are one
    /// blob.
    fn grown(
        &mut self,
        memory: &Memory,
        hash: HashKind,
        text: Option<Bytes>,
        tail: Vec<Bytes>,
    ) -> Result<Bytes, Refusal> {
        let Some(text) = text else {
            let joined = Tree::Val(joined(&tail));
            return match self.edit_of(hash, &joined)? {
                Edit::Object(text) => Ok(text),
                _ => Err(Corrupt.into()),
            };
        };
        if entry::kind_of(&text)? == Kind::Val {
            let first = self.blob(hash, &entry::val_bytes(&text)?)?;
            let second = self.blob(hash, &joined(&tail))?;
            return Ok(entry::valref(&[first, second]).into());
        }
        let (kept, merged) = mergeable(memory, &text, &tail);
        let mut pieces = merged;
        pieces.extend(tail);
        let name = self.blob(hash, &joined(&pieces))?;
        Ok(entry::replace_last_blobs(&text, kept, name)?.into())
    }

    /// Makes a blob of a value's bytes.
    pub fn blob(&mut self, hash: HashKind, bytes: &Bytes) -> Result<BlobRef, CommitError> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(CommitError::TooBig);
        }
        let name = BlobRef::of(hash, bytes);
        self.blobs.push((name, bytes.clone()));
        Ok(name)
    }

    /// Bytes that it takes to send everything made.
    pub fn bytes(&self) -> usize {
        let dirs = self
            .dirs
            .iter()
            .map(|(name, dir)| match self.edits.get(name) {
                Some(edit) => edit.bytes(),
                None => dir.text().len(),
            });
        let blobs = self.blobs.iter().map(|(_, blob)| blob.len());
        dirs.chain(blobs).sum()
    }
}
