//! `/api/v1/instance.json`: the instance itself, in a few words.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use client::Call;
use proto::attr::{self, Attr, names};
use proto::data::Rset;
use proto::resource::SchedStatus;
use proto::{Errno, state_machine};
use serde::Serialize;

use crate::serve::{ApiError, Site};

/// The instance itself.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The state of its first broker.
    state: String,
    /// Seconds since it entered it.
    duration: f64,
    owner: String,
    /// Brokers.
    size: u32,
    /// Number of enclosing instances.
    level: u32,
    /// Its id as a job of the one around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobid: Option<String>,
    /// Host of the broker that answers.
    host: String,
    /// Version of Flux with which it is compatible.
    version: String,
    /// Null without a scheduler.
    resources: Option<Resources>,
}

/// Resources by their use.
#[derive(Debug, Serialize)]
pub struct Resources {
    all: Counts,
    /// Offline or drained.
    down: Counts,
    /// Jobs have them.
    allocated: Counts,
}

/// Amounts by kind.
#[derive(Debug, Serialize)]
pub struct Counts {
    nodes: usize,
    cores: u64,
    gpus: u64,
}

/// Answers.
pub async fn get(State(site): State<Arc<Site>>) -> Result<Json<Shown>, ApiError> {
    let state = site.instance.rpc(&state_machine::Get).await?;
    let owner = value(&site, &names::SECURITY_OWNER).await?;
    let used = site.instance.call(Call::new(&SchedStatus).to(0)).await;
    let resources = match used {
        Ok(used) => Some(Resources {
            all: count(&used.all),
            down: count(&used.down),
            allocated: count(&used.allocated),
        }),
        Err(refusal) if refusal.errno == Errno::ENOSYS => None,
        Err(refusal) => return Err(refusal.into()),
    };
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    Ok(Json(Shown {
        state: state.state,
        duration: state.duration,
        owner: number(owner).map_or_else(String::new, |userid| site.users.name(userid)),
        size: number(value(&site, &names::SIZE).await?).unwrap_or(1),
        level: number(value(&site, &names::INSTANCE_LEVEL).await?).unwrap_or(0),
        jobid: value(&site, &names::JOBID).await?,
        host: value(&site, &names::HOSTNAME).await?.unwrap_or_default(),
        version: value(&site, &names::VERSION).await?.unwrap_or_default(),
        resources,
    }))
}

async fn value(site: &Site, attr: &Attr) -> Result<Option<String>, ApiError> {
    let name = attr.name.to_owned();
    match site.instance.rpc(&attr::Get { name }).await {
        Ok(found) => Ok(Some(found.value)),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

fn count(set: &Rset) -> Counts {
    Counts {
        nodes: set.nnodes(),
        cores: set.ncores(),
        gpus: set.ngpus(),
    }
}
