//! content.stats-get, damage, damage-accept, register-backing, unregister-backing. The
//! backing store is part of this module on rank 0 and does not change.

use node::{Cx, Peer, Reply};
use proto::content::{
    Damage, DamageAccept, Findings, RegisterBacking, RegisterError, Stats, StatsGet,
    UnregisterBacking, UnregisterError,
};
use proto::{Empty, Method, Never, Refusal, content_backing};

use crate::Content;
use crate::handlers::checkpoints::pass_on;
use crate::task::{Outcome, Task};

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
        flush_batch_count: match &core.above {
            Some(above) => above.n_storing() as u64,
            None => core.n_under_way() as u64,
        },
        mmap: core.mapped.stats(),
    })
}

pub fn backing_stats<M>(core: &mut Content, _: &mut Cx<Content>, _: &Peer, _: M, reply: Reply<M>)
where
    M: Method<Response = content_backing::Stats, Error = Refusal>,
{
    core.enqueue(Task::Stats, |_, cx, result| {
        reply.send_refusal(cx, result.and_then(Outcome::stats));
    });
}

pub fn damage(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: Damage,
    reply: Reply<Damage>,
) {
    if core.above.is_some() {
        return pass_on(cx, &request, reply);
    }
    core.enqueue(Task::Findings, |_, cx, result| {
        let findings = result.and_then(Outcome::findings);
        reply.send_refusal(cx, findings.map(|findings| Findings { findings }));
    });
}

pub fn accept_damage(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: DamageAccept,
    reply: Reply<DamageAccept>,
) {
    if core.above.is_some() {
        return pass_on(cx, &request, reply);
    }
    core.enqueue(Task::Accept, |_, cx, result| {
        reply.send_refusal(cx, result.map(|_| Empty));
    });
}

pub fn register_backing(
    core: &mut Content,
    cx: &mut Cx<Content>,
    _: &Peer,
    request: RegisterBacking,
) -> Result<Empty, RegisterError> {
    if cx.rank() != 0 {
        return Err(RegisterError::NotRankZero);
    }
    Err(match request.name == core.settings.backend.name() {
        true => RegisterError::Active,
        false => RegisterError::OnTheFly,
    })
}

pub fn unregister_backing(
    core: &mut Content,
    _: &mut Cx<Content>,
    _: &Peer,
    _: UnregisterBacking,
) -> Result<Empty, UnregisterError> {
    Err(match core.above {
        Some(_) => UnregisterError::NotActive,
        None => UnregisterError::BuiltIn,
    })
}
