//! kvs.lookup and kvs.lookup-plus.

use std::collections::BTreeSet;

use node::{Cx, Peer, Reply};
use proto::Coded;
use proto::data::Tree;
use proto::kvs::{Lookup, LookupError, LookupPlus, NamespaceError};

use crate::Kvs;
use crate::asked::Asked;
use crate::engine::view::Supply;
use crate::loads::{Answer, LookupJob};
use crate::namespace::Version;

pub fn lookup(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: Lookup,
    reply: Reply<Lookup>,
) {
    take(core, cx, peer, request, Answer::Plain(reply));
}

pub fn lookup_plus(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: LookupPlus,
    reply: Reply<LookupPlus>,
) {
    take(core, cx, peer, request.0, Answer::Plus(reply));
}

fn take(core: &mut Kvs, cx: &mut Cx<Kvs>, peer: &Peer, request: Lookup, answer: Answer) {
    match &request.namespace {
        Some(namespace) if request.rootdir.is_none() => {
            let namespace = namespace.clone();
            core.about(cx, namespace, Asked::Lookup(peer.clone(), request, answer));
        }
        _ => begin(core, cx, peer, request, answer),
    }
}

/// Looks up in the namespace as it is known now.
pub fn begin(core: &mut Kvs, cx: &mut Cx<Kvs>, peer: &Peer, request: Lookup, answer: Answer) {
    match start_of(core, cx, peer, &request) {
        Ok(version) => run(core, cx, peer, request, version, answer),
        Err(error) => answer.refuse(cx, error.refusal()),
    }
}

fn run(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: Lookup,
    version: Version,
    answer: Answer,
) {
    let job = LookupJob {
        key: request.key,
        flags: request.flags,
        version,
        peer: peer.clone(),
        answer,
        supply: Supply::default(),
        n_missing: 0,
        unknown: BTreeSet::new(),
    };
    core.run_lookup(cx, job);
}

/// Start of a lookup. With a `rootdir` the namespace is not consulted: knowing the
/// reference is the capability.
fn start_of(
    core: &Kvs,
    cx: &Cx<Kvs>,
    peer: &Peer,
    request: &Lookup,
) -> Result<Version, LookupError> {
    if let Some(rootdir) = &request.rootdir {
        let seq = request.rootseq.unwrap_or(0);
        return match serde_json::from_value(rootdir.clone()) {
            Ok(Tree::DirRef(root)) => Ok(Version { root, seq }),
            _ => Err(LookupError::Invalid),
        };
    }
    let namespace = request.namespace.as_ref().ok_or(LookupError::Nowhere)?;
    match core.open(cx, peer, namespace) {
        Ok(namespace) => Ok(namespace.version),
        Err(NamespaceError::Unknown) => Err(LookupError::UnknownNamespace),
        Err(NamespaceError::NotYours) => Err(LookupError::NotYours),
    }
}
