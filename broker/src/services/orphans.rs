//! orphans.*: the records of messages that went nowhere.

use node::{Cx, Peer, Routes, Stream};
use proto::orphans::{Clear, List, Report};
use proto::{Empty, Never};

use crate::core::Broker;
use crate::router::Hop;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .stream::<List>(list)
        .on::<Clear>(clear)
        .on::<Report>(report)
}

fn list(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: List, mut stream: Stream<List>) {
    // Earlier records go to present followers, and are in the list.
    core.report_orphans(cx);
    for batch in core.orphans.batches() {
        stream.send(cx, &batch);
    }
    match req.follow {
        true => core.orphan_followers.add((), stream),
        false => stream.end(cx, Ok(())),
    }
}

fn clear(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: Clear) -> Result<Empty, Never> {
    core.orphans.clear();
    Ok(Empty)
}

fn report(
    core: &mut Broker,
    cx: &mut Cx<Broker>,
    peer: &Peer,
    req: Report,
) -> Result<Empty, Never> {
    let sender = peer.sender.as_ref();
    let reporter = sender.and_then(|sender| core.router.link_of(sender));
    core.report_orphan(cx, reporter.unwrap_or(Hop::Here), peer.userid, req);
    Ok(Empty)
}
