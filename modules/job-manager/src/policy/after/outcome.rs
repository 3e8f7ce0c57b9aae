//! Outcome of a job, as far as jobs that wait for it depend on it.

use proto::data::{Entry, JobId};
use proto::job_manager::JobEvent;

use super::Way;
use crate::job::{Job, Packed};
use crate::state::End;

/// Outcome of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The job had resources.
    pub allocated: bool,
    /// The job ran.
    pub started: bool,
    /// The job ended by itself, and well.
    pub completed: bool,
    /// An exception ended it.
    pub excepted: bool,
}

impl Outcome {
    /// Outcome of a running job.
    pub const STARTED: Outcome = Outcome {
        allocated: true,
        started: true,
        completed: false,
        excepted: false,
    };

    /// Outcome of a job that has just become inactive.
    pub fn of_job(job: &Job) -> Outcome {
        Outcome {
            allocated: job.r.is_some(),
            started: job.life.started,
            completed: matches!(job.life.end, Some(End::Finish(status)) if status.is_success()),
            excepted: matches!(job.life.end, Some(End::Exception { .. })),
        }
    }

    /// Outcome of a job that was inactive before.
    pub fn of_packed(packed: &Packed, id: JobId) -> Option<Outcome> {
        let mut outcome = Outcome::default();
        let mut has_ended = false;
        for event in packed.parts(id)?.events {
            let entry = Entry::decode(event.as_str()).ok()?;
            match JobEvent::of(&entry) {
                Ok(JobEvent::Alloc { .. }) => outcome.allocated = true,
                Ok(JobEvent::Start) => outcome.started = true,
                Ok(JobEvent::Finish(status)) if !has_ended => {
                    has_ended = true;
                    outcome.completed = status.is_success();
                }
                Ok(JobEvent::Exception(it)) if !has_ended && it.severity.is_fatal() => {
                    has_ended = true;
                    outcome.excepted = true;
                }
                _ => {}
            }
        }
        Some(outcome)
    }

    /// As it is in the job log.
    pub fn bits(self) -> u8 {
        u8::from(self.allocated)
            | u8::from(self.started) << 1
            | u8::from(self.completed) << 2
            | u8::from(self.excepted) << 3
    }

    /// Decodes these bits.
    pub fn of_bits(bits: u8) -> Outcome {
        Outcome {
            allocated: bits & 1 != 0,
            started: bits & 2 != 0,
            completed: bits & 4 != 0,
            excepted: bits & 8 != 0,
        }
    }

    /// True if this satisfies the dependency.
    pub(super) fn satisfies(self, way: Way) -> bool {
        match way {
            Way::Finish => true,
            _ if !self.allocated => false,
            Way::Start => self.started,
            Way::Success => self.completed,
            Way::Failure => !self.completed,
            Way::Except => self.excepted,
        }
    }

    /// Error that refuses a dependency on job `value`.
    pub(super) fn refusal(self, way: Way, value: &str) -> String {
        match way {
            _ if !self.allocated => format!("dependency: after: {value} never started"),
            Way::Start | Way::Finish => format!("dependency: after: {value} never started"),
            Way::Success => format!("dependency: afterok: job {value} failed or was canceled"),
            Way::Failure => format!("dependency: afternotok: job {value} succeeded"),
            Way::Except => format!("dependency: afterexcept: job {value}: no exception"),
        }
    }

    /// Note of the exception that ends a waiting job.
    pub(super) fn note(self, description: &str) -> String {
        let why = match self.allocated {
            true => "can never be satisfied",
            false => "job never started",
        };
        format!("dependency {description} {why}")
    }
}
