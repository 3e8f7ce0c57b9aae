//! kvs.stats-get and kvs.dropcache: the data in memory.

use node::{Cx, Peer};
use proto::kvs::{CacheStats, Dropcache, NamespaceStats, OpCounts, Stats, StatsGet};
use proto::{Empty, Never};

use crate::Kvs;
use crate::namespace::Namespace;
use crate::stats::Samples;

/// A guest sees its own namespaces: running jobs have one each.
pub fn stats_get(
    core: &mut Kvs,
    _: &mut Cx<Kvs>,
    peer: &Peer,
    _: StatsGet,
) -> Result<Stats, Never> {
    let (mut sizes, mut total) = (Samples::default(), 0.0);
    for bytes in core.memory.dirs.sizes().chain(core.memory.blobs.sizes()) {
        sizes.add(bytes as f64 / 1024.0);
        total += bytes as f64;
    }
    let waiters: usize = core.namespaces.values().map(|ns| ns.waiters.len()).sum();
    let storing: usize = core.namespaces.values().map(|ns| ns.n_storing).sum();
    let namespaces = core.namespaces.iter();
    Ok(Stats {
        cache: CacheStats {
            total_mib: total / 1_048_576.0,
            size_kib: sizes.summary(),
            dirty: storing as u64,
            incomplete: core.loads.len() as u64,
            faults: core.tally.faults,
        },
        namespace: namespaces
            .filter(|(_, ns)| peer.may_act_for(ns.owner))
            .map(|(name, ns)| (name.clone(), stats_of(ns)))
            .collect(),
        transaction_opcount: OpCounts {
            commit: core.tally.op_counts.summary(),
        },
        pending_requests: (core.lookups.len() + waiters) as u64,
    })
}

/// Blobs on their way to the store stay: they cannot be fetched yet.
pub fn dropcache(core: &mut Kvs, cx: &mut Cx<Kvs>, _: &Peer, _: Dropcache) -> Result<Empty, Never> {
    core.memory.dirs.clear();
    core.memory.blobs.clear();
    cx.give_back_memory();
    Ok(Empty)
}

fn stats_of(namespace: &Namespace) -> NamespaceStats {
    NamespaceStats {
        versionwaiters: namespace.waiters.len() as u64,
        noop_stores: namespace.noop_stores,
        transactions: (namespace.queue.len() + namespace.n_storing) as u64,
        readytransactions: namespace.queue.len() as u64,
        store_revision: namespace.version.seq,
    }
}
