//! What happens in the instance, as it happens, for all browsers together: one connection and one
//! thread follow job-list and the log of the resources, as long as somebody looks.

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

/// Something that browsers are told.
#[derive(Debug)]
pub struct News {
    /// `counts`, `jobs`, `nodes` or `again`.
    pub kind: &'static str,
    /// JSON in one line.
    pub data: String,
}

/// Who looks, and what they are told.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

/// What the thread that reads, and those who look, have in common.
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
    /// Nobody looks yet.
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

    /// One more looks. The first has the thread start.
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

    /// Tells everybody who looks. Numbers of jobs are told to those who come later, too.
    pub(super) fn tell(&self, kind: &'static str, data: String) {
        let news = Arc::new(News { kind, data });
        if kind == "counts" {
            self.state().counts = Some(news.clone());
        }
        // Nobody looks just now.
        let _ = self.news.send(news);
    }

    /// Whether the thread may end because nobody looks.
    pub(super) fn may_end(&self) -> bool {
        let mut state = self.state();
        let may_end = state.n_viewers == 0;
        if may_end {
            *state = State::default();
        }
        may_end
    }

    /// The thread ends regardless of who looks: the next who comes starts another.
    pub(super) fn has_ended(&self) {
        let mut state = self.state();
        (state.is_read, state.counts) = (false, None);
    }
}

/// Somebody who looks.
pub struct Viewer {
    /// What is told before all else.
    pub first: Option<Arc<News>>,
    /// What is told as it happens.
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
