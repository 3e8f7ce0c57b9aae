//! Telling jobs that what they waited for has come, or never will. Ten thousands may wait for
//! one job, and each goes on at once: so a limited number is told, and the rest when that is
//! stored. Between two slices requests are answered, and what is not stored stays short.

use std::collections::VecDeque;

use proto::data::JobId;

use super::{DependencyAfter, Outcome, Way, waited_for};
use crate::limits::TOLD_DEPENDENTS_MAX;
use crate::policy::{Look, Wants};

/// Outcome of a job, and the jobs to notify.
struct Telling {
    id: JobId,
    outcome: Outcome,
    /// Those who get what they waited for first, each kind in its order of registration.
    dependents: VecDeque<(JobId, Way)>,
}

/// All that is still to be told.
#[derive(Default)]
pub struct Tellings {
    queue: VecDeque<Telling>,
    /// Dependents told since we were woken last.
    told: usize,
    /// We are woken when what was told is stored.
    wakes: bool,
}

impl DependencyAfter {
    /// Tells those who wait for a job in one of these ways what became of it.
    pub(super) fn tell_of(
        &mut self,
        look: &Look<'_>,
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
        self.tellings.queue.push_back(Telling {
            id,
            outcome,
            dependents: dependents.map(|(_, _, id, way)| (id, way)).collect(),
        });
        self.tell(look, wants);
    }

    /// Continues after the notices are stored.
    pub(super) fn tell_more(&mut self, look: &Look<'_>, wants: &mut Wants) {
        (self.tellings.told, self.tellings.wakes) = (0, false);
        self.tell(look, wants);
    }

    fn tell(&mut self, look: &Look<'_>, wants: &mut Wants) {
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
                tell_one(look, id, outcome, (dependent, way), wants);
            }
        }
        if self.tellings.told > 0 && !self.tellings.wakes {
            self.tellings.wakes = true;
            wants.wake_when_stored();
        }
    }
}

fn tell_one(
    look: &Look<'_>,
    id: JobId,
    outcome: Outcome,
    dependent: (JobId, Way),
    wants: &mut Wants,
) {
    let mut descriptions = waited_for(look, id, dependent);
    if outcome.satisfies(dependent.1) {
        for description in descriptions {
            wants.remove_dependency(dependent.0, description);
        }
    } else if let Some(description) = descriptions.next() {
        wants.raise(dependent.0, "dependency", 0, outcome.note(description));
    }
}
