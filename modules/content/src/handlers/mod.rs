//! The table of contents: which function answers which method.

mod blobs;
mod checkpoints;
mod collect;
mod mmap;
mod records;
mod service;

use node::Routes;
use proto::heartbeat::Pulse;
use proto::{content, content_backing, content_files, content_sqlite};

use crate::Content;

/// The routes of `content` and `content-backing`.
pub fn routes() -> Routes<Content> {
    Routes::new()
        .event::<Pulse>(|core: &mut Content, cx, _| {
            let age_max = core.settings.cache_age_max;
            core.cache.purge(cx.now().mono, age_max);
        })
        .later::<content::Load>(blobs::load)
        .later::<content::Store>(blobs::store)
        .later::<content::Flush>(blobs::flush)
        .on::<content::Dropcache>(blobs::dropcache)
        .on::<content::StatsGet>(service::stats_get)
        .on::<content::RegisterBacking>(service::register_backing)
        .on::<content::UnregisterBacking>(service::unregister_backing)
        .later::<content::MmapAdd>(mmap::add)
        .on::<content::MmapRemove>(mmap::remove)
        .later::<content::Damage>(service::damage)
        .later::<content::DamageAccept>(service::accept_damage)
        .later::<content::CheckpointGet>(checkpoints::get)
        .later::<content::CheckpointPut>(checkpoints::put)
        .later::<content::Records>(records::open)
        .later::<content::Commit>(records::commit)
        .later::<content_backing::Load>(blobs::backing_load)
        .later::<content_backing::Store>(blobs::backing_store)
        .later::<content_backing::Validate>(blobs::backing_validate)
        .later::<content_backing::CheckpointGet>(checkpoints::backing_get)
        .later::<content_backing::CheckpointPut>(checkpoints::backing_put)
        .later::<content_backing::GcInfo>(collect::gc_info)
        .later::<content_backing::Mark>(collect::mark)
        .later::<content_backing::Sweep>(collect::sweep)
        .later::<content_backing::StatsGet>(service::backing_stats)
        .later::<content_sqlite::StatsGet>(service::backing_stats)
        .later::<content_files::StatsGet>(service::backing_stats)
}
