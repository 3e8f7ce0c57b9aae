//! `/api/v1/jobs/ID.json`: one job, with its event log, its jobspec and its resources.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::data::JobId;
use proto::job_info::{CURRENT, JSON_DECODE, Lookup};
use proto::job_list::ListId;
use proto::{Errno, Refusal};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::rows::shown;
use crate::limits::JOB_EVENTS_MAX;
use crate::serve::{ApiError, Site};

/// A job.
#[derive(Debug, Serialize)]
pub struct Job {
    job: Map<String, Value>,
    /// In the order in which they happened.
    eventlog: Vec<Value>,
    /// Events before these.
    left_out: usize,
    /// Without the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobspec: Option<Value>,
    #[serde(rename = "R", skip_serializing_if = "Option::is_none")]
    r: Option<Value>,
}

/// Answers.
pub async fn get(
    State(site): State<Arc<Site>>,
    Path(file): Path<String>,
) -> Result<Json<Job>, ApiError> {
    let id = file.strip_suffix(".json").ok_or_else(no_such_page)?;
    let id: JobId = id
        .parse()
        .map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, format!("{id} is no job id")))?;
    let request = ListId {
        id: Some(json!(id)),
        attrs: Some(json!(["all"])),
        ..ListId::default()
    };
    let job = site
        .instance
        .rpc(&request)
        .await
        .map_err(|refusal| unknown(id, refusal))?;
    let (left_out, eventlog) = match look_up(&site, id, "eventlog", 0).await? {
        Some(Value::String(log)) => last_events(&log),
        _ => (0, Vec::new()),
    };
    let mut jobspec = look_up(&site, id, "jobspec", JSON_DECODE | CURRENT).await?;
    if let Some(system) = jobspec
        .as_mut()
        .and_then(|spec| spec.pointer_mut("/attributes/system"))
        && let Some(system) = system.as_object_mut()
    {
        system.remove("environment");
    }
    Ok(Json(Job {
        job: shown(job.job.0, &site.users),
        eventlog,
        left_out,
        jobspec,
        r: look_up(&site, id, "R", JSON_DECODE | CURRENT).await?,
    }))
}

fn no_such_page() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such page").hint("doc/web.md lists them")
}

fn unknown(id: JobId, refusal: Refusal) -> ApiError {
    match refusal.errno {
        Errno::ENOENT => ApiError::new(StatusCode::NOT_FOUND, format!("there is no job {id}")),
        _ => refusal.into(),
    }
}

/// A key of the job, if it has it.
async fn look_up(site: &Site, id: JobId, key: &str, flags: u32) -> Result<Option<Value>, ApiError> {
    let keys = vec![key.to_owned()];
    match site.instance.rpc(&Lookup { id, keys, flags }).await {
        Ok(mut found) => Ok(found.values.remove(key)),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// The last events of a log, and how many are before them.
fn last_events(log: &str) -> (usize, Vec<Value>) {
    let left_out = log.lines().count().saturating_sub(JOB_EVENTS_MAX);
    let lines = log.lines().skip(left_out);
    (
        left_out,
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_shown_from_its_end() {
        let log: String = (0..JOB_EVENTS_MAX + 2)
            .map(|n| format!("{{\"n\":{n}}}\n"))
            .collect();
        let (left_out, events) = last_events(&log);
        assert_eq!((left_out, events.len()), (2, JOB_EVENTS_MAX));
        assert_eq!(events[0], json!({"n": 2}));
    }
}
