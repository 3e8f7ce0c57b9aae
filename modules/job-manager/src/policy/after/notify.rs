//! Notices to jobs that an awaited event has come, or never will. Ten thousands may wait for
//! one job, and each goes on at once: so a limited number is notified, and the rest when
//! that is stored. Between two slices requests are answered, and the queue of unstored
//! changes stays short.

use std::collections::VecDeque;

use proto::data::JobId;

use super::{DependencyAfter, Outcome, Way, waited_for};
use crate::limits::TOLD_DEPENDENTS_MAX;
use crate::policy::{View, Wants};

/// Outcome of a job, and the jobs to notify.
struct Notification {
    id: JobId,
    outcome: Outcome,
    /// Jobs whose awaited event comes first, each kind in its order of registration.
    dependents: VecDeque<(JobId, Way)>,
}

/// All notices that are still to be sent.
#[derive(Default)]
pub struct Tellings {
    queue: VecDeque<Notification>,
    /// Dependents notified since we were woken last.
    told: usize,
    /// We are woken when the notices are stored.
    wakes: bool,
}

impl DependencyAfter {
    /// Notifies the jobs that wait for a job in one of these ways of its result.
    pub(super) fn notify_of(
        &mut self,
        view: &View<'_>,
        id: JobId,
        outcome: Outcome,
        is_way: impl Fn(Way) -> bool,
        wants: &mut Wants,
    ) {
        let of_id = (id, JobId(0), Way::Start)..=(id, JobId(u64::MAX), Way::Except);
        let waits = self.waits.range(of_id);
        let mut dependents: Vec<_> = waits
            .filter(|((_, _, way), _)| is_way(*way))
            .map(|((_, dependent, way), order)| {
                (!outcome.satisfies(*way), *order, *dependent, *way)
            })
            .collect();
        if dependents.is_empty() {
            return;
        }
        dependents.sort_unstable();
        let dependents = dependents.into_iter();
        self.tellings.queue.push_back(Notification {
            id,
            outcome,
            dependents: dependents.map(|(_, _, id, way)| (id, way)).collect(),
        });
        self.notify(view, wants);
    }

    /// Continues after the notices are stored.
    pub(super) fn notify_more(&mut self, view: &View<'_>, wants: &mut Wants) {
        (self.tellings.told, self.tellings.wakes) = (0, false);
        self.notify(view, wants);
    }

    fn notify(&mut self, view: &View<'_>, wants: &mut Wants) {
        while self.tellings.told < TOLD_DEPENDENTS_MAX
            && let Some(telling) = self.tellings.queue.front_mut()
        {
            let (id, outcome) = (telling.id, telling.outcome);
            let Some((dependent, way)) = telling.dependents.pop_front() else {
                self.tellings.queue.pop_front();
                continue;
            };
            self.tellings.told += 1;
            // Not if it was ended meanwhile.
            if self.waits.remove(&(id, dependent, way)).is_some() {
                notify_one(view, id, outcome, (dependent, way), wants);
            }
        }
        if self.tellings.told > 0 && !self.tellings.wakes {
            self.tellings.wakes = true;
            wants.wake_when_stored();
        }
    }
}

fn notify_one(
    view: &View<'_>,
    id: JobId,
    outcome: Outcome,
    dependent: (JobId, Way),
    wants: &mut Wants,
) {
    let mut descriptions = waited_for(view, id, dependent);
    if outcome.satisfies(dependent.1) {
        for description in descriptions {
            wants.remove_dependency(dependent.0, description);
        }
    } else if let Some(description) = descriptions.next() {
        wants.raise(dependent.0, "dependency", 0, outcome.note(description));
    }
}
