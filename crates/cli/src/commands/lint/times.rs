//! Durations of handlers so far, of every module and broker of an instance.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Call, Handle};
use proto::Delivery;
use proto::common::{HANDLERS, HandlerTimes, StatsGet};
use proto::module::List;
use proto::payload::decode_json;
use serde_json::{Map, Value};

use super::PATIENCE_S;
use super::names::with_rank;
use crate::commands::module::topic_of;

/// By the name of each. One that does not answer is left out: it may just be going.
pub(super) fn of_all(handle: &mut Handle, size: u32) -> BTreeMap<String, HandlerTimes> {
    let mut all = BTreeMap::new();
    for rank in 0..size {
        let mut names = vec!["broker".to_owned()];
        let list = Call::new(&List).to(rank).delivery(patient());
        if let Ok(list) = handle.call(list) {
            names.extend(list.mods.into_iter().map(|module| module.name));
        }
        for name in names {
            if let Some(times) = ask(handle, rank, &name) {
                all.insert(with_rank(&name, rank, size > 1), times);
            }
        }
    }
    all
}

fn ask(handle: &mut Handle, rank: u32, name: &str) -> Option<HandlerTimes> {
    let call = Call::raw(&topic_of::<StatsGet>(name)).to(rank);
    let answer = handle.call(call.delivery(patient())).ok()?;
    let mut stats: Map<String, Value> = decode_json(answer.payload()).ok()?;
    serde_json::from_value(stats.remove(HANDLERS)?).ok()
}

/// Delivery policy of all requests.
pub(super) fn patient() -> Delivery {
    Delivery::Wait {
        deadline: Some(Duration::from_secs(PATIENCE_S)),
    }
}

/// True if the later times include the earlier ones: a reloaded module begins at zero.
pub(super) fn include(after: &HandlerTimes, before: &HandlerTimes) -> bool {
    let is_more = |(name, times): (&String, &proto::data::times::Times)| {
        after
            .each
            .get(name)
            .is_some_and(|later| later.count >= times.count)
    };
    before.each.iter().all(is_more)
}
