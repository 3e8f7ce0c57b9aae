//! kvs.commit: checks a transaction and puts it into its namespace's queue.

use node::{Cx, Peer, Reply};
use proto::data::Tree;
use proto::kvs::{Commit, CommitError, Dirent, NamespaceError, Op};
use proto::{Coded, Errno, Refusal};

use crate::Kvs;
use crate::engine::txn::Step;
use crate::limits::{ONCE_WRITER_BYTES_MAX, QUEUED_TRANSACTIONS_MAX};
use crate::namespace::Txn;
use crate::size::{Size, size_of};

/// Whether a payload of this length is taken in at all.
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
    let once = match admit(core, cx, peer, &request) {
        Ok(once) => once,
        Err(refusal) => return reply.send_refusal(cx, Err(refusal)),
    };
    core.tally.op_counts.add(request.ops.len() as f64);
    let size = request.ops.iter().map(size_of).sum();
    let txn = Txn {
        name: format!("transaction_req.{}.{}", cx.rank(), core.number()),
        flags: request.flags,
        steps: request.ops.into_iter().map(Step::of).collect(),
        size,
        once,
        number: peer.number,
        alone: false,
        reply,
    };
    if let Some(namespace) = core.namespaces.get_mut(&request.namespace) {
        namespace.queue.push_back(txn);
        core.n_queued += 1;
        core.mark_ready(&request.namespace);
    }
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
    let most = core.settings.bounds.transaction.ops;
    if request.ops.iter().map(size_of).sum::<Size>().ops > most {
        return Err(CommitError::TooManyOps(most).into());
    }
    if core.n_queued >= QUEUED_TRANSACTIONS_MAX {
        return Err(Refusal::bare(Errno::EBUSY));
    }
    request.once.as_deref().map(token_of).transpose()
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
fn token_of(text: &str) -> Result<(String, u64), Refusal> {
    let bad = || Refusal::new(Errno::EINVAL, "once must be WRITER:SEQ");
    let (writer, seq) = text.rsplit_once(':').ok_or_else(bad)?;
    let seq = seq.parse().map_err(|_| bad())?;
    let is_good = (1..=ONCE_WRITER_BYTES_MAX).contains(&writer.len()) && !writer.contains('/');
    is_good.then(|| (writer.to_owned(), seq)).ok_or_else(bad)
}
