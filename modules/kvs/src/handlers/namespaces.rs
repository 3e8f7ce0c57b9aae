//! kvs.namespace-create, namespace-remove, namespace-list.

use node::{Call, Cx, Peer, Reply};
use proto::data::BlobRef;
use proto::kvs::{
    CommitError, CreateError, NamespaceCreate, NamespaceInfo, NamespaceList, NamespaceRemove,
    Namespaces, PRIMARY, RemoveError,
};
use proto::{Coded, Empty, Never};

use super::relay::create_above;
use crate::Kvs;
use crate::core::{Asker, Change, Maker, Reserved};
use crate::limits::{NAMESPACE_NAME_BYTES_MAX, NAMESPACES_MAX};
use crate::namespace::{Namespace, Version};

pub fn create(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: NamespaceCreate,
    reply: Reply<NamespaceCreate>,
) {
    if core.follower.is_some() {
        return create_above(core, cx, peer, request, reply);
    }
    if core.recall.done(peer).is_some() {
        return reply.send(cx, Ok(Empty));
    }
    let asker = Asker::Here(peer.number);
    make(core, cx, request, asker, Maker::Client(reply));
}

/// Has a namespace made by the next batch.
pub fn make(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    request: NamespaceCreate,
    asker: Asker,
    maker: Maker,
) {
    if core.reserved.get(&request.namespace) == Some(&Reserved::Creating) {
        // A client that is told that it exists goes on to use it.
        let rivals = core.rivals.entry(request.namespace).or_default();
        return rivals.push((asker, maker));
    }
    let root = match admit(core, &request) {
        Ok(root) => root,
        Err(error) => return maker.send(cx, Err(error.refusal())),
    };
    // -1 and its unsigned twin are the owner of the instance.
    let owner = u32::try_from(request.owner).unwrap_or(u32::MAX);
    let owner = if owner == u32::MAX { cx.owner() } else { owner };
    let namespace = Namespace::new(owner, request.flags, Version { root, seq: 0 });
    let name = request.namespace;
    core.reserved.insert(name.clone(), Reserved::Creating);
    core.changes
        .push(Change::Create(name, Box::new(namespace), asker, maker));
}

fn admit(core: &Kvs, request: &NamespaceCreate) -> Result<BlobRef, CreateError> {
    let name = &request.namespace;
    match core.reserved.get(name) {
        Some(Reserved::Removing) => return Err(CreateError::BeingRemoved),
        _ if core.namespaces.contains_key(name) => return Err(CreateError::Exists),
        _ => {}
    }
    if !(1..=NAMESPACE_NAME_BYTES_MAX).contains(&name.len()) {
        return Err(CreateError::Invalid);
    }
    if core.namespaces.len() + core.changes.len() >= NAMESPACES_MAX {
        return Err(CreateError::TooMany);
    }
    let root: BlobRef = request.rootref.parse().map_err(|_| CreateError::Invalid)?;
    match root.kind() == core.settings.hash {
        true => Ok(root),
        false => Err(CreateError::Invalid),
    }
}

pub fn remove(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    _: &Peer,
    request: NamespaceRemove,
    reply: Reply<NamespaceRemove>,
) {
    if core.follower.is_some() {
        let call = Call::new(&request).to(0);
        cx.call_with(call, |_, cx, result| reply.send_refusal(cx, result));
        return;
    }
    let name = request.namespace;
    if name.eq_ignore_ascii_case(PRIMARY) {
        return reply.send(cx, Err(RemoveError::Primary));
    }
    if core.reserved.contains_key(&name) {
        core.doomed.entry(name).or_default().push(reply);
        return;
    }
    remove_now(core, cx, name, reply);
}

/// Answers those who wanted to remove a namespace that was being made or removed: it is, or
/// it is not, as far as the store knows.
pub fn remove_doomed(core: &mut Kvs, cx: &mut Cx<Kvs>, name: &str) {
    for reply in core.doomed.remove(name).unwrap_or_default() {
        remove_now(core, cx, name.to_owned(), reply);
    }
}

fn remove_now(core: &mut Kvs, cx: &mut Cx<Kvs>, name: String, reply: Reply<NamespaceRemove>) {
    let Some(mut namespace) = core.namespaces.remove(&name) else {
        let Some(writers) = core.leftovers.remove(&name) else {
            return reply.send(cx, Ok(Empty));
        };
        // It is removed for everyone, but its records are still to be deleted.
        core.reserved.insert(name.clone(), Reserved::Removing);
        core.changes.push(Change::Remove(name, writers, reply));
        return;
    };
    core.ready.retain(|ready| *ready != name);
    core.n_queued -= namespace.queue.len();
    for txn in std::mem::take(&mut namespace.queue) {
        let unknown = Err(CommitError::UnknownNamespace.refusal());
        core.ends.answer(cx, txn.owed, &unknown);
    }
    namespace.refuse_waiters(cx);
    let writers = namespace
        .once
        .into_keys()
        .chain(namespace.next_once.into_keys());
    let writers = writers.collect();
    core.reserved.insert(name.clone(), Reserved::Removing);
    core.changes.push(Change::Remove(name, writers, reply));
}

pub fn list(
    core: &mut Kvs,
    _: &mut Cx<Kvs>,
    _: &Peer,
    _: NamespaceList,
) -> Result<Namespaces, Never> {
    let infos = core
        .namespaces
        .iter()
        .map(|(name, namespace)| NamespaceInfo {
            namespace: name.clone(),
            owner: namespace.owner,
            flags: namespace.flags,
        });
    Ok(Namespaces {
        namespaces: infos.collect(),
    })
}
