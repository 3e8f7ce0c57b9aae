//! Connections: accepted on one thread, no more than the limit, each cut off that does not speak.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime as executor;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::Counters;
use crate::limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_WAIT};

/// A thread that listens, until this is dropped.
pub struct Listening {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// Answers on `socket` with `app`.
pub fn listen(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
    counters: Arc<Counters>,
) -> io::Result<Listening> {
    socket.set_nonblocking(true)?;
    let executor = executor::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let run = move || {
        executor.spawn(accept(socket, tls, app, counters));
        // The other end is dropped when we are to stop.
        let _ = executor.block_on(stopped);
        // Connections end where they are.
        executor.shutdown_background();
    };
    Ok(Listening {
        stop: Some(stop),
        thread: Some(Builder::new().name("http".to_owned()).spawn(run)?),
    })
}

async fn accept(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
    counters: Arc<Counters>,
) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!("the socket of the page cannot be watched: {error}"),
    };
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("a connection to the page was not accepted: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(seat) = seats.clone().try_acquire_owned() else {
            counters.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let (tls, app, counters) = (tls.clone(), app.clone(), counters.clone());
        tokio::spawn(async move {
            let _counted = Counted::of(counters, |counters| &counters.connections);
            serve(stream, tls, app).await;
            drop(seat);
        });
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, app: Router) {
    // Without it answers are only later.
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk(stream, app).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HEAD_WAIT, tls.accept(stream)).await {
                talk(stream, app).await;
            }
        }
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    // A client that breaks off, or speaks nonsense, is no business of ours.
    let _ = connection.await;
}

/// Something that is counted as long as it is there.
pub struct Counted {
    counters: Arc<Counters>,
    which: fn(&Counters) -> &AtomicU64,
}

impl Counted {
    /// Counts one more.
    pub fn of(counters: Arc<Counters>, which: fn(&Counters) -> &AtomicU64) -> Counted {
        which(&counters).fetch_add(1, Ordering::Relaxed);
        Counted { counters, which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.counters).fetch_sub(1, Ordering::Relaxed);
    }
}
