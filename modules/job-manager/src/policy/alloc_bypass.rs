//! `alloc-bypass`: a job of the owner's that brings its resources along in
//! `attributes.system.alloc-bypass.R`, and runs on them also where others run (protocol/25 section 7).

use proto::RawJson;
use proto::data::job::State;
use proto::data::shape::not_found;
use proto::data::{Jobspec, Rset};
use proto::job_manager::JobEvent;
use serde_json::Value;

use super::{Asked, Points, Policy, Step, View, Want, Wants};
use crate::job::Job;

/// The policy.
pub struct AllocBypass;

const PATH: &str = "alloc-bypass.R";
const ATTRIBUTE: &str = "alloc-bypass";

impl Policy for AllocBypass {
    fn name(&self) -> &str {
        ATTRIBUTE
    }

    fn hears(&self) -> Points {
        Points::VALIDATE | Points::STATE
    }

    fn validate(
        &mut self,
        view: &View<'_>,
        Asked { job, jobspec }: Asked<'_>,
        wants: &mut Wants,
    ) -> Result<(), String> {
        if jobspec.system(ATTRIBUTE).is_none_or(Value::is_null) {
            return Ok(());
        }
        if job.life.userid != view.owner {
            return Err("Guest user cannot use alloc bypass".to_owned());
        }
        let r = jobspec.system(PATH).ok_or_else(|| not_found("R"));
        let read = r.and_then(|r| Rset::decode(&r.to_string()).map_err(|error| error.to_string()));
        read.map_err(|error| format!("alloc-bypass: invalid R: {error}"))?;
        if job.is_admitting() {
            wants.post(job.id, JobEvent::SetFlags(vec![ATTRIBUTE.to_owned()]));
        }
        Ok(())
    }

    fn event(&mut self, _: &View<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        if !step.is_into(State::Sched) {
            return;
        }
        let text = job.jobspec();
        if !text.as_str().contains(ATTRIBUTE) {
            return;
        }
        let jobspec = Jobspec::decode(text.as_str());
        let r: Option<Value> = jobspec.ok().and_then(|it| it.system(PATH).cloned());
        if let Some(Ok(r)) = r.map(|r| RawJson::of(&r)) {
            wants.push(Want::Bypass(job.id, r));
        }
    }
}
