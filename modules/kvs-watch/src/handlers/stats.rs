//! kvs-watch.stats-get. A guest sees its own namespaces alone: a user who knows the
//! reference of a root may read all below it.

use node::{Cx, Peer};
use proto::Never;
use proto::kvs_watch::{NamespaceStats, Stats, StatsGet};

use crate::KvsWatch;

pub fn stats_get(
    core: &mut KvsWatch,
    _: &mut Cx<KvsWatch>,
    peer: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    let may_see = |owner: i64| {
        let owner = u32::try_from(owner);
        peer.is_owner() || owner.is_ok_and(|owner| peer.may_act_for(owner))
    };
    let namespaces = core.namespaces.iter();
    let namespaces = namespaces.filter(|(_, namespace)| may_see(namespace.owner));
    let namespaces = namespaces.map(|(name, namespace)| {
        let stats = NamespaceStats {
            owner: namespace.owner,
            rootseq: namespace.rootseq,
            rootref: namespace.rootref.clone(),
            watchers: namespace.watchers.len() as u64,
        };
        (name.clone(), stats)
    });
    Ok(Stats {
        watchers: core.watchers.len() as u64,
        namespace_count: core.namespaces.len() as u64,
        namespaces: namespaces.collect(),
    })
}
