//! `/metrics`: what the services count, for Prometheus. Asked for when it is scraped, from methods
//! that are there for it (`NAME.metrics`) and those that show counters to people.
//!
//! Read on in `figures.rs` (every figure there is), `gather.rs` (who is asked for it) and
//! `scrape.rs` (how it is written).

mod figures;
mod gather;
mod scrape;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{ApiError, Site};

/// The text format of OpenMetrics, which Prometheus asks for.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Parameters of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The broker whose figures are wanted. Those of the instance come with rank 0.
    #[serde(default)]
    rank: u32,
}

/// Answers.
pub async fn get(
    State(site): State<Arc<Site>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(Wanted { rank }) = wanted?;
    let scrape = gather::gather(&site.instance, rank).await?;
    let text = scrape.text(rank).map_err(|_| {
        let what = "the figures cannot be written";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    })?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
