//! Answers are shared: each is good for a moment, and while one is being fetched, others who want
//! the same wait for it. So the same question of many browsers costs one request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::{ApiError, Site};
use crate::limits::{ANSWER_BYTES_MAX, CACHE_ANSWERS_MAX, CACHE_FACTOR, CACHE_MIN};

/// Answers by path and query.
#[derive(Default)]
pub struct Cache(Mutex<BTreeMap<String, Slot>>);

/// The holder of its lock asks the instance; the others wait for that.
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// An answer, its form, and the end of its validity.
struct Kept {
    form: HeaderValue,
    body: Bytes,
    until: Instant,
}

impl Cache {
    fn slot(&self, key: String) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= CACHE_ANSWERS_MAX {
            let now = Instant::now();
            // One that is locked is being asked for.
            slots.retain(|_, slot| match slot.try_lock() {
                Ok(kept) => kept.as_ref().is_some_and(|kept| kept.until > now),
                Err(_) => true,
            });
        }
        if slots.len() >= CACHE_ANSWERS_MAX {
            // Asked for, and not kept.
            return Slot::default();
        }
        slots.entry(key).or_default().clone()
    }
}

/// Answers from the cache, or fetches the answer and keeps it.
pub async fn cached(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let slot = site.cache.slot(request.uri().to_string());
    let mut kept = slot.lock().await;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.until > Instant::now()) {
        return answer(kept.form.clone(), kept.body.clone());
    }
    let asked = Instant::now();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let form = response.headers().get(header::CONTENT_TYPE).cloned();
    let form = form.unwrap_or(HeaderValue::from_static("application/json"));
    match to_bytes(response.into_body(), ANSWER_BYTES_MAX).await {
        Ok(body) => {
            let good_for = CACHE_MIN.max(asked.elapsed().saturating_mul(CACHE_FACTOR));
            let until = asked.checked_add(good_for).unwrap_or(asked);
            *kept = Some(Kept {
                form: form.clone(),
                body: body.clone(),
                until,
            });
            answer(form, body)
        }
        Err(_) => ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "the answer is too long")
            .into_response(),
    }
}

fn answer(form: HeaderValue, body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, form)], Body::from(body)).into_response()
}

const _: () = assert!(CACHE_FACTOR > 0 && !CACHE_MIN.is_zero());
