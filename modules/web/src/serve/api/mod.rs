//! The API: `/api/v1/*.json`, documented in doc/web.md. One file a resource; every answer is a JSON
//! object, and so is every refusal.

mod events;
mod instance;
mod job;
mod jobs;
mod nodes;
mod queues;
mod rates;
mod rows;
mod users;

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use proto::{Errno, Refusal};
use serde::Serialize;

use super::{Site, cache, metrics};

pub use rows::{LISTED, shown};
pub use users::Users;

/// The routes of the API, which need the token.
pub fn routes(site: Arc<Site>) -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v1/instance.json", get(instance::get))
        .route("/api/v1/jobs.json", get(jobs::get))
        .route("/api/v1/jobs/{file}", get(job::get))
        .route("/api/v1/queues.json", get(queues::get))
        .route("/api/v1/nodes.json", get(nodes::get))
        .route("/api/v1/rates.json", get(rates::get))
        .route("/metrics", get(metrics::get))
        .layer(from_fn_with_state(site, cache::cached))
        .route("/api/v1/events", get(events::get))
}

/// An error, as the client sees it.
#[derive(Debug, Serialize)]
pub struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    error: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl ApiError {
    /// An error with this sentence.
    pub fn new(status: StatusCode, error: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError {
            status,
            error: error.into(),
            hint: None,
        }
    }

    /// Adds advice.
    pub fn hint(mut self, hint: &'static str) -> ApiError {
        self.hint = Some(hint);
        self
    }
}

/// The refusal of a service, with a status of HTTP and the text of the service.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let status = match refusal.errno {
            Errno::ENOENT => StatusCode::NOT_FOUND,
            Errno::EINVAL | Errno::EPROTO => StatusCode::BAD_REQUEST,
            Errno::ETIMEDOUT => StatusCode::GATEWAY_TIMEOUT,
            Errno::ENOSYS | Errno::EBUSY | Errno::EHOSTUNREACH => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        ApiError::new(status, refusal.to_string())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, rejection.body_text())
            .hint("doc/web.md says what can be asked")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
