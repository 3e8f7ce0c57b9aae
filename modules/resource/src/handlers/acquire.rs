//! `resource.acquire` and `acquire-mute`: hands the resources to a scheduler.

use node::{Cx, Peer, Stream};
use proto::resource::{Acquire, AcquireError, AcquireMute};
use proto::{Coded as _, Empty, Never};

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

pub fn mute(
    core: &mut Resource,
    _: &mut Cx<Resource>,
    _: &Peer,
    _: AcquireMute,
) -> Result<Empty, Never> {
    core.mute_scheduler();
    Ok(Empty)
}
