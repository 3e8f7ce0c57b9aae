//! Changes since the last pass over the queue. Pure.

use std::collections::BTreeSet;

use proto::data::JobId;

use crate::limits::ARRIVALS_MAX;

/// Changes that a pass must consider.
#[derive(Debug, Default)]
pub struct Changes {
    /// Resources, times or the order are others: any job may start now.
    is_all: bool,
    /// Jobs that have come. More than `ARRIVALS_MAX` are all.
    arrivals: BTreeSet<JobId>,
}

impl Changes {
    /// Any job may start now.
    pub fn all(&mut self) {
        self.is_all = true;
        self.arrivals.clear();
    }

    /// A job has come.
    pub fn arrival(&mut self, id: JobId) {
        if self.is_all {
            return;
        }
        self.arrivals.insert(id);
        if self.arrivals.len() > ARRIVALS_MAX {
            self.all();
        }
    }

    /// True if there are any changes.
    pub fn any(&self) -> bool {
        self.is_all || !self.arrivals.is_empty()
    }

    /// The new jobs, if nothing else has happened.
    pub fn only_arrivals(&self) -> Option<&BTreeSet<JobId>> {
        (!self.is_all).then_some(&self.arrivals)
    }
}
