//! `.begin-time`: jobs that wait for a time of day (protocol/25 section 1.4).

use std::collections::BTreeSet;

use proto::data::JobId;
use serde_json::{Map, Value};

use super::{Asked, Points, Policy, Step, View, Wants, value_of};
use crate::job::Job;

/// The policy.
#[derive(Default)]
pub struct BeginTime {
    /// Jobs by the time that they wait for: its bits, which have the order of times.
    waits: BTreeSet<(u64, JobId)>,
}

/// A clock that was set is noticed after N seconds.
const LOOK_AT_CLOCK: f64 = 60.0;

impl Policy for BeginTime {
    fn name(&self) -> &str {
        ".begin-time"
    }

    fn hears(&self) -> Points {
        Points::STATE | Points::GONE
    }

    fn schemes(&self) -> &[&str] {
        &["begin-time"]
    }

    fn depend(
        &mut self,
        view: &View<'_>,
        Asked { job, .. }: Asked<'_>,
        dependency: &Map<String, Value>,
        wants: &mut Wants,
    ) -> Result<(), String> {
        let value =
            value_of(dependency).map_err(|why| format!("error processing begin-time: {why}"))?;
        let time = value.trim_start().parse::<f64>().ok();
        let time = time.filter(|time| time.is_finite() && *time >= 0.0);
        let time = time
            .ok_or_else(|| format!("Invalid begin-time={value}"))?
            .abs();
        let description = describe(time);
        if job.ever_waited_for(&description) && !job.waits_for(&description) {
            return Ok(());
        }
        wants.add_dependency(job.id, &description);
        self.waits
            .extend(read(&description).map(|bits| (bits, job.id)));
        self.wake(view, wants);
        Ok(())
    }

    fn event(&mut self, _: &View<'_>, job: &Job, step: &Step<'_>, _: &mut Wants) {
        if step.gives_up_waiting() {
            self.forget(job);
        }
    }

    fn gone(&mut self, _: &View<'_>, job: &Job, _: &mut Wants) {
        self.forget(job);
    }

    fn woken(&mut self, view: &View<'_>, wants: &mut Wants) {
        while let Some((bits, id)) = self.waits.first()
            && f64::from_bits(*bits) <= view.now.wall
        {
            wants.remove_dependency(*id, &describe(f64::from_bits(*bits)));
            self.waits.pop_first();
        }
        self.wake(view, wants);
    }
}

impl BeginTime {
    /// Wants to be woken for the first of the times.
    fn wake(&self, view: &View<'_>, wants: &mut Wants) {
        if let Some((bits, _)) = self.waits.first() {
            let at = f64::from_bits(*bits);
            wants.wake(at.min(view.now.wall + LOOK_AT_CLOCK));
        }
    }

    /// A job waits no more.
    fn forget(&mut self, job: &Job) {
        for description in &job.life.dependencies {
            if let Some(bits) = read(description) {
                self.waits.remove(&(bits, job.id));
            }
        }
    }
}

fn describe(time: f64) -> String {
    format!("begin-time={time:.3}")
}

/// The time of a description, as its bits.
fn read(description: &str) -> Option<u64> {
    let time = description.strip_prefix("begin-time=")?;
    time.parse().ok().map(f64::to_bits)
}
