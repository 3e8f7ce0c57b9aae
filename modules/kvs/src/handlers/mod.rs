//! The table of contents: which function answers which method.

mod commit;
mod lookup;
mod namespaces;
mod roots;
mod stats;

use node::Routes;
use proto::kvs;

use crate::Kvs;

pub(crate) use namespaces::remove_doomed;

/// The routes of `kvs`.
pub fn routes() -> Routes<Kvs> {
    Routes::new()
        .on::<kvs::GetRoot>(roots::getroot)
        .later::<kvs::WaitVersion>(roots::wait_version)
        .on::<kvs::SetrootPause>(roots::setroot_pause)
        .on::<kvs::SetrootUnpause>(roots::setroot_unpause)
        .later::<kvs::Lookup>(lookup::lookup)
        .later::<kvs::LookupPlus>(lookup::lookup_plus)
        .later_within::<kvs::Commit>(commit::fits, commit::commit)
        .later::<kvs::NamespaceCreate>(namespaces::create)
        .later::<kvs::NamespaceRemove>(namespaces::remove)
        .on::<kvs::NamespaceList>(namespaces::list)
        .on::<kvs::StatsGet>(stats::stats_get)
        .on::<kvs::Dropcache>(stats::dropcache)
}
