//! The table of contents: which function answers which method.

pub(crate) mod commit;
pub(crate) mod lookup;
mod namespaces;
mod relay;
pub(crate) mod roots;
mod stats;

use node::Routes;
use proto::heartbeat::Pulse;
use proto::kvs;

use crate::Kvs;

pub(crate) use namespaces::remove_doomed;

/// The routes of `kvs`.
pub fn routes() -> Routes<Kvs> {
    Routes::new()
        .later::<kvs::GetRoot>(roots::getroot)
        .later::<kvs::WaitVersion>(roots::wait_version)
        .later::<kvs::SetrootPause>(roots::setroot_pause)
        .later::<kvs::SetrootUnpause>(roots::setroot_unpause)
        .later::<kvs::Lookup>(lookup::lookup)
        .later::<kvs::LookupPlus>(lookup::lookup_plus)
        .later_within::<kvs::Commit>(commit::fits, commit::commit)
        .later_within::<kvs::Relay>(relay::fits, relay::relay)
        .on::<kvs::RelayCommit>(relay::relaycommit)
        .later::<kvs::RelayCreate>(relay::create)
        .later::<kvs::NamespaceCreate>(namespaces::create)
        .later::<kvs::NamespaceRemove>(namespaces::remove)
        .on::<kvs::NamespaceList>(namespaces::list)
        .on::<kvs::StatsGet>(stats::stats_get)
        .on::<kvs::Dropcache>(stats::dropcache)
        .heard::<kvs::SetrootEvent>(|core, cx, _, event| core.receive_setroot(cx, event))
        .heard::<kvs::CreatedEvent>(|core, cx, _, event| core.receive_created(cx, &event))
        .heard::<kvs::RemovedEvent>(|core, cx, _, event| core.receive_removed(cx, &event.namespace))
        .heard::<Pulse>(|core, cx, _, _| core.pulse(cx))
}
