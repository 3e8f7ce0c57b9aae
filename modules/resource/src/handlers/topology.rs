//! `resource.topo-reduce` and `resource.topo-get`: the resources found by ranks. Both are
//! answered on every rank.

use node::{Cx, Peer, Reply};
use proto::resource::{QueryError, TopoGet, TopoReduce, Topology};

use crate::Resource;

pub fn topo_reduce(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    request: TopoReduce,
    reply: Reply<TopoReduce>,
) {
    if request.count as usize != request.resource.nnodes() {
        let ranks = request.resource.ranks();
        tracing::error!("a report of {} ranks is about {ranks}", request.count);
        return reply.send(cx, Err(QueryError::StrangeRanks(ranks)));
    }
    match cx.rank() {
        0 => core.report(cx, &request.resource, Some(reply)),
        _ => core.reduce.add(&request.resource, Some(reply)),
    }
}

pub fn topo_get(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    _: TopoGet,
    reply: Reply<TopoGet>,
) {
    let topology = core.topology.clone().map(Topology);
    reply.send(cx, topology.ok_or(QueryError::NoTopology));
}
