//! `resource.acquire`: hands the resources to a scheduler.

use node::{Cx, Peer, Stream};
use proto::Coded as _;
use proto::resource::{Acquire, AcquireError};

use crate::Resource;

pub fn acquire(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    _: Acquire,
    stream: Stream<Acquire>,
) {
    if cx.rank() != 0 {
        return stream.end(cx, Err(AcquireError::NotRankZero.refusal()));
    }
    core.acquire(cx, stream);
}
