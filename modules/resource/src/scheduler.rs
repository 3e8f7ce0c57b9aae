//! The scheduler that has the resources in hand: the state it was sent, and the changes
//! to send now (`resource.acquire`, protocol/13 section 3).

use std::collections::BTreeMap;

use node::{Cx, Stream};
use proto::Coded as _;
use proto::data::{IdSet, Rset};
use proto::resource::{Acquire, AcquireError, Acquired};

use crate::core::Resource;

/// The scheduler.
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) stream: Stream<Acquire>,
    /// State sent to it, `None` before the first response.
    told: Option<SchedulerState>,
    /// The scheduler receives no more messages, for tests.
    is_muted: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct SchedulerState {
    /// Ranks of the resources.
    ranks: IdSet,
    excluded: IdSet,
    up: IdSet,
    expiration: f64,
    properties: BTreeMap<String, IdSet>,
}

impl Resource {
    /// A scheduler wants the resources.
    pub(crate) fn acquire(&mut self, cx: &mut Cx<Self>, stream: Stream<Acquire>) {
        if self.scheduler.is_some() {
            return stream.end(cx, Err(AcquireError::Busy.refusal()));
        }
        self.scheduler = Some(Scheduler {
            stream,
            told: None,
            is_muted: false,
        });
        self.notify_scheduler(cx);
    }

    /// From now on nothing is sent to the scheduler.
    pub(crate) fn mute_scheduler(&mut self) {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.is_muted = true;
        }
    }

    /// Sends the scheduler the changes that it does not know yet.
    pub(crate) fn notify_scheduler(&mut self, cx: &mut Cx<Self>) {
        let (Some(now), Some(inventory)) = (self.to_tell(), &self.inventory) else {
            return;
        };
        let Some(scheduler) = self.scheduler.as_mut().filter(|s| !s.is_muted) else {
            return;
        };
        let message = match &scheduler.told {
            Some(told) if *told == now => return,
            // Ranks unknown to it can only be sent as a whole.
            Some(told) if now.ranks.is_subset(&told.ranks) && now.excluded == told.excluded => {
                told.news(&now)
            }
            _ => {
                let mut usable = inventory.set().clone();
                usable.remove_ranks(&now.excluded);
                Acquired {
                    resources: Some(usable),
                    up: Some(now.up.clone()),
                    ..Acquired::default()
                }
            }
        };
        scheduler.told = Some(now);
        scheduler.stream.send(cx, &message);
    }

    fn to_tell(&self) -> Option<SchedulerState> {
        let inventory = self.inventory.as_ref()?;
        Some(SchedulerState {
            ranks: inventory.ranks().clone(),
            excluded: self.excluded.clone(),
            up: self.up(),
            expiration: inventory.set().expiration(),
            properties: properties(inventory.set(), &self.excluded),
        })
    }
}

impl SchedulerState {
    fn news(&self, now: &SchedulerState) -> Acquired {
        let some = |ids: IdSet| (!ids.is_empty()).then_some(ids);
        let shrink = self.ranks.difference(&now.ranks);
        let down = self.up.difference(&now.up).difference(&shrink);
        let added = more(&self.properties, &now.properties, &IdSet::new());
        let removed = more(&now.properties, &self.properties, &shrink);
        Acquired {
            up: some(now.up.difference(&self.up)),
            down: some(down),
            shrink: some(shrink),
            expiration: (self.expiration != now.expiration).then_some(now.expiration),
            property_add: added,
            property_remove: removed,
            resources: None,
        }
    }
}

fn properties(set: &Rset, excluded: &IdSet) -> BTreeMap<String, IdSet> {
    let all = set.properties();
    all.map(|(name, ranks)| (name.to_owned(), ranks.difference(excluded)))
        .collect()
}

/// Resources of ranks in the second that are not in the first, but for those left out.
fn more(
    first: &BTreeMap<String, IdSet>,
    second: &BTreeMap<String, IdSet>,
    left_out: &IdSet,
) -> Option<BTreeMap<String, IdSet>> {
    let fresh = second.iter().map(|(name, ranks)| {
        let had = first.get(name).cloned().unwrap_or_default();
        (name.clone(), ranks.difference(&had).difference(left_out))
    });
    let fresh: BTreeMap<_, _> = fresh.filter(|(_, ranks)| !ranks.is_empty()).collect();
    (!fresh.is_empty()).then_some(fresh)
}
