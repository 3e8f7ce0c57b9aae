//! content.records and content.commit: the kvs keeps its roots beside its blobs.

use bytes::Bytes;
use node::{Cx, Peer, Reply};
use proto::content::{Commit, CommitError, RecordList, Records};
use proto::data::BlobRef;
use proto::{Empty, Errno, Refusal};

use crate::Content;
use crate::limits::COMMITTED_BLOB_BYTES_MAX;
use crate::task::{Outcome, Task};

pub fn open(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: Records,
    reply: Reply<Records>,
) {
    if core.above.is_some() {
        return reply.send(cx, Err(CommitError::NotRankZero));
    }
    core.enqueue(Task::Records(request.writer), |_, cx, result| {
        let result = result.and_then(Outcome::records);
        reply.send_refusal(cx, result.map(RecordList));
    });
}

pub fn commit(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: Commit,
    reply: Reply<Commit>,
) {
    if core.above.is_some() {
        return reply.send(cx, Err(CommitError::NotRankZero));
    }
    let mut bytes = 0;
    for (digest, blob) in &request.blobs {
        bytes += blob.len();
        if blob.len() > core.settings.blob_bytes_max {
            return reply.send(cx, Err(CommitError::TooBig));
        }
        let name = BlobRef::from_digest(digest);
        if name.map(|name| name.kind()) != Ok(core.settings.hash) {
            return reply.send_refusal(cx, Err(Refusal::bare(Errno::EPROTO)));
        }
        debug_assert_eq!(name, Ok(BlobRef::of(core.settings.hash, blob)));
    }
    for edit in &request.edits {
        bytes += edit.bytes();
        if edit.blob_bytes() > core.settings.blob_bytes_max {
            return reply.send(cx, Err(CommitError::TooBig));
        }
        for digest in [&edit.digest, &edit.base] {
            let name = BlobRef::from_digest(digest);
            if name.map(|name| name.kind()) != Ok(core.settings.hash) {
                return reply.send_refusal(cx, Err(Refusal::bare(Errno::EPROTO)));
            }
        }
    }
    if !core.has_room_for(bytes) {
        return reply.send_refusal(cx, Err(Refusal::bare(Errno::EBUSY)));
    }
    let small = small_blobs(&request);
    core.enqueue(Task::Commit(request), |core, cx, result| {
        if result.is_ok() {
            for (name, blob) in small {
                core.cache.insert(name, blob);
            }
        }
        reply.send_refusal(cx, result.map(|_| Empty));
    });
}

/// Followers of a log load appended text as soon as its event arrives. Copies, so that
/// they do not hold the whole message in memory. Larger blobs are mostly directories,
/// which the kvs keeps itself.
fn small_blobs(request: &Commit) -> Vec<(BlobRef, Bytes)> {
    let blobs = request.blobs.iter();
    blobs
        .filter(|(_, blob)| blob.len() <= COMMITTED_BLOB_BYTES_MAX)
        .filter_map(|(digest, blob)| {
            let name = BlobRef::from_digest(digest).ok()?;
            Some((name, Bytes::copy_from_slice(blob)))
        })
        .collect()
}
