//! content.stats-get, register-backing, unregister-backing. The backing store is part of
//! this module and does not change.

use node::{Cx, Peer, Reply};
use proto::content::{
    MmapStats, RegisterBacking, RegisterError, Stats, StatsGet, UnregisterBacking, UnregisterError,
};
use proto::{Empty, Never, content_backing};

use crate::Content;
use crate::task::{Outcome, Task};

/// The name under which the built-in store stands in for the module of that name.
const BACKING: &str = "content-sqlite";

pub fn stats_get(
    core: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    let dirty = core.storing.len();
    let dirty_bytes: usize = core.storing.values().map(|(blob, _)| blob.len()).sum();
    let count = (core.cache.len() + dirty) as u64;
    Ok(Stats {
        count,
        valid: count,
        dirty: dirty as u64,
        size: (core.cache.bytes() + dirty_bytes) as u64,
        flush_batch_count: core.n_under_way() as u64,
        mmap: MmapStats::default(),
    })
}

pub fn backing_stats(
    core: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    _: content_backing::StatsGet,
    reply: Reply<content_backing::StatsGet>,
) {
    core.enqueue(Task::Stats, |_, cx, result| {
        reply.send_refusal(cx, result.and_then(Outcome::stats));
    });
}

pub fn register_backing(
    _: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: RegisterBacking,
) -> Result<Empty, RegisterError> {
    if cx.rank() != 0 {
        return Err(RegisterError::NotRankZero);
    }
    Err(match request.name == BACKING {
        true => RegisterError::Active,
        false => RegisterError::OnTheFly,
    })
}

pub fn unregister_backing(
    _: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    _: UnregisterBacking,
) -> Result<Empty, UnregisterError> {
    Err(UnregisterError::BuiltIn)
}
