//! The points at which policies are asked, and the events of jobs, which are some of them.

use std::ops::BitOr;

use proto::data::job::State;
use proto::job_manager::JobEvent;

/// Points at which a policy is asked, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Points(u16);

impl Points {
    /// None.
    pub const NONE: Points = Points(0);
    /// `Policy::create`.
    pub const CREATE: Points = Points(1);
    /// `Policy::validate`.
    pub const VALIDATE: Points = Points(1 << 1);
    /// `Policy::accepted`.
    pub const ACCEPTED: Points = Points(1 << 2);
    /// `Policy::event`, for events that move a job to another state.
    pub const STATE: Points = Points(1 << 3);
    /// `Policy::event`, for `start`.
    pub const START: Points = Points(1 << 4);
    /// `Policy::event`, for every event.
    pub const EVENT: Points = Points(1 << 5);
    /// `Policy::priority`.
    pub const PRIORITY: Points = Points(1 << 6);
    /// `Policy::update`.
    pub const UPDATE: Points = Points(1 << 7);
    /// `Policy::gone`.
    pub const GONE: Points = Points(1 << 8);
    /// `Policy::purged`.
    pub const PURGED: Points = Points(1 << 9);
    /// `Policy::consider`.
    pub const CONSIDER: Points = Points(1 << 10);
    /// `Policy::turn_ended`.
    pub const TURN: Points = Points(1 << 11);

    /// True if any of `other` is in the set.
    pub const fn meets(self, other: Points) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Points {
    type Output = Points;

    fn bitor(self, other: Points) -> Points {
        Points(self.0 | other.0)
    }
}

/// An event that was added to a job's log, and the states before and after it.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// Event.
    pub event: &'a JobEvent,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
}

impl Step<'_> {
    /// True if the job has just entered this state.
    pub fn is_into(&self, state: State) -> bool {
        self.to == state && self.from != state
    }

    /// True if the job is being ended while it waits for a dependency.
    pub fn gives_up_waiting(&self) -> bool {
        self.from == State::Depend && self.to == State::Cleanup
    }

    /// The points at which it is called.
    pub(super) fn points(&self) -> Points {
        let mut points = Points::EVENT;
        if self.from != self.to {
            points = points | Points::STATE;
        }
        if matches!(self.event, JobEvent::Start) {
            points = points | Points::START;
        }
        points
    }
}
