//! overlay.*: the tree of brokers (protocol/03 section 11). An instance has one broker,
//! which is full as long as it lives and has neither parent nor children.

use node::{Cx, Peer, Routes, Stream};
use proto::Refusal;
use proto::attr::names;
use proto::overlay::{Health, HealthReply, Stats, StatsGet, Topology, TopologyError, Tree};

use crate::core::Broker;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .stream::<Health>(health)
        .on::<Topology>(topology)
        .on::<StatsGet>(stats_get)
}

/// Nothing changes here any more, so that a stream stays open and silent.
fn health(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, _: Health, mut stream: Stream<Health>) {
    let started = core.attrs.value(&names::BROKER_STARTTIME);
    let started = started.and_then(|seconds| seconds.parse::<f64>().ok());
    let reply = HealthReply {
        rank: core.router.rank(),
        status: "full".to_owned(),
        duration: started.map_or(0.0, |started| (cx.now().wall - started).max(0.0)),
        children: Vec::new(),
    };
    stream.send(cx, &reply);
    if stream.is_streaming() {
        core.health_watchers.insert(stream.id(), stream);
    } else {
        stream.end(cx, Ok(()));
    }
}

fn topology(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    _: &Peer,
    req: Topology,
) -> Result<Tree, TopologyError> {
    if req.rank != core.router.rank() {
        return Err(TopologyError::NotHere);
    }
    Ok(Tree {
        rank: core.router.rank(),
        size: 1,
        children: Vec::new(),
    })
}

fn stats_get(_: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: StatsGet) -> Result<Stats, Refusal> {
    Ok(Stats::default())
}
