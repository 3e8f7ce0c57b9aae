//! kvs.getroot, kvs.wait-version, kvs.setroot-pause and kvs.setroot-unpause.

use node::{Cx, Peer, Reply};
use proto::kvs::{GetRoot, NamespaceError, Root, SetrootPause, SetrootUnpause, WaitVersion};
use proto::{Empty, Errno, Refusal};

use crate::Kvs;
use crate::limits::WAITING_REQUESTS_MAX;
use crate::namespace::Waiter;

pub fn getroot(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: GetRoot,
) -> Result<Root, NamespaceError> {
    let namespace = core.open(cx, peer, &request.namespace)?;
    Ok(Root {
        owner: namespace.owner,
        rootseq: namespace.version.seq,
        rootref: namespace.version.root.to_string(),
        flags: namespace.flags,
        namespace: request.namespace,
    })
}

pub fn wait_version(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: WaitVersion,
    reply: Reply<WaitVersion>,
) {
    let version = match core.open(cx, peer, &request.namespace) {
        Ok(namespace) => namespace.version,
        Err(error) => return reply.send(cx, Err(error)),
    };
    if version.seq >= request.rootseq {
        return reply.send(cx, Ok(version.committed()));
    }
    match core.namespaces.get_mut(&request.namespace) {
        Some(namespace) if namespace.waiters.len() < WAITING_REQUESTS_MAX => {
            namespace.waiters.push(Waiter {
                seq: request.rootseq,
                reply,
            });
        }
        _ => reply.send_refusal(cx, Err(Refusal::bare(Errno::EBUSY))),
    }
}

pub fn setroot_pause(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: SetrootPause,
) -> Result<Empty, NamespaceError> {
    core.open(cx, peer, &request.namespace)?;
    core.pause(&request.namespace, true);
    Ok(Empty)
}

pub fn setroot_unpause(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: SetrootUnpause,
) -> Result<Empty, NamespaceError> {
    core.open(cx, peer, &request.namespace)?;
    core.pause(&request.namespace, false);
    Ok(Empty)
}
