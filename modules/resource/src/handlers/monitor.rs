//! `resource.monitor-waitup` and `resource.monitor-force-down`: which ranks are there.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::resource::{MonitorForceDown, MonitorWaitup, QueryError};

use crate::Resource;

pub fn waitup(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    request: MonitorWaitup,
    reply: Reply<MonitorWaitup>,
) {
    if cx.rank() != 0 {
        return reply.send(cx, Err(QueryError::NotRankZero));
    }
    if request.up > core.size {
        return reply.send(cx, Err(QueryError::TooManyUp));
    }
    core.monitor.wait(cx, request.up, reply);
}

pub fn force_down(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    request: MonitorForceDown,
) -> Result<Empty, QueryError> {
    if cx.rank() != 0 {
        return Err(QueryError::NotRankZero);
    }
    let change = core.monitor.force_down(&request.ranks);
    core.ranks_changed(cx, &change);
    Ok(Empty)
}
