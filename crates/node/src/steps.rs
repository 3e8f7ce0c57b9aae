//! The latest steps of jobs through a component, with their times: a ring of fixed size, so that
//! noting one costs some ten nanoseconds, and a job nothing once it has ended.

use std::collections::VecDeque;
use std::time::Duration;

use proto::common::{JobTraced, Stepped};
use proto::data::JobId;
use proto::data::job::JobStep;

use crate::contract::Now;
use crate::limits::STEPS_MAX;

/// One step. How long the handler took is in microseconds.
struct Noted {
    job: JobId,
    t: f64,
    took: u32,
    step: JobStep,
}

/// The steps of all jobs, oldest first.
#[derive(Default)]
pub(crate) struct Steps {
    ring: VecDeque<Noted>,
    /// Number of steps that the present handler has added.
    fresh: usize,
    /// The time of the turn, and how long its handlers have taken so far.
    turn: Now,
    spent: Duration,
    /// When the newest of those was taken that are forgotten.
    forgotten: Option<f64>,
}

impl Steps {
    /// A handler begins, in the turn that began `now`.
    pub fn begin(&mut self, now: Now) {
        self.fresh = 0;
        if now != self.turn {
            self.turn = now;
            self.spent = Duration::ZERO;
        }
    }

    /// A job has taken a step.
    pub fn note(&mut self, job: JobId, step: JobStep) {
        if self.ring.len() >= STEPS_MAX {
            self.forgotten = self.ring.pop_front().map(|noted| noted.t);
        }
        self.ring.push_back(Noted {
            job,
            t: self.turn.wall + self.spent.as_secs_f64(),
            took: 0,
            step,
        });
        self.fresh += 1;
    }

    /// The handler has taken this long.
    pub fn took(&mut self, time: Duration) {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        for noted in self.ring.iter_mut().rev().take(self.fresh) {
            noted.took = micros;
        }
        self.fresh = 0;
        self.spent += time;
    }

    /// Those of one job.
    pub fn of_job(&self, job: JobId) -> JobTraced {
        let own = self.ring.iter().filter(|noted| noted.job == job);
        let steps = own.map(|noted| Stepped {
            step: noted.step,
            t: noted.t,
            took: f64::from(noted.took) / 1e6,
        });
        JobTraced {
            steps: steps.collect(),
            since: self.forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(seconds: u64) -> Now {
        Now {
            mono: Duration::from_secs(seconds),
            wall: seconds as f64,
        }
    }

    /// A handler of a turn that takes these steps.
    fn handler(steps: &mut Steps, turn: u64, jobs: &[u64], millis: u64) {
        steps.begin(now(turn));
        for job in jobs {
            steps.note(JobId(*job), JobStep::Taken);
        }
        steps.took(Duration::from_millis(millis));
    }

    fn of_job(steps: &Steps, job: u64) -> Vec<(f64, f64)> {
        let traced = steps.of_job(JobId(job));
        traced.steps.iter().map(|one| (one.t, one.took)).collect()
    }

    #[test]
    fn a_step_has_the_time_at_which_its_handler_began() {
        let mut steps = Steps::default();
        handler(&mut steps, 10, &[1], 250);
        handler(&mut steps, 10, &[], 250);
        handler(&mut steps, 10, &[2, 1], 125);
        handler(&mut steps, 11, &[1], 0);
        assert_eq!(
            of_job(&steps, 1),
            [(10.0, 0.25), (10.5, 0.125), (11.0, 0.0)]
        );
        assert_eq!(of_job(&steps, 2), [(10.5, 0.125)]);
        assert_eq!(of_job(&steps, 3), []);
    }

    #[test]
    fn without_a_clock_nothing_has_taken_time() {
        let mut steps = Steps::default();
        steps.begin(now(1));
        steps.note(JobId(1), JobStep::Taken);
        steps.begin(now(2));
        steps.took(Duration::from_secs(1));
        assert_eq!(of_job(&steps, 1), [(1.0, 0.0)]);
    }

    #[test]
    fn when_full_the_oldest_is_forgotten() {
        let mut steps = Steps::default();
        handler(&mut steps, 1, &[1, 1], 0);
        assert_eq!(steps.of_job(JobId(1)).since, None);
        handler(&mut steps, 2, &vec![2; STEPS_MAX - 1], 0);
        let traced = steps.of_job(JobId(1));
        assert_eq!((traced.steps.len(), traced.since), (1, Some(1.0)));
        assert_eq!(of_job(&steps, 2).len(), STEPS_MAX - 1);
    }
}
