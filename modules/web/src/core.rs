//! The state of the module: its settings, the address of the server, and counters.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use node::Cx;
use proto::web::{AddressReply, Stats};
use proto::{Errno, Refusal};

use crate::settings::Settings;

/// Speaks HTTP. Tests put another in its place.
pub trait Serve: Send {
    /// Begins to listen as the settings say, in place of what listened before, or says why not.
    fn start(&mut self, settings: &Settings, counters: Arc<Counters>) -> Result<Running, String>;
}

/// A server that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its address.
    pub address: SocketAddr,
    /// Its token.
    pub token: String,
}

/// Counters of the server's threads.
#[derive(Debug, Default)]
pub struct Counters {
    /// See [`Stats::connections`].
    pub connections: AtomicU64,
    /// See [`Stats::viewers`].
    pub viewers: AtomicU64,
    /// See [`Stats::requests`].
    pub requests: AtomicU64,
    /// See [`Stats::refused`].
    pub refused: AtomicU64,
    /// See [`Stats::turned_away`].
    pub turned_away: AtomicU64,
}

/// State of the module.
#[derive(Debug)]
pub struct Web {
    settings: Settings,
    /// Set when the start is over.
    running: Option<Running>,
    counters: Arc<Counters>,
}

impl Web {
    /// Has the server start; the module runs when it listens.
    pub(crate) fn new(cx: &mut Cx<Self>, settings: Settings) -> Web {
        let web = Web {
            settings,
            running: None,
            counters: Arc::default(),
        };
        web.listen(cx, |web, cx, running| match running {
            Ok(running) => {
                tracing::info!("the page is on {}", running.address);
                web.running = Some(running);
                cx.started(Ok(()));
            }
            Err(text) => cx.started(Err(Refusal::new(Errno::EINVAL, text))),
        });
        web
    }

    /// Goes on with other settings. Connections are closed.
    pub(crate) fn adopt(&mut self, cx: &mut Cx<Self>, settings: Settings) {
        if settings == self.settings {
            return;
        }
        self.settings = settings;
        self.listen(cx, |web, cx, running| match running {
            Ok(running) => {
                tracing::info!("the page is on {} now", running.address);
                web.running = Some(running);
            }
            // The old server has stopped: there is nothing left to do.
            Err(text) => cx.exit(Err(Refusal::new(Errno::EINVAL, text))),
        });
    }

    fn listen(
        &self,
        cx: &mut Cx<Self>,
        done: impl FnOnce(&mut Web, &mut Cx<Web>, Result<Running, String>) + 'static,
    ) {
        let (settings, counters) = (self.settings.clone(), self.counters.clone());
        cx.work(move |server| server.start(&settings, counters), done);
    }

    pub(crate) fn address(&self) -> AddressReply {
        let Some(running) = &self.running else {
            // Requests wait until the server listens.
            return AddressReply {
                url: String::new(),
                address: String::new(),
                tls: false,
                token_file: String::new(),
            };
        };
        let tls = self.settings.tls.is_some();
        let scheme = if tls { "https" } else { "http" };
        let Running { address, token } = running;
        // A browser cannot go to the address that stands for all.
        let place = match address.ip().is_unspecified() {
            true => format!("{}:{}", self.settings.hostname, address.port()),
            false => address.to_string(),
        };
        AddressReply {
            url: format!("{scheme}://{place}/#{token}"),
            address: address.to_string(),
            tls,
            token_file: self.settings.token_file.clone(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            connections: count(&self.counters.connections),
            viewers: count(&self.counters.viewers),
            requests: count(&self.counters.requests),
            refused: count(&self.counters.refused),
            turned_away: count(&self.counters.turned_away),
        }
    }
}
