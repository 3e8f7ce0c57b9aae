//! Changes in the instance, for all browsers together: one connection and one thread follow
//! job-list and the log of the resources, as long as there is a viewer.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use axum::http::StatusCode;
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::broadcast;

use super::ApiError;
use super::api::Users;
use super::reader;
use crate::Counters;
use crate::limits::{NEWS_MAX, VIEWERS_MAX};
use crate::serve::listener::Counted;

/// A change.
#[derive(Debug)]
pub struct News {
    /// `counts`, `jobs`, `nodes` or `again`.
    pub kind: &'static str,
    /// JSON in one line.
    pub data: String,
}

/// The viewers, and the channel to them.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

/// State shared by the reader and the viewers.
pub struct Shared {
    pub(super) uri: String,
    pub(super) users: Arc<Users>,
    pub(super) news: broadcast::Sender<Arc<News>>,
    pub(super) wake: OwnedFd,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    n_viewers: usize,
    is_read: bool,
    counts: Option<Arc<News>>,
}

impl Live {
    /// Without viewers.
    pub fn new(uri: &str, users: Arc<Users>, counters: Arc<Counters>) -> Result<Live, String> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = wake.map_err(|error| format!("cannot follow the instance: {error}"))?;
        Ok(Live(Arc::new(Shared {
            uri: uri.to_owned(),
            users,
            news: broadcast::Sender::new(NEWS_MAX),
            wake,
            counters,
            state: Mutex::default(),
        })))
    }

    /// Adds a viewer. The first starts the thread.
    pub fn join(&self) -> Result<Viewer, ApiError> {
        let shared = &self.0;
        let mut state = shared.state();
        if state.n_viewers >= VIEWERS_MAX {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many browsers follow this page",
            ));
        }
        if !state.is_read {
            let reader = shared.clone();
            let started = Builder::new()
                .name("live".to_owned())
                .spawn(move || reader::read(&reader));
            started.map_err(|error| {
                ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("cannot follow the instance: {error}"),
                )
            })?;
            state.is_read = true;
        }
        state.n_viewers += 1;
        Ok(Viewer {
            first: state.counts.clone(),
            news: shared.news.subscribe(),
            shared: shared.clone(),
            _counted: Counted::of(shared.counters.clone(), |counters| &counters.viewers),
        })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all viewers. Numbers of jobs are told to later viewers, too.
    pub(super) fn tell(&self, kind: &'static str, data: String) {
        let news = Arc::new(News { kind, data });
        if kind == "counts" {
            self.state().counts = Some(news.clone());
        }
        // Without viewers it is lost, as it should be.
        let _ = self.news.send(news);
    }

    /// True, and recorded, if the thread may end because there is no viewer.
    pub(super) fn may_end(&self) -> bool {
        let mut state = self.state();
        let may_end = state.n_viewers == 0;
        if may_end {
            *state = State::default();
        }
        may_end
    }

    /// Records that the thread has ended: the next viewer starts another.
    pub(super) fn has_ended(&self) {
        let mut state = self.state();
        (state.is_read, state.counts) = (false, None);
    }
}

/// A browser that follows.
pub struct Viewer {
    /// The first news.
    pub first: Option<Arc<News>>,
    /// The news after that.
    pub news: broadcast::Receiver<Arc<News>>,
    shared: Arc<Shared>,
    _counted: Counted,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.shared.state().n_viewers -= 1;
        // It fails only if it is ringing already.
        let _ = rustix::io::write(&self.shared.wake, &1u64.to_ne_bytes());
    }
}
