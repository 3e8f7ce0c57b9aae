//! Requests of a follower to its parent for blobs that it lacks (protocol/21 section 3).
//!
//! A blob is requested once, regardless of the number of those who wait for it, and a
//! blob being stored is sent once. Only so much is under way in either direction that the
//! link has room for others: answers to loads are as long as their blobs, which is
//! learned from those before.

use std::collections::VecDeque;

use bytes::Bytes;
use node::{Call, Cx, Reply};
use proto::content::{Blob, Digest, Flush, Load, Store};
use proto::data::BlobRef;
use proto::{Empty, Errno, Refusal};
use rustc_hash::FxHashMap;

use crate::Content;
use crate::limits::{
    ABOVE_BLOB_BYTES_MAX, ABOVE_BYTES_MAX, ABOVE_EXPECTED_BYTES, ABOVE_LOADS_MAX,
    ABOVE_QUEUED_BYTES_MAX,
};

/// Requests sent to the parent, and those still to be sent.
#[derive(Debug)]
pub struct Above {
    rank: u32,
    /// Requests that wait for a blob.
    loads: FxHashMap<BlobRef, Vec<Reply<Load>>>,
    /// Blobs that are not asked for yet.
    to_load: VecDeque<BlobRef>,
    n_loading: usize,
    /// Length of the next answer, as far as is known.
    expected: usize,
    /// Requests that wait for a blob to be stored.
    stores: FxHashMap<BlobRef, Vec<Reply<Store>>>,
    /// Blobs that are not sent yet.
    to_store: VecDeque<BlobRef>,
    queued_bytes: usize,
    storing_bytes: usize,
    flushes: Vec<Reply<Flush>>,
}

impl Above {
    /// Nothing asked yet, on this rank.
    pub fn new(rank: u32) -> Above {
        Above {
            rank,
            loads: FxHashMap::default(),
            to_load: VecDeque::new(),
            n_loading: 0,
            expected: ABOVE_EXPECTED_BYTES,
            stores: FxHashMap::default(),
            to_store: VecDeque::new(),
            queued_bytes: 0,
            storing_bytes: 0,
            flushes: Vec::new(),
        }
    }

    /// Stores that the parent has.
    pub fn n_storing(&self) -> usize {
        self.stores.len() - self.to_store.len()
    }

    fn is_idle(&self) -> bool {
        self.loads.is_empty() && self.stores.is_empty()
    }

    /// Panics if the tables disagree.
    pub fn check(&self) {
        assert_eq!(self.loads.len(), self.n_loading + self.to_load.len());
        assert!(self.flushes.is_empty() || !self.stores.is_empty());
        assert!(!self.stores.is_empty() || self.storing_bytes + self.queued_bytes == 0);
    }
}

impl Content {
    /// Answers when the parent has given the blob. An error is sent to all who wait, and
    /// not remembered.
    pub(crate) fn load_above(&mut self, cx: &mut Cx<Self>, name: BlobRef, reply: Reply<Load>) {
        let Some(above) = &mut self.above else { return };
        let waiters = above.loads.entry(name).or_default();
        waiters.push(reply);
        if waiters.len() == 1 {
            above.to_load.push_back(name);
            self.ask_above(cx);
        }
    }

    fn ask_above(&mut self, cx: &mut Cx<Self>) {
        let Some(above) = &mut self.above else { return };
        while (above.n_loading == 0
            || above.n_loading < ABOVE_LOADS_MAX
                && above.n_loading.saturating_mul(above.expected) < ABOVE_BYTES_MAX)
            && let Some(name) = above.to_load.pop_front()
        {
            above.n_loading += 1;
            let load = Load(Bytes::copy_from_slice(name.digest()));
            let call = Call::new(&load).upstream(above.rank);
            cx.call_with(call, move |core: &mut Content, cx, result| {
                core.loaded_above(cx, name, result);
            });
        }
    }

    fn loaded_above(&mut self, cx: &mut Cx<Self>, name: BlobRef, result: Result<Blob, Refusal>) {
        let Some(above) = &mut self.above else { return };
        above.n_loading -= 1;
        if let Ok(Blob(blob)) = &result {
            above.expected = blob.len().max(above.expected / 8 * 7).max(1);
        }
        let waiters = above.loads.remove(&name).unwrap_or_default();
        // Data of a broken parent are not passed on under another name.
        let result = result.and_then(|Blob(blob)| match BlobRef::of(name.kind(), &blob) == name {
            true => Ok(blob),
            false => Err(Refusal::new(Errno::EIO, "blob differs from its digest")),
        });
        if let Ok(blob) = &result {
            self.cache.insert(name, blob.clone());
        }
        for reply in waiters {
            reply.send_refusal(cx, result.clone().map(Blob));
        }
        self.ask_above(cx);
        self.leave_when_idle(cx);
    }

    /// Answers when the parent has answered. A store of a blob that is under way already
    /// joins the first.
    pub(crate) fn store_above(
        &mut self,
        cx: &mut Cx<Self>,
        name: BlobRef,
        blob: Bytes,
        reply: Reply<Store>,
    ) {
        let Some(above) = &mut self.above else { return };
        if let Some(waiters) = above.stores.get_mut(&name) {
            return waiters.push(reply);
        }
        if blob.len() > ABOVE_BLOB_BYTES_MAX {
            let text = format!(
                "blobs of over {ABOVE_BLOB_BYTES_MAX} bytes can only be loaded on \
                rank 0"
            );
            return reply.send_refusal(cx, Err(Refusal::new(Errno::EFBIG, text)));
        }
        if above.queued_bytes + blob.len() > ABOVE_QUEUED_BYTES_MAX {
            return reply.send_refusal(cx, Err(Refusal::bare(Errno::EBUSY)));
        }
        above.queued_bytes += blob.len();
        above.stores.insert(name, vec![reply]);
        above.to_store.push_back(name);
        self.storing.insert(name, (blob, 1));
        self.send_above(cx);
    }

    fn send_above(&mut self, cx: &mut Cx<Self>) {
        let Some(above) = &mut self.above else { return };
        while let Some(name) = above.to_store.front().copied()
            && let Some((blob, _)) = self.storing.get(&name)
            && (above.storing_bytes == 0 || above.storing_bytes + blob.len() <= ABOVE_BYTES_MAX)
        {
            above.to_store.pop_front();
            above.queued_bytes -= blob.len();
            above.storing_bytes += blob.len();
            let call = Call::new(&Store(blob.clone())).upstream(above.rank);
            cx.call_with(call, move |core: &mut Content, cx, result| {
                core.stored_above(cx, name, result);
            });
        }
    }

    fn stored_above(&mut self, cx: &mut Cx<Self>, name: BlobRef, result: Result<Digest, Refusal>) {
        let Some(above) = &mut self.above else { return };
        let waiters = above.stores.remove(&name).unwrap_or_default();
        if let Some((blob, _)) = self.storing.remove(&name) {
            above.storing_bytes -= blob.len();
            if result.is_ok() {
                self.cache.insert(name, blob);
            }
        }
        for reply in waiters {
            let digest = Digest(Bytes::copy_from_slice(name.digest()));
            reply.send_refusal(cx, result.clone().map(|_| digest));
        }
        if above.stores.is_empty() {
            for reply in std::mem::take(&mut above.flushes) {
                reply.send_refusal(cx, Ok(Empty));
            }
        }
        self.send_above(cx);
        self.leave_when_idle(cx);
    }

    /// Answers when nothing is on its way up.
    pub(crate) fn flush_above(&mut self, cx: &mut Cx<Self>, reply: Reply<Flush>) {
        match &mut self.above {
            Some(above) if !above.stores.is_empty() => above.flushes.push(reply),
            _ => reply.send_refusal(cx, Ok(Empty)),
        }
    }

    /// Leaves once everything that was accepted is answered.
    pub(crate) fn leave_when_idle(&mut self, cx: &mut Cx<Self>) {
        if self.stopping && self.above.as_ref().is_some_and(Above::is_idle) {
            self.stopping = false;
            cx.exit(Ok(()));
        }
    }
}
