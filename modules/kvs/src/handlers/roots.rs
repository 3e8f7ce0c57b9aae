//! kvs.getroot, kvs.wait-version, kvs.setroot-pause and kvs.setroot-unpause.

use node::{Cx, Peer, Reply};
use proto::kvs::{GetRoot, NamespaceError, Root, SetrootPause, SetrootUnpause, WaitVersion};
use proto::{Empty, Errno, Refusal};

use crate::Kvs;
use crate::asked::Asked;
use crate::limits::WAITING_REQUESTS_MAX;
use crate::namespace::{ForVersion, Waiter};

pub fn getroot(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: GetRoot,
    reply: Reply<GetRoot>,
) {
    core.about(cx, request.namespace, Asked::GetRoot(peer.clone(), reply));
}

/// The root as it is known now.
pub fn root_of(
    core: &Kvs,
    cx: &Cx<Kvs>,
    peer: &Peer,
    name: String,
) -> Result<Root, NamespaceError> {
    let namespace = core.open(cx, peer, &name)?;
    Ok(Root {
        owner: namespace.owner,
        rootseq: namespace.version.seq,
        rootref: namespace.version.root.to_string(),
        flags: namespace.flags,
        namespace: name,
    })
}

pub fn wait_version(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: WaitVersion,
    reply: Reply<WaitVersion>,
) {
    let name = request.namespace.clone();
    core.about(cx, name, Asked::WaitVersion(peer.clone(), request, reply));
}

/// Answers when the version is there.
pub fn wait(
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
                reply: ForVersion::Asked(reply),
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
    reply: Reply<SetrootPause>,
) {
    core.about(cx, request.namespace, Asked::Pause(peer.clone(), reply));
}

pub fn setroot_unpause(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: SetrootUnpause,
    reply: Reply<SetrootUnpause>,
) {
    core.about(cx, request.namespace, Asked::Unpause(peer.clone(), reply));
}

/// Holds versions back, or lets them come.
pub fn set_pause(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    name: &str,
    is_paused: bool,
) -> Result<Empty, NamespaceError> {
    core.open(cx, peer, name)?;
    core.pause(cx, name, is_paused);
    Ok(Empty)
}
