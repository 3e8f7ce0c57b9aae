//! kvs-watch.stats-get.

use node::{Cx, Peer};
use proto::Never;
use proto::kvs_watch::{NamespaceStats, Stats, StatsGet};

use crate::KvsWatch;

pub fn stats_get(
    core: &mut KvsWatch,
    _: &mut Cx<KvsWatch>,
    _: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    let namespaces = core.namespaces.iter().map(|(name, namespace)| {
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
