//! overlay.*: the tree of brokers as others see it (protocol/03 section 11).

use std::time::Duration;

use node::{Cx, Peer, Routes, Stream};
use proto::overlay::{
    DisconnectError, DisconnectParent, DisconnectSubtree, Goodbye, Health, Hello, HelloError,
    Monitor, RankError, RankOf, RankReply, Stats, StatsGet, Topology, TopologyError, Tree, Welcome,
};
use proto::{Empty, Errno, Refusal};

use crate::core::Broker;
use crate::router::Hop;
use crate::tree::Climb;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .stream::<Health>(health)
        .on::<Topology>(topology)
        .on::<RankOf>(rank_of)
        .on::<StatsGet>(stats_get)
        .stream::<Monitor>(monitor)
        .on::<Hello>(hello)
        .on::<Goodbye>(goodbye)
        .on::<DisconnectSubtree>(disconnect_subtree)
        .on::<DisconnectParent>(disconnect_parent)
}

fn health(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Health, mut stream: Stream<Health>) {
    stream.send(cx, &core.health(cx));
    if stream.is_streaming() {
        core.tree.health.insert(stream.id(), stream);
    } else {
        stream.end(cx, Ok(()));
    }
}

fn monitor(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    _: &Peer,
    _: Monitor,
    mut stream: Stream<Monitor>,
) {
    let ranks: Vec<u32> = core.tree.children.iter().map(|(rank, _)| rank).collect();
    for state in ranks.into_iter().filter_map(|rank| core.child_state(rank)) {
        if state.torpid || state.status != proto::overlay::Status::Offline {
            stream.send(cx, &state);
        }
    }
    core.tree.monitors.insert(stream.id(), stream);
}

fn topology(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    _: &Peer,
    req: Topology,
) -> Result<Tree, TopologyError> {
    let rank = core.router.rank();
    if req.rank != rank && core.tree.children.get(req.rank).is_none() {
        return Err(TopologyError::NotHere);
    }
    Ok(tree(core.router.topology(), req.rank))
}

/// The tree below a rank. As deep as the tree of brokers.
fn tree(topology: &proto::data::Topology, rank: u32) -> Tree {
    let children = topology.children(rank).iter();
    Tree {
        rank,
        size: topology.descendants(rank) + 1,
        children: children.map(|child| tree(topology, *child)).collect(),
    }
}

/// Rank of the child that sends under an identity. Its statements about programs behind it
/// are ignored: the link is stamped, the rest is not.
fn rank_of(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    _: &Peer,
    req: RankOf,
) -> Result<RankReply, RankError> {
    let identity = wire::Identity::new(&req.uuid);
    match identity.and_then(|identity| core.router.link_of(&identity)) {
        Some(Hop::Child(rank)) => Ok(RankReply { rank }),
        _ => Err(RankError::NotChild),
    }
}

fn stats_get(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    _: &Peer,
    _: StatsGet,
) -> Result<Stats, Refusal> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let children = core.tree.children.iter().count();
    let below = core.tree.children.iter().map(|(rank, _)| Hop::Child(rank));
    let child_rpc = below.map(|hop| core.router.n_given(hop) as u64).sum();
    Ok(Stats {
        child_count: count(children),
        child_connected: count(core.tree.children.online().count()),
        parent_count: u32::from(core.router.rank() != 0),
        parent_rpc: core.router.n_given(Hop::Parent) as u64,
        child_rpc,
    })
}

/// The message is sent over the link, before there is a route: see `tree/admit.rs`.
fn hello(_: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: Hello) -> Result<Welcome, HelloError> {
    Err(HelloError::NotOwner)
}

fn goodbye(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    from: &Peer,
    _: Goodbye,
) -> Result<Empty, Refusal> {
    let sender = from
        .sender
        .as_ref()
        .and_then(|sender| core.router.party(sender));
    let Some(Hop::Child(rank)) = sender else {
        return Err(Refusal::bare(Errno::EPROTO));
    };
    // Once it has its answer.
    cx.timer(Duration::ZERO, move |core: &mut Broker, cx| {
        core.child_left(cx, rank)
    });
    Ok(Empty)
}

fn disconnect_subtree(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    _: &Peer,
    req: DisconnectSubtree,
) -> Result<Empty, DisconnectError> {
    let child = core.tree.children.get(req.rank);
    let status = child.ok_or(DisconnectError::NotChild)?.status;
    if !status.is_online() {
        return Err(DisconnectError::NotOnline(
            req.rank,
            status.name().to_owned(),
        ));
    }
    core.cut_off(cx, req.rank);
    Ok(Empty)
}

fn disconnect_parent(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    _: &Peer,
    req: DisconnectParent,
) -> Result<Empty, DisconnectError> {
    if core.router.rank() == 0 {
        return Err(DisconnectError::NoParent);
    }
    tracing::error!("disconnecting: {}", req.reason);
    // Goodbye first: the parent need not find out by itself.
    cx.notify(&Goodbye);
    cx.timer(Duration::ZERO, |core: &mut Broker, cx| {
        core.lose_parent(cx, Climb::CutOff)
    });
    Ok(Empty)
}
