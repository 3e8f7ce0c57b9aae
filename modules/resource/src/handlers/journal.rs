//! `resource.journal`: the event log, then new events.

use node::{Cx, Peer, Stream};
use proto::Coded as _;
use proto::resource::{Journal, QueryError};

use crate::Resource;

pub fn journal(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    _: Journal,
    stream: Stream<Journal>,
) {
    if cx.rank() != 0 {
        return stream.end(cx, Err(QueryError::NotRankZero.refusal()));
    }
    let set = core.inventory.as_ref().map(|inventory| inventory.set());
    core.journal.follow(cx, stream, set);
}
