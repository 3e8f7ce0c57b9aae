//! job-manager.jobtap and jobtap-query: policies are loaded, removed, listed and asked
//! (protocol/25 section 6.1).

use node::{Cx, Peer};
use proto::job_manager::{Jobtap, JobtapQuery, JobtapQueryError, Plugins};
use proto::{Object, Refusal};
use serde_json::Value;

use crate::JobManager;
use crate::policy::Want;

pub(crate) fn jobtap(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: Jobtap,
) -> Result<Plugins, Refusal> {
    if request.query_only == Some(true) {
        let names = core.policies.names().map(str::to_owned).collect();
        return Ok(Plugins {
            plugins: Some(names),
        });
    }
    if let Some(pattern) = &request.remove {
        core.policies.remove(pattern)?;
    }
    if let Some(name) = &request.load {
        let conf = &cx.welcome().conf;
        let number = core.policies.load(name, request.conf.as_ref(), conf)?;
        core.introduce(cx, number);
        core.policies.wants().push(Want::RankAll);
    }
    core.run(cx);
    Ok(Plugins::default())
}

pub(crate) fn jobtap_query(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: JobtapQuery,
) -> Result<Object, JobtapQueryError> {
    let told = core.ask_policies(cx, |policies, view| policies.query(view, &request.name));
    let (name, mut told) = told.ok_or(JobtapQueryError::Unknown(request.name))?;
    told.insert("name".to_owned(), Value::from(name));
    told.insert("path".to_owned(), Value::from("builtin"));
    Ok(Object(told))
}
