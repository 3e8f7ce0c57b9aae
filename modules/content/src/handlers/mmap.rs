//! content.mmap-add and mmap-remove: files of rank 0's host whose parts are blobs
//! (protocol/24 section 16).

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::content::{MmapAdd, MmapError, MmapRemove};

use crate::Content;
use crate::limits::{MAPPED_PART_BYTES_MAX, MAPPED_TAG_BYTES_MAX};
use crate::mapped::{FileId, MapStep};
use crate::task::{Outcome, Task};

pub fn add(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: MmapAdd,
    reply: Reply<MmapAdd>,
) {
    if let Err(error) = check(cx, &request) {
        return reply.send(cx, Err(error));
    }
    let blob_bytes_max = core.settings.blob_bytes_max as u64;
    let step = MapStep {
        path: request.path.into(),
        hash: core.settings.hash,
        part_bytes: request.chunksize,
        part_bytes_max: blob_bytes_max.min(MAPPED_PART_BYTES_MAX),
        from: 0,
    };
    match core.mapped.open(request.tag, step.path.clone()) {
        Ok(file) => map_step(core, file, step, reply),
        Err(error) => reply.send(cx, Err(error)),
    }
}

fn check(cx: &Cx<Content>, request: &MmapAdd) -> Result<(), MmapError> {
    if cx.rank() != 0 {
        return Err(MmapError::NotRankZero);
    }
    if !request.path.starts_with('/') {
        return Err(MmapError::NotQualified);
    }
    if request.tag.len() > MAPPED_TAG_BYTES_MAX {
        return Err(MmapError::TagTooLong(MAPPED_TAG_BYTES_MAX));
    }
    Ok(())
}

/// Maps some of a file, then the rest. Mapped blobs can be loaded at once.
fn map_step(core: &mut Content, file: FileId, step: MapStep, reply: Reply<MmapAdd>) {
    core.enqueue(Task::Map(step.clone()), move |core, cx, result| {
        let mapped = result.and_then(Outcome::parts).and_then(|(parts, next)| {
            core.mapped.extend(file, parts)?;
            Ok(next)
        });
        match mapped {
            Ok(Some(from)) => map_step(core, file, MapStep { from, ..step }, reply),
            Ok(None) => reply.send(cx, core.mapped.close(file).map(|()| Empty)),
            Err(refusal) => {
                core.mapped.give_up(file);
                reply.send_refusal(cx, Err(refusal));
            }
        }
    });
}

pub fn remove(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: MmapRemove,
) -> Result<Empty, MmapError> {
    if cx.rank() != 0 {
        return Err(MmapError::NotRankZero);
    }
    core.mapped.remove_tag(&request.tag);
    Ok(Empty)
}
