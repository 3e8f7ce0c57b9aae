//! The table of contents: the function for each method and each event.

mod lookup;
mod stats;

use node::Routes;
use proto::kvs::{CreatedEvent, RemovedEvent, SetrootEvent};
use proto::kvs_watch;

use crate::KvsWatch;

/// The routes of `kvs-watch`.
pub fn routes() -> Routes<KvsWatch> {
    Routes::new()
        .stream::<kvs_watch::Lookup>(lookup::lookup)
        .on::<kvs_watch::StatsGet>(stats::stats_get)
        .heard::<SetrootEvent>(|core, cx, _, event| core.setroot(cx, event))
        .heard::<CreatedEvent>(|core, cx, _, event| core.created(cx, event))
        .heard::<RemovedEvent>(|core, cx, _, event| core.removed(cx, &event.namespace))
}
