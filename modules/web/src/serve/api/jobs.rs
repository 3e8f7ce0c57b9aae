//! `/api/v1/jobs.json`: jobs by state, result, user, queue and name, in pages.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use proto::job_list::List;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::rows::{LISTED, shown};
use super::users::Users;
use crate::limits::{PAGE_JOBS, PAGE_JOBS_MAX};
use crate::serve::{ApiError, Site};

/// Parameters. An empty value is the same as none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    state: String,
    result: String,
    user: String,
    queue: String,
    name: String,
    limit: Option<u32>,
    after: String,
}

/// A page of jobs.
#[derive(Debug, Serialize)]
pub struct Page {
    jobs: Vec<Map<String, Value>>,
    /// Value of `after` for the next page; null on the last one.
    next: Option<String>,
}

/// Answers.
pub async fn get(
    State(site): State<Arc<Site>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(PAGE_JOBS).clamp(1, PAGE_JOBS_MAX);
    let request = List {
        max_entries: Some(json!(limit)),
        attrs: Some(json!(LISTED)),
        constraint: Some(constraint(&wanted, &site.users)?),
        after: Some(wanted.after),
        ..List::default()
    };
    let listed = site.instance.rpc(&request).await?;
    let jobs = listed.jobs.into_iter().map(|job| shown(job.0, &site.users));
    Ok(Json(Page {
        jobs: jobs.collect(),
        next: listed.cursor,
    }))
}

/// The constraint (RFC 31) that a query stands for.
fn constraint(wanted: &Wanted, users: &Users) -> Result<Value, ApiError> {
    let mut all = Vec::new();
    if !wanted.user.is_empty() {
        all.push(json!({"userid": [users.id(&wanted.user)?]}));
    }
    let texts = [
        ("states", &wanted.state),
        ("results", &wanted.result),
        ("queue", &wanted.queue),
        ("name", &wanted.name),
    ];
    let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
    all.extend(given.map(|(operator, text)| json!({operator: [text]})));
    Ok(json!({"and": all}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_asked() {
        let none = constraint(&Wanted::default(), &Users::default());
        assert_eq!(none.unwrap(), json!({"and": []}));
        let wanted = Wanted {
            state: "running".to_owned(),
            user: "root".to_owned(),
            name: "sleep".to_owned(),
            ..Wanted::default()
        };
        let expect =
            json!({"and": [{"userid": [0]}, {"states": ["running"]}, {"name": ["sleep"]}]});
        assert_eq!(constraint(&wanted, &Users::default()).unwrap(), expect);
    }
}
