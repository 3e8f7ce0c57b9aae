//! kvs.commit: checks a transaction and puts it into its namespace's queue.

use node::{Cx, Peer, Reply};
use proto::data::Tree;
use proto::kvs::{Commit, CommitError, Dirent, NamespaceError, Op, RelayTxn};
use proto::{Coded, Errno, RawJson, Refusal};

use crate::Kvs;
use crate::asked::Asked;
use crate::engine::txn::Step;
use crate::limits::{ONCE_WRITER_BYTES_MAX, QUEUED_TRANSACTIONS_MAX};
use crate::namespace::Txn;
use crate::owed::Owed;
use crate::relay::{Item, Teller, here};
use crate::size::{Size, size_of};

/// Checks that a payload of this length is accepted.
pub fn fits(core: &Kvs, bytes: usize) -> Result<(), CommitError> {
    let most = core.settings.bounds.transaction.bytes;
    match bytes <= most {
        true => Ok(()),
        false => Err(CommitError::TooManyBytes(most)),
    }
}

pub fn commit(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: Commit,
    reply: Reply<Commit>,
) {
    if let Some(version) = core.recall.done(peer) {
        return reply.send(cx, Ok(version.committed()));
    }
    let namespace = request.namespace.clone();
    core.about(cx, namespace, Asked::Commit(peer.clone(), request, reply));
}

/// Puts a transaction into the queue, here or on the way to rank 0.
pub fn begin(core: &mut Kvs, cx: &mut Cx<Kvs>, peer: &Peer, request: Commit, reply: Reply<Commit>) {
    let once = match admit(core, cx, peer, &request) {
        Ok(once) => once,
        Err(refusal) => return reply.send_refusal(cx, Err(refusal)),
    };
    core.tally.op_counts.add(request.ops.len() as f64);
    let name = format!("transaction_req.{}.{}", cx.rank(), core.number());
    if core.follower.is_some() {
        return send_up(core, cx, peer, request, name, reply);
    }
    let txn = Txn {
        name,
        flags: request.flags,
        size: request.ops.iter().map(size_of).sum(),
        steps: request.ops.into_iter().map(Step::of).collect(),
        once,
        number: peer.number,
        alone: false,
        owed: Owed::Client(reply),
    };
    enqueue(core, &request.namespace, txn);
}

/// Puts a transaction into the queue of its namespace, which is there.
pub fn enqueue(core: &mut Kvs, name: &str, txn: Txn) {
    if let Some(namespace) = core.namespaces.get_mut(name) {
        namespace.queue.push_back(txn);
        core.n_queued += 1;
        core.mark_ready(name);
    }
}

fn send_up(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    request: Commit,
    name: String,
    reply: Reply<Commit>,
) {
    let Some(follower) = &mut core.follower else {
        return;
    };
    let ops = match RawJson::of(&request.ops) {
        Ok(ops) => ops,
        Err(error) => {
            let refusal = Refusal::new(Errno::EPROTO, error.to_string());
            return reply.send_refusal(cx, Err(refusal));
        }
    };
    if !follower.uplink.has_room_for(ops.as_str().len()) {
        return reply.send_refusal(cx, Err(Refusal::bare(Errno::EBUSY)));
    }
    let (rank, origin) = here(cx);
    let txn = RelayTxn {
        number: peer.number.unwrap_or(0),
        name,
        namespace: request.namespace,
        flags: request.flags,
        ops,
        once: request.once,
    };
    follower.uplink.push(Item {
        rank,
        origin,
        floor: 0,
        txn,
        teller: Teller::Client(reply),
    });
}

/// Checks, in the order that the protocol has them, and reads the token.
fn admit(
    core: &Kvs,
    cx: &Cx<Kvs>,
    peer: &Peer,
    request: &Commit,
) -> Result<Option<(String, u64)>, Refusal> {
    if !peer.is_owner() {
        request.ops.iter().try_for_each(guest_may)?;
    }
    core.open(cx, peer, &request.namespace)
        .map_err(|error| match error {
            NamespaceError::Unknown => CommitError::UnknownNamespace.refusal(),
            NamespaceError::NotYours => CommitError::NotYours.refusal(),
        })?;
    has_room_for(core, request.ops.iter().map(size_of).sum())?;
    request.once.as_deref().map(token_of).transpose()
}

/// Checks that there is room for a transaction of this size.
pub fn has_room_for(core: &Kvs, size: Size) -> Result<(), Refusal> {
    let most = core.settings.bounds.transaction.ops;
    if size.ops > most {
        return Err(CommitError::TooManyOps(most).into());
    }
    let n_under_way = core.follower.as_ref().map_or(0, |f| f.uplink.n_items());
    if core.n_queued + n_under_way >= QUEUED_TRANSACTIONS_MAX {
        return Err(Refusal::bare(Errno::EBUSY));
    }
    Ok(())
}

/// Guests must not name blobs that they may not read.
fn guest_may(op: &Op) -> Result<(), CommitError> {
    match &op.dirent {
        Some(Dirent::Tree(Tree::Dir(entries))) if !entries.is_empty() => Err(CommitError::GuestDir),
        Some(Dirent::Tree(tree @ (Tree::ValRef(_) | Tree::DirRef(_) | Tree::Symlink { .. }))) => {
            Err(CommitError::GuestObject(tree.kind()))
        }
        _ => Ok(()),
    }
}

/// `WRITER:SEQ`.
pub fn token_of(text: &str) -> Result<(String, u64), Refusal> {
    let bad = || Refusal::new(Errno::EINVAL, "once must be WRITER:SEQ");
    let (writer, seq) = text.rsplit_once(':').ok_or_else(bad)?;
    let seq = seq.parse().map_err(|_| bad())?;
    let is_good = (1..=ONCE_WRITER_BYTES_MAX).contains(&writer.len()) && !writer.contains('/');
    is_good.then(|| (writer.to_owned(), seq)).ok_or_else(bad)
}
