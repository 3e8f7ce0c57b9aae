//! `/api/v1/events`: changes, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{Stream, unfold};
use tokio::sync::broadcast::error::RecvError;

use crate::limits::KEEP_ALIVE;
use crate::serve::live::{News, Viewer};
use crate::serve::{ApiError, Site};

/// Answers, until the browser leaves.
pub async fn get(
    State(site): State<Arc<Site>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let viewer = site.live.join()?;
    let stream = unfold(viewer, |mut viewer| async {
        let event = next(&mut viewer).await?;
        Some((Ok(event), viewer))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

async fn next(viewer: &mut Viewer) -> Option<Event> {
    if let Some(first) = viewer.first.take() {
        return Some(event(&first));
    }
    match viewer.news.recv().await {
        Ok(news) => Some(event(&news)),
        // It was too slow: it has to look at everything.
        Err(RecvError::Lagged(_)) => Some(Event::default().event("again").data("{}")),
        Err(RecvError::Closed) => None,
    }
}

fn event(news: &News) -> Event {
    Event::default().event(news.kind).data(&news.data)
}
