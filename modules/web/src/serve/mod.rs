//! The HTTP server beside the core, and its connection to the instance.
//!
//! One thread speaks HTTP (`listener.rs`, `tls.rs`), one asks the instance for all requests
//! together (`instance.rs`). A request passes `guard.rs` first, then goes to `pages.rs`,
//! which serves the page from the program itself, or to `api/`, one file a resource. To add one is a
//! function and its line in `api::routes`. `metrics/` is the same for Prometheus.

mod api;
mod cache;
mod guard;
mod instance;
mod listener;
mod live;
mod metrics;
mod pages;
mod reader;
mod tls;

#[cfg(test)]
mod tests;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::settings::Settings;
use crate::{Counters, Running, Serve, token};

pub use api::{ApiError, Users};
pub use cache::Cache;
pub use instance::Instance;
pub use live::Live;

/// The state that requests share.
pub struct Site {
    /// The token that requests of the API must bring.
    pub token: String,
    /// Names by which browsers may call the page.
    pub hosts: Vec<String>,
    /// The instance that is shown.
    pub instance: Instance,
    /// Changes in it.
    pub live: Live,
    /// Names of users.
    pub users: Arc<Users>,
    /// Answers that are still good.
    pub cache: Cache,
    /// Counters.
    pub counters: Arc<Counters>,
}

impl Site {
    fn new(token: String, settings: &Settings, counters: Arc<Counters>) -> Result<Site, String> {
        let users: Arc<Users> = Arc::default();
        Ok(Site {
            token,
            hosts: settings.hosts.clone(),
            instance: Instance::connect(&settings.uri)?,
            live: Live::new(&settings.uri, users.clone(), counters.clone())?,
            users,
            cache: Cache::default(),
            counters,
        })
    }
}

/// The page on a socket of this host.
#[derive(Default)]
pub struct ThisHost {
    listening: Option<listener::Listening>,
}

impl Serve for ThisHost {
    fn start(&mut self, settings: &Settings, counters: Arc<Counters>) -> Result<Running, String> {
        // Its port may be wanted again.
        self.listening = None;
        let token = token::obtain(Path::new(&settings.token_file))?;
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let place = SocketAddr::new(settings.address, settings.port);
        let failed = |error: std::io::Error| {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!("cannot listen on {place}: {text}")
        };
        let socket = TcpListener::bind(place).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let site = Site::new(token.clone(), settings, counters.clone())?;
        let listening = listener::listen(socket, tls, router(Arc::new(site)), counters);
        self.listening = Some(listening.map_err(failed)?);
        Ok(Running { address, token })
    }
}

/// All routes. The page itself is the same for all and tells nothing; the API needs the token.
pub fn router(site: Arc<Site>) -> Router {
    let api = api::routes(site.clone()).layer(from_fn_with_state(site.clone(), guard::token));
    Router::new()
        .merge(pages::routes())
        .merge(api)
        .fallback(guard::unknown)
        .layer(from_fn_with_state(site.clone(), guard::request))
        .with_state(site)
}
