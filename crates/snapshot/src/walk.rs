//! A tree read in the order of its listing: in each directory values and links first,
//! then subdirectories, each by name. Requests run ahead of reading, a few at a time.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use proto::data::treeobj::Dir;
use proto::data::{BlobRef, Tree};
use proto::{Errno, Refusal};

use crate::blobs::{Asked, Blobs};
use crate::names::Key;

/// Number of nodes to look ahead for further requests, beyond the window.
const LOOK_AHEAD_NODES: usize = 64;

/// Handling of the blobs of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// The values are loaded.
    Load,
    /// The store is asked whether it has them, and whether it has directories, which the
    /// service may also know from its memory.
    Validate,
    /// The same, and they are loaded, compared with their names and forgotten.
    Read,
    /// Nothing; and values without blobs, and links, are passed over.
    Skip,
}

impl Values {
    /// True if the store is examined, directories included.
    fn is_check(self) -> bool {
        matches!(self, Values::Validate | Values::Read)
    }
}

/// Something met on the way.
#[derive(Debug)]
pub enum Visit {
    /// A value or a link, and the result of each of its blobs.
    Leaf(Key, Tree, Vec<Result<Bytes, Refusal>>),
    /// A directory that was read; its entries follow.
    Dir(Key, BlobRef),
    /// A directory that cannot be read.
    BadDir(Key, Refusal),
}

/// A walk through one or more trees.
pub struct Walk {
    values: Values,
    window: usize,
    in_flight: usize,
    nodes: VecDeque<Node>,
    /// Directories met so far, when each is to be read once.
    seen: Option<HashSet<BlobRef>>,
}

/// Something still to be visited.
struct Node {
    /// Names of the directories above; shared by all entries of one.
    above: Rc<[Box<str>]>,
    /// `None` for a root.
    name: Option<Box<str>>,
    tree: Tree,
    /// Blobs that were asked for.
    n_asked: usize,
    asked: VecDeque<Asked>,
    /// Results of the requests.
    results: Vec<Result<Bytes, Refusal>>,
}

impl Walk {
    /// A walk that begins at `root`, with at most `window` requests under way.
    pub fn new(root: BlobRef, values: Values, window: usize) -> Walk {
        let mut walk = Walk::nowhere(values, window);
        walk.add_root(root);
        walk
    }

    /// A walk that is to be given its roots.
    pub fn nowhere(values: Values, window: usize) -> Walk {
        Walk {
            values,
            window: window.max(1),
            in_flight: 0,
            nodes: VecDeque::new(),
            seen: None,
        }
    }

    /// The same in which equal directories are visited once.
    pub fn once_each(mut self) -> Walk {
        let seen = self.nodes.iter().filter_map(|node| match node.tree {
            Tree::DirRef(blobref) => Some(blobref),
            _ => None,
        });
        self.seen = Some(seen.collect());
        self
    }

    /// Continues with another tree when the present one is done.
    pub fn add_root(&mut self, root: BlobRef) {
        let is_new = self.seen.as_mut().is_none_or(|seen| seen.insert(root));
        if is_new {
            let above = Rc::from([]);
            self.nodes
                .push_back(Node::new(above, None, Tree::DirRef(root)));
        }
    }

    /// The next thing met; blocks until it is there. `None` at the end.
    pub fn next(&mut self, blobs: &mut Blobs) -> Option<Visit> {
        loop {
            self.ask_ahead(blobs);
            let node = self.nodes.front_mut()?;
            if let Some(asked) = node.asked.pop_front() {
                let results = blobs.wait(asked);
                let results = match self.values {
                    Values::Read => results.and_then(|blob| node.read(blob)),
                    _ => results,
                };
                node.results.push(results);
                self.in_flight -= 1;
                continue;
            }
            if node.n_asked < node.n_blobs(self.values) {
                continue;
            }
            let node = self.nodes.pop_front()?;
            if let Some(visit) = self.visit(node) {
                return Some(visit);
            }
        }
    }

    /// Keeps the window full with the blobs needed soonest.
    fn ask_ahead(&mut self, blobs: &mut Blobs) {
        let reach = self.window + LOOK_AHEAD_NODES;
        for (at, node) in self.nodes.iter_mut().take(reach).enumerate() {
            while node.n_asked < node.n_blobs(self.values) {
                // Blobs needed now have to be requested, even when all requests under way
                // have turned out to be for later.
                let is_needed = at == 0 && node.asked.is_empty();
                if self.in_flight >= self.window && !is_needed {
                    return;
                }
                let asked = node.ask(blobs, self.values);
                node.asked.extend(asked);
                node.n_asked += 1;
                self.in_flight += 1;
            }
        }
    }

    fn visit(&mut self, mut node: Node) -> Option<Visit> {
        let key = node.key();
        match node.tree {
            Tree::Dir(entries) => {
                self.enter(&key, entries);
                None
            }
            Tree::DirRef(blobref) => {
                // Requests about the blob must have succeeded; the blob is last.
                let results: Result<Vec<Bytes>, Refusal> = node.results.into_iter().collect();
                let read = results.and_then(|results| match results.last() {
                    Some(blob) if !self.values.is_check() => dir_of(blob),
                    Some(blob) => check(&blobref, blob).and_then(|()| dir_of(blob)),
                    None => Err(Refusal::bare(Errno::ENOENT)),
                });
                Some(match read {
                    Ok(entries) => {
                        self.enter(&key, entries);
                        Visit::Dir(key, blobref)
                    }
                    Err(refusal) => Visit::BadDir(key, refusal),
                })
            }
            tree => Some(Visit::Leaf(key, tree, node.results)),
        }
    }

    /// Puts the entries of a directory in front of those to be visited.
    fn enter(&mut self, dir: &Key, entries: Dir) {
        let above: Rc<[Box<str>]> = dir.names().into();
        let values = self.values;
        let wanted = |tree: &Tree| match tree {
            Tree::Val(_) | Tree::Symlink { .. } => values != Values::Skip,
            _ => true,
        };
        let (dirs, leaves): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .filter(|(_, tree)| wanted(tree))
            .partition(|(_, tree)| tree.is_dir());
        let seen = &mut self.seen;
        let dirs: Vec<_> = dirs
            .into_iter()
            .filter(|(_, tree)| match (tree, seen.as_mut()) {
                (Tree::DirRef(blobref), Some(seen)) => seen.insert(*blobref),
                _ => true,
            })
            .collect();
        for (name, tree) in leaves.into_iter().chain(dirs).rev() {
            self.nodes
                .push_front(Node::new(Rc::clone(&above), Some(name), tree));
        }
    }
}

impl Node {
    fn new(above: Rc<[Box<str>]>, name: Option<Box<str>>, tree: Tree) -> Node {
        Node {
            above,
            name,
            tree,
            n_asked: 0,
            asked: VecDeque::new(),
            results: Vec::new(),
        }
    }

    fn key(&mut self) -> Key {
        let mut names = self.above.to_vec();
        names.extend(self.name.take());
        Key::of(names)
    }

    /// Blobs that have to be asked for before this can be visited.
    fn n_blobs(&self, values: Values) -> usize {
        match &self.tree {
            Tree::DirRef(_) if values.is_check() => 2,
            Tree::DirRef(_) => 1,
            Tree::ValRef(blobrefs) if values != Values::Skip => blobrefs.len(),
            _ => 0,
        }
    }

    /// Checks a blob of a value that has come, and lets go of it. Others stay.
    fn read(&self, blob: Bytes) -> Result<Bytes, Refusal> {
        match &self.tree {
            Tree::ValRef(blobrefs) => {
                let blobref = blobrefs.get(self.results.len());
                blobref.map_or(Ok(()), |blobref| check(blobref, &blob))?;
                Ok(Bytes::new())
            }
            _ => Ok(blob),
        }
    }

    fn ask(&self, blobs: &mut Blobs, values: Values) -> Option<Asked> {
        Some(match &self.tree {
            Tree::DirRef(blobref) if self.n_asked + 1 < self.n_blobs(values) => {
                blobs.validate(blobref)
            }
            Tree::DirRef(blobref) => blobs.load(blobref),
            Tree::ValRef(blobrefs) => {
                let blobref = blobrefs.get(self.n_asked)?;
                match values {
                    Values::Load | Values::Read => blobs.load(blobref),
                    Values::Validate | Values::Skip => blobs.validate(blobref),
                }
            }
            _ => return None,
        })
    }
}

/// Checks that a blob is the requested one.
fn check(blobref: &BlobRef, blob: &[u8]) -> Result<(), Refusal> {
    match BlobRef::of(blobref.kind(), blob) == *blobref {
        true => Ok(()),
        false => Err(Refusal::new(
            Errno::ENOTRECOVERABLE,
            "its hash differs from its name",
        )),
    }
}

/// The entries in the blob of a directory.
pub fn dir_of(blob: &[u8]) -> Result<Dir, Refusal> {
    match Tree::decode(blob) {
        Ok(Tree::Dir(entries)) => Ok(entries),
        Ok(tree) => Err(Refusal::new(
            Errno::ENOTRECOVERABLE,
            format!("{} instead of a directory", tree.kind()),
        )),
        Err(error) => Err(Refusal::new(Errno::ENOTRECOVERABLE, error.to_string())),
    }
}
