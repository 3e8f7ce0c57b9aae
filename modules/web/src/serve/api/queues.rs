//! `/api/v1/queues.json`: the queues, what they take and run, and how many jobs they have.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use proto::job_list::{JobCounts, JobStats, JobStatsReply};
use proto::job_manager::{QueueList, QueueState, QueueStatus};
use serde::Serialize;

use crate::limits::QUEUES_MAX;
use crate::serve::{ApiError, Site};

/// All queues.
#[derive(Debug, Serialize)]
pub struct Queues {
    queues: Vec<Queue>,
    /// Queues that are not among them because there are too many.
    left_out: usize,
}

/// One queue.
#[derive(Debug, Serialize)]
pub struct Queue {
    /// Null for the anonymous one.
    name: Option<String>,
    /// `enable`, `start`, and why not.
    #[serde(flatten)]
    state: QueueState,
    jobs: JobCounts,
}

/// Answers.
pub async fn get(State(site): State<Arc<Site>>) -> Result<Json<Queues>, ApiError> {
    let names = site.instance.rpc(&QueueList).await?.queues;
    let counts = site.instance.rpc(&JobStats).await?;
    let left_out = names.len().saturating_sub(QUEUES_MAX);
    let mut names: Vec<Option<String>> = names.into_iter().take(QUEUES_MAX).map(Some).collect();
    if names.is_empty() {
        names.push(None);
    }
    let mut queues = Vec::new();
    for name in names {
        let state = site
            .instance
            .rpc(&QueueStatus { name: name.clone() })
            .await?;
        let jobs = jobs_of(&counts, name.as_deref());
        queues.push(Queue { name, state, jobs });
    }
    Ok(Json(Queues { queues, left_out }))
}

fn jobs_of(counts: &JobStatsReply, name: Option<&str>) -> JobCounts {
    match name {
        None => counts.all,
        Some(name) => {
            let row = counts.queues.iter().find(|queue| queue.name == name);
            row.map(|queue| queue.counts).unwrap_or_default()
        }
    }
}
