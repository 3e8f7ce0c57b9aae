//! content.records and content.commit: the kvs keeps its roots beside its blobs.

use node::{Cx, Peer, Reply};
use proto::content::{Commit, CommitError, RecordList, Records};
use proto::data::BlobRef;
use proto::{Empty, Errno, Refusal};

use crate::Content;
use crate::task::{Outcome, Task};

pub fn open(
    core: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    request: Records,
    reply: Reply<Records>,
) {
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
    if !core.has_room_for(bytes) {
        return reply.send_refusal(cx, Err(Refusal::bare(Errno::EBUSY)));
    }
    // These blobs are not kept in memory: the kvs, which made them, keeps them itself.
    core.enqueue(Task::Commit(request), |_, cx, result| {
        reply.send_refusal(cx, result.map(|_| Empty));
    });
}
