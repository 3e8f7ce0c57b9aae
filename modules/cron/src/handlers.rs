//! The methods of the module.

use std::time::Duration;

use jiff::tz::TimeZone;
use node::{Cx, Peer, Reply};
use proto::Never;
use proto::cron::{
    Create, Delete, DeleteError, Entries, List, Start, Stop, SwitchError, Sync, SyncError, Synced,
};

use crate::Cron;
use crate::entry::Entry;
use crate::rule::Rule;

pub fn create(core: &mut Cron, cx: &mut Cx<Cron>, _: &Peer, request: Create, reply: Reply<Create>) {
    let entry = match Entry::new(request) {
        Ok(entry) => entry,
        Err(error) => return reply.send(cx, Err(error)),
    };
    if matches!(entry.rule, Rule::DateTime(_)) && core.zone().is_none() {
        let ask = |zone: &mut TimeZone| zone.clone();
        return cx.quick_work(ask, move |core: &mut Cron, cx, zone| {
            core.set_zone(zone);
            let added = core.add(cx, entry);
            reply.send(cx, added);
        });
    }
    let added = core.add(cx, entry);
    reply.send(cx, added);
}

pub fn delete(
    core: &mut Cron,
    cx: &mut Cx<Cron>,
    _: &Peer,
    request: Delete,
) -> Result<proto::cron::Entry, DeleteError> {
    core.delete(cx, request.id, request.kill.unwrap_or(false))
}

pub fn stop(
    core: &mut Cron,
    cx: &mut Cx<Cron>,
    _: &Peer,
    request: Stop,
) -> Result<proto::cron::Entry, SwitchError> {
    core.stop(cx, request.id)
}

pub fn start(
    core: &mut Cron,
    cx: &mut Cx<Cron>,
    _: &Peer,
    request: Start,
) -> Result<proto::cron::Entry, SwitchError> {
    core.start(cx, request.id)
}

pub fn list(core: &mut Cron, _: &mut Cx<Cron>, _: &Peer, _: List) -> Result<Entries, Never> {
    let entries = core.entries.values().map(Entry::data).collect();
    Ok(Entries { entries })
}

pub fn sync(
    core: &mut Cron,
    cx: &mut Cx<Cron>,
    _: &Peer,
    request: Sync,
) -> Result<Synced, SyncError> {
    if let Some(epsilon) = request.sync_epsilon {
        let epsilon = Duration::try_from_secs_f64(epsilon).map_err(|_| SyncError::BadEpsilon)?;
        core.sync.epsilon = epsilon;
    }
    match request.topic {
        _ if request.disable == Some(true) => core.set_sync(cx, None),
        Some(topic) if topic.is_empty() => return Err(SyncError::BadTopic),
        Some(topic) => core.set_sync(cx, Some(topic)),
        None => {}
    }
    Ok(core.synced())
}
