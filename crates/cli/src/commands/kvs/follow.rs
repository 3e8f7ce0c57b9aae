//! A key watched across restarts of the service: values seen before one are not shown
//! again.

use bytes::Bytes;
use client::{Call, CallId, Pending};
use proto::Refusal;
use proto::data::Tree;
use proto::kvs::WATCH_APPEND;
use proto::kvs_watch::{Lookup, Watched};

use super::at::Store;

/// Topic of the method that ends a watch (RFC 6).
const CANCEL: &str = "kvs-watch.cancel";

/// A watch of one key.
pub struct Follow {
    pending: Pending<Lookup>,
    is_append: bool,
    repeats: u32,
    /// Bytes shown, of a value that grows.
    shown: usize,
    /// Bytes of those still to be left out after a restart.
    skip: usize,
    /// The last value shown.
    last: Option<Tree>,
}

impl Follow {
    /// Starts watching.
    pub fn start(store: &mut Store, key: &str, flags: u32) -> Follow {
        let request = Lookup::new(&store.namespace, key, flags);
        Follow {
            pending: store.handle.start_stream(Call::new(&request).repeating()),
            is_append: flags & WATCH_APPEND != 0,
            repeats: 0,
            shown: 0,
            skip: 0,
            last: None,
        }
    }

    /// To recognise its answers.
    pub fn id(&self) -> CallId {
        self.pending.id()
    }

    /// Ends the watch at the service; the end still arrives.
    pub fn cancel(&self, store: &mut Store) {
        store.handle.cancel(self.id(), CANCEL);
    }

    /// Blocks until there is something new; `None` at the end.
    pub fn next(&mut self, store: &mut Store) -> Option<Result<Tree, Refusal>> {
        loop {
            match store.handle.wait(self.pending) {
                Ok(watched) => {
                    if let Some(tree) = self.take(store, watched) {
                        return Some(Ok(tree));
                    }
                }
                Err(refusal) if refusal.is_end() => return None,
                Err(refusal) => return Some(Err(refusal)),
            }
        }
    }

    /// New part of a response.
    pub fn take(&mut self, store: &mut Store, watched: Watched) -> Option<Tree> {
        let repeats = store.handle.repeats(self.id());
        let is_first_again = std::mem::replace(&mut self.repeats, repeats) != repeats;
        if is_first_again {
            self.skip = self.shown;
        }
        let tree = watched.val?;
        if self.is_append {
            return self.unseen(tree);
        }
        if is_first_again && self.last.as_ref() == Some(&tree) {
            return None;
        }
        self.last = Some(tree.clone());
        Some(tree)
    }

    fn unseen(&mut self, tree: Tree) -> Option<Tree> {
        let Tree::Val(bytes) = tree else {
            return Some(tree);
        };
        let (unseen, skipped) = unseen_bytes(bytes, self.skip);
        self.skip -= skipped;
        self.shown += unseen.len();
        (skipped == 0 || !unseen.is_empty()).then_some(Tree::Val(unseen))
    }
}

/// Bytes behind the first `skip`, and the number skipped.
fn unseen_bytes(bytes: Bytes, skip: usize) -> (Bytes, usize) {
    let skipped = skip.min(bytes.len());
    (bytes.slice(skipped..), skipped)
}
