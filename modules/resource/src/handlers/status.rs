//! `resource.status`, `resource.sched-status` and `resource.get`: the resources by
//! state, as an operator and as a scheduler sees them.

use node::{Cx, Peer, Reply};
use proto::data::{IdSet, Rset};
use proto::job_manager::ResourceStatus;
use proto::resource::{
    Get, GetReply, QueryError, SchedStatus, SchedStatusReply, Status, StatusReply,
};
use proto::{Coded as _, Errno};

use crate::Resource;

pub fn status(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    _: Status,
    reply: Reply<Status>,
) {
    if cx.rank() != 0 {
        return reply.send(cx, Err(QueryError::NotRankZero));
    }
    core.when_known(cx, reply, move |core, cx, reply| {
        let set = core.set();
        let online = core.online();
        let response = StatusReply {
            drain: core.drains.info(),
            offline: set.ranks().difference(&online),
            online,
            exclude: core.excluded.clone(),
            torpid: core.monitor.torpid().clone(),
            r: set,
        };
        reply.send(cx, Ok(response));
    });
}

/// Resources of jobs are known to the job manager; without one jobs have none.
pub fn sched_status(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    _: SchedStatus,
    reply: Reply<SchedStatus>,
) {
    if cx.rank() != 0 {
        return reply.send(cx, Err(QueryError::NotRankZero));
    }
    core.when_known(cx, reply, move |_, cx, reply| {
        cx.call(&ResourceStatus, move |core: &mut Resource, cx, result| {
            let allocated = match result {
                Ok(status) => status.allocated.parse().unwrap_or_else(|error| {
                    tracing::error!("job-manager.resource-status: {error}");
                    Rset::new()
                }),
                Err(refusal) if refusal.errno == Errno::ENOSYS => Rset::new(),
                Err(refusal) => return reply.send_refusal(cx, Err(refusal)),
            };
            let response = by_state(core, allocated);
            reply.send(cx, Ok(response));
        });
    });
}

fn by_state(core: &Resource, allocated: Rset) -> SchedStatusReply {
    let mut all = core.set();
    all.remove_ranks(&core.excluded);
    let down: IdSet = all.ranks().difference(&core.up());
    let down = {
        let mut set = all.clone();
        set.keep_ranks(&down);
        set
    };
    SchedStatusReply {
        all,
        down,
        allocated,
    }
}

pub fn get(core: &mut Resource, cx: &mut Cx<Resource>, _: &Peer, _: Get, reply: Reply<Get>) {
    if cx.rank() != 0 {
        let above = node::Call::new(&Get).upstream(cx.rank());
        cx.call_with(above, |_: &mut Resource, cx, result| {
            reply.send_refusal(cx, result);
        });
        return;
    }
    core.when_known(cx, reply, move |core, cx, reply| {
        let response = core.inventory.as_ref().map(|inventory| GetReply {
            r: inventory.set().clone(),
            method: inventory.method.clone(),
        });
        let response = response.ok_or_else(|| QueryError::NoResources.refusal());
        reply.send_refusal(cx, response);
    });
}
