//! kvs.relay, kvs.relaycommit and kvs.relay-create: the requests of other ranks to rank
//! 0.
//!
//! Permission was checked where the request was made, so only the owner may send these;
//! rules for all transactions of an instance, such as their size, are checked again.

use std::rc::Rc;

use node::{Cx, Peer, Reply};
use proto::kvs::{
    CommitError, NamespaceCreate, NamespaceError, Op, Relay, RelayBlock, RelayCommit, RelayCreate,
    RelayTxn, Relayed,
};
use proto::{Coded, Empty, Errno, Never, Refusal};

use super::commit::{enqueue, has_room_for, token_of};
use super::namespaces::make;
use crate::Kvs;
use crate::core::{Asker, Maker};
use crate::engine::txn::Step;
use crate::limits::RELAY_PAYLOAD_BYTES_MAX;
use crate::namespace::Txn;
use crate::owed::{Owed, Place, result_of};
use crate::publish::publish_failure;
use crate::relay::{Item, Teller};
use crate::relayed::Seen;
use crate::size::size_of;

/// Checks that a payload of this length is accepted.
pub fn fits(_: &Kvs, bytes: usize) -> Result<(), CommitError> {
    match bytes <= RELAY_PAYLOAD_BYTES_MAX {
        true => Ok(()),
        false => Err(CommitError::TooManyBytes(RELAY_PAYLOAD_BYTES_MAX)),
    }
}

pub fn relay(core: &mut Kvs, cx: &mut Cx<Kvs>, _: &Peer, request: Relay, reply: Reply<Relay>) {
    let n = request.blocks.iter().map(|block| block.txns.len()).sum();
    if n == 0 {
        let results = Vec::new();
        return reply.send(cx, Ok(Relayed { results }));
    }
    let mut places = core.ends.relays.open(reply, n);
    for block in request.blocks {
        match core.follower {
            Some(_) => pass_on(core, cx, block, &mut places),
            None => take(core, cx, block, &mut places),
        }
    }
}

/// On a router: its transactions join ours.
fn pass_on(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    block: RelayBlock,
    places: &mut impl Iterator<Item = Place>,
) {
    let origin: Rc<str> = block.origin.into();
    for (txn, place) in block.txns.into_iter().zip(places) {
        let Some(follower) = &mut core.follower else {
            return;
        };
        if !follower.uplink.has_room_for(txn.ops.as_str().len()) {
            let busy = Err(Refusal::bare(Errno::EBUSY));
            core.ends.relays.fill(cx, place, result_of(&busy));
            continue;
        }
        follower.uplink.push(Item {
            rank: block.rank,
            origin: origin.clone(),
            floor: block.floor,
            txn,
            teller: Teller::Below(place),
        });
    }
}

/// On rank 0: its transactions are applied, unless they were.
fn take(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    block: RelayBlock,
    places: &mut impl Iterator<Item = Place>,
) {
    let (rank, floor) = (block.rank, block.floor);
    let broker = core.ends.known.receive(rank, &block.origin, floor);
    for (txn, place) in block.txns.into_iter().zip(places) {
        let mark = (rank, broker.clone(), txn.number);
        let owed = match core.ends.known.take(mark, place) {
            Seen::Done(version) => {
                core.ends.relays.fill(cx, place, result_of(&Ok(version)));
                continue;
            }
            Seen::Waits => continue,
            Seen::Fresh(owed) => owed,
        };
        let namespace = txn.namespace.clone();
        match read(core, &txn) {
            Ok((ops, once)) => {
                core.tally.op_counts.add(ops.len() as f64);
                let txn = Txn {
                    name: txn.name,
                    flags: txn.flags,
                    size: ops.iter().map(size_of).sum(),
                    steps: ops.into_iter().map(Step::of).collect(),
                    once,
                    number: None,
                    alone: false,
                    owed,
                };
                enqueue(core, &namespace, txn);
            }
            Err(refusal) => core.ends.answer(cx, owed, &Err(refusal)),
        }
    }
}

type Token = Option<(String, u64)>;

/// Reads a transaction that is new to us, if it can be taken on.
fn read(core: &Kvs, txn: &RelayTxn) -> Result<(Vec<Op>, Token), Refusal> {
    if !core.namespaces.contains_key(&txn.namespace) {
        return Err(NamespaceError::Unknown.refusal());
    }
    let ops: Result<Vec<Op>, _> = txn.ops.parse();
    let ops = ops.map_err(|error| Refusal::new(Errno::EPROTO, error.to_string()))?;
    has_room_for(core, ops.iter().map(size_of).sum())?;
    let once = txn.once.as_deref().map(token_of).transpose()?;
    Ok((ops, once))
}

/// One transaction without an answer: an event announces its end.
pub fn relaycommit(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    _: &Peer,
    request: RelayCommit,
) -> Result<Empty, Never> {
    if core.follower.is_some() {
        cx.notify_with(node::Call::new(&request).upstream(cx.rank()));
        return Ok(Empty);
    }
    let size = request.ops.iter().map(size_of).sum();
    let known = match core.namespaces.contains_key(&request.namespace) {
        true => has_room_for(core, size),
        false => Err(NamespaceError::Unknown.refusal()),
    };
    if let Err(refusal) = known {
        publish_failure(cx, &request.namespace, vec![request.name], &refusal);
        return Ok(Empty);
    }
    core.tally.op_counts.add(request.ops.len() as f64);
    let txn = Txn {
        name: request.name,
        flags: request.flags,
        size,
        steps: request.ops.into_iter().map(Step::of).collect(),
        once: None,
        number: None,
        alone: false,
        owed: Owed::Nobody,
    };
    enqueue(core, &request.namespace, txn);
    Ok(Empty)
}

/// Makes a namespace for a client of another rank.
pub fn create(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    _: &Peer,
    request: RelayCreate,
    reply: Reply<RelayCreate>,
) {
    if core.follower.is_some() {
        let call = node::Call::new(&request).to(0);
        cx.call_with(call, |_, cx, result| reply.send_refusal(cx, result));
        return;
    }
    let broker = core.ends.known.receive(request.rank, &request.origin, 0);
    let mark = (request.rank, broker, request.number);
    if core.ends.known.done(&mark).is_some() {
        return reply.send(cx, Ok(Empty));
    }
    make(
        core,
        cx,
        request.create,
        Asker::Away(mark),
        Maker::Rank(reply),
    );
}

/// On other ranks than 0: has rank 0 make a namespace.
pub fn create_above(
    core: &mut Kvs,
    cx: &mut Cx<Kvs>,
    peer: &Peer,
    create: NamespaceCreate,
    reply: Reply<NamespaceCreate>,
) {
    let Some(follower) = &mut core.follower else {
        return;
    };
    let number = peer.number.unwrap_or(0);
    follower.uplink.begin(number);
    let (rank, origin) = crate::relay::here(cx);
    let request = RelayCreate {
        create,
        rank,
        origin: origin.to_string(),
        number,
    };
    cx.call_with(
        node::Call::new(&request).to(0),
        move |core: &mut Kvs, cx, result| {
            if let Some(follower) = &mut core.follower {
                follower.uplink.end(number);
            }
            reply.send_refusal(cx, result);
        },
    );
}
