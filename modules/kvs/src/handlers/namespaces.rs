//! kvs.namespace-create, namespace-remove, namespace-list.

use node::{Cx, Peer, Reply};
use proto::data::BlobRef;
use proto::kvs::{
    CommitError, CreateError, NamespaceCreate, NamespaceError, NamespaceInfo, NamespaceList,
    NamespaceRemove, Namespaces, PRIMARY, RemoveError,
};
use proto::{Empty, Never};

use crate::Kvs;
use crate::core::{Change, Reserved};
use crate::limits::{NAMESPACE_NAME_BYTES_MAX, NAMESPACES_MAX};
use crate::namespace::{Namespace, Version};

pub fn create(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: NamespaceCreate,
    reply: Reply<NamespaceCreate>,
) {
    if core.recall.done(peer).is_some() {
        return reply.send(cx, Ok(Empty));
    }
    if core.reserved.get(&request.namespace) == Some(&Reserved::Creating) {
        // A client that is told that it exists goes on to use it.
        let rivals = core.rivals.entry(request.namespace).or_default();
        return rivals.push(reply);
    }
    let root = match admit(core, &request) {
        Ok(root) => root,
        Err(error) => return reply.send(cx, Err(error)),
    };
    // -1 and its unsigned twin are the owner of the instance.
    let owner = u32::try_from(request.owner).unwrap_or(u32::MAX);
    let owner = if owner == u32::MAX { cx.owner() } else { owner };
    let namespace = Namespace::new(owner, request.flags, Version { root, seq: 0 });
    let name = request.namespace;
    core.reserved.insert(name.clone(), Reserved::Creating);
    core.changes.push(Change::Create(
        name,
        Box::new(namespace),
        peer.number,
        reply,
    ));
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
    let Some(namespace) = core.namespaces.remove(&name) else {
        let Some(writers) = core.leftovers.remove(&name) else {
            return reply.send(cx, Ok(Empty));
        };
        // It is gone for everyone, but its records are still to be removed.
        core.reserved.insert(name.clone(), Reserved::Removing);
        core.changes.push(Change::Remove(name, writers, reply));
        return;
    };
    core.ready.retain(|ready| *ready != name);
    core.n_queued -= namespace.queue.len();
    for txn in namespace.queue {
        txn.reply.send(cx, Err(CommitError::UnknownNamespace));
    }
    for waiter in namespace.waiters {
        waiter.reply.send(cx, Err(NamespaceError::Unknown));
    }
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
