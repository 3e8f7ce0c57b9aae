//! content.load, store, flush, dropcache; content-backing.load, store, validate.

use bytes::Bytes;
use node::{Cx, Peer, Reply};
use proto::content::{Blob, Digest, Dropcache, Flush, Load, LoadError, Store, StoreError};
use proto::data::BlobRef;
use proto::{Empty, Errno, Method, Never, Refusal, content_backing};

use crate::Content;
use crate::store;
use crate::task::{Outcome, Task};

pub fn load(core: &mut Content, cx: &mut Cx<Content>, _: &Peer, request: Load, reply: Reply<Load>) {
    let name = match name_of(core, &request.0) {
        Ok(name) => name,
        Err(error) => return reply.send(cx, Err(error)),
    };
    if let Some(blob) = in_memory(core, &name) {
        return reply.send(cx, Ok(Blob(blob)));
    }
    if core.above.is_some() {
        return core.load_above(cx, name, reply);
    }
    let places = core.mapped.places(&name);
    if places.is_empty() {
        return load_stored(core, name, reply);
    }
    // Not kept in memory: the system does so, and sees it if the file changes.
    core.enqueue(Task::LoadMapped(name, places), |_, cx, result| {
        reply.send_refusal(cx, result.and_then(Outcome::blob).map(Blob));
    });
}

pub fn backing_load(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: content_backing::Load,
    reply: Reply<content_backing::Load>,
) {
    match name_of(core, &request.0) {
        Err(error) => reply.send(cx, Err(error)),
        Ok(name) => match in_memory(core, &name) {
            Some(blob) => reply.send(cx, Ok(Blob(blob))),
            None => load_stored(core, name, reply),
        },
    }
}

pub fn store(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: Store,
    reply: Reply<Store>,
) {
    if core.above.is_none() {
        return store_any(core, cx, request.0, reply);
    }
    if request.0.len() > core.settings.blob_bytes_max {
        return reply.send(cx, Err(StoreError::TooBig));
    }
    let name = BlobRef::of(core.settings.hash, &request.0);
    core.store_above(cx, name, request.0, reply);
}

pub fn backing_store(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: content_backing::Store,
    reply: Reply<content_backing::Store>,
) {
    store_any(core, cx, request.0, reply);
}

pub fn backing_validate(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: content_backing::Validate,
    reply: Reply<content_backing::Validate>,
) {
    match name_of(core, &request.0) {
        Err(error) => reply.send(cx, Err(error)),
        Ok(name) => core.enqueue(Task::Validate(name), |_, cx, result| {
            reply.send_refusal(cx, result.map(|_| Empty));
        }),
    }
}

pub fn flush(core: &mut Content, cx: &mut Cx<Content>, _: &Peer, _: Flush, reply: Reply<Flush>) {
    if core.above.is_some() {
        return core.flush_above(cx, reply);
    }
    core.enqueue(Task::Barrier, |_, cx, result| {
        reply.send_refusal(cx, result.map(|_| Empty));
    });
}

pub fn dropcache(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    _: Dropcache,
) -> Result<Empty, Never> {
    core.cache.clear();
    core.tidy_memory(cx, store::Store::drop_cache);
    Ok(Empty)
}

fn load_stored<M>(core: &mut Content, name: BlobRef, reply: Reply<M>)
where
    M: Method<Response = Blob, Error = LoadError>,
{
    core.enqueue(Task::Load(name), move |core, cx, result| {
        let result = result.and_then(Outcome::blob);
        if let Ok(blob) = &result {
            core.cache.insert(name, blob.clone());
        }
        reply.send_refusal(cx, result.map(Blob));
    });
}

fn in_memory(core: &mut Content, name: &BlobRef) -> Option<Bytes> {
    match core.storing.get(name) {
        Some((blob, _)) => Some(blob.clone()),
        None => core.cache.get(name),
    }
}

fn store_any<M>(core: &mut Content, cx: &mut Cx<Content>, blob: Bytes, reply: Reply<M>)
where
    M: Method<Response = Digest, Error = StoreError>,
{
    if blob.len() > core.settings.blob_bytes_max {
        return reply.send(cx, Err(StoreError::TooBig));
    }
    if !core.has_room_for(blob.len()) {
        return reply.send_refusal(cx, Err(Refusal::bare(Errno::EBUSY)));
    }
    let name = BlobRef::of(core.settings.hash, &blob);
    core.storing.entry(name).or_insert((blob.clone(), 0)).1 += 1;
    core.enqueue(Task::Store(name, blob), move |core, cx, result| {
        stored(core, name, result.is_ok());
        let digest = Digest(Bytes::copy_from_slice(name.digest()));
        reply.send_refusal(cx, result.map(|_| digest));
    });
}

/// Handles the end of a store: the blob is in the file, or nowhere.
fn stored(core: &mut Content, name: BlobRef, is_stored: bool) {
    if let Some((blob, stores)) = core.storing.get_mut(&name) {
        *stores -= 1;
        let (blob, is_last) = (blob.clone(), *stores == 0);
        if is_last {
            core.storing.remove(&name);
        }
        if is_stored {
            core.cache.insert(name, blob);
        }
    }
}

/// A digest must have the length of this instance's hashes.
fn name_of(core: &Content, digest: &[u8]) -> Result<BlobRef, LoadError> {
    match BlobRef::from_digest(digest) {
        Ok(name) if name.kind() == core.settings.hash => Ok(name),
        _ => Err(LoadError::WrongDigest),
    }
}
