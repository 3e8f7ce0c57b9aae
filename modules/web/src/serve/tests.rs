//! The router without a socket, in front of a broker made of one function; and what happens when
//! there are too many.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use client::fake::{FakeBroker, answer, refuse};
use proto::{Errno, Refusal};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::{Site, listener, router};
use crate::limits::{CONNECTIONS_MAX, VIEWERS_MAX};
use crate::{Counters, Settings};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A page in front of a broker that answers everything in the same way.
struct Stage {
    site: Arc<Site>,
    /// Requests that the broker has had.
    n_asked: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl Stage {
    fn new(says: Result<Value, Refusal>) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let n_asked = Arc::new(AtomicUsize::new(0));
        let counter = n_asked.clone();
        let broker = FakeBroker::listen(&folder.path().join("local"), move |request| {
            counter.fetch_add(1, Ordering::Relaxed);
            vec![match &says {
                Ok(object) => answer(request, object),
                Err(refusal) => refuse(request, refusal),
            }]
        });
        let settings = Settings {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            token_file: String::new(),
            tls: None,
            hosts: vec!["localhost".to_owned()],
            uri: broker.unwrap().uri(),
            hostname: "node1".to_owned(),
        };
        let site = Site::new(TOKEN.to_owned(), &settings, Arc::default()).unwrap();
        Stage {
            site: Arc::new(site),
            n_asked,
            _folder: folder,
        }
    }

    async fn ask(&self, request: Builder) -> Response {
        let request = request.body(Body::empty()).unwrap();
        router(self.site.clone()).oneshot(request).await.unwrap()
    }

    async fn check(&self, request: Builder, status: StatusCode, text: &str) {
        let response = self.ask(request).await;
        let got = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!((got, body.contains(text)), (status, true), "{body}");
    }
}

/// One that has no jobs.
fn stage() -> Stage {
    Stage::new(Ok(json!({"jobs": []})))
}

fn get(path: &str) -> Builder {
    Request::get(path).header(header::HOST, "localhost:80")
}

fn with_token(path: &str, token: &str) -> Builder {
    get(path).header(header::AUTHORIZATION, format!("Bearer {token}"))
}

fn run(future: impl Future<Output = ()>) {
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    executor.unwrap().block_on(future);
}

const JOBS: &str = "/api/v1/jobs.json";

#[test]
fn the_page_is_for_all_and_the_api_for_those_with_the_token() {
    let stage = stage();
    run(async {
        stage
            .check(get("/"), StatusCode::OK, "<!doctype html>")
            .await;
        let (denied, missing) = (StatusCode::UNAUTHORIZED, "the token of the page is missing");
        for path in [JOBS, "/api/v1/jobs/f1.json", "/api/v1/events"] {
            stage.check(get(path), denied, missing).await;
        }
        let wrong = with_token(JOBS, "x");
        stage
            .check(wrong, denied, "this is not the token of the page")
            .await;
        assert_eq!(stage.n_asked.load(Ordering::Relaxed), 0);
        stage
            .check(
                with_token(JOBS, TOKEN),
                StatusCode::OK,
                r#"{"jobs":[],"next":null}"#,
            )
            .await;
    });
    assert_eq!(stage.site.counters.refused.load(Ordering::Relaxed), 4);
}

#[test]
fn other_methods_hosts_and_paths_are_refused() {
    let stage = stage();
    run(async {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let other = Request::builder()
                .method(method)
                .uri("/")
                .header(header::HOST, "localhost");
            stage
                .check(other, StatusCode::METHOD_NOT_ALLOWED, "read-only")
                .await;
        }
        let strange = Request::get("/").header(header::HOST, "evil.example");
        let text = "Host 'evil.example' is no name of this page";
        stage.check(strange, StatusCode::FORBIDDEN, text).await;
        stage
            .check(
                Request::get("/"),
                StatusCode::FORBIDDEN,
                "Host '' is no name",
            )
            .await;
        stage
            .check(
                get("/etc/passwd"),
                StatusCode::NOT_FOUND,
                "there is no such page",
            )
            .await;
    });
}

#[test]
fn browsers_are_told_to_load_nothing_from_elsewhere() {
    let stage = stage();
    run(async {
        for path in ["/", "/nowhere", JOBS] {
            let response = stage.ask(get(path)).await;
            let policy = &response.headers()[header::CONTENT_SECURITY_POLICY];
            assert!(
                policy
                    .to_str()
                    .unwrap()
                    .starts_with("default-src 'none'; script-src 'self';")
            );
            assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
        }
    });
}

#[test]
fn what_many_ask_at_once_is_asked_once() {
    let stage = stage();
    run(async {
        for _ in 0..5 {
            stage
                .check(with_token(JOBS, TOKEN), StatusCode::OK, "[]")
                .await;
        }
        assert_eq!(stage.n_asked.load(Ordering::Relaxed), 1);
        let other = format!("{JOBS}?state=running");
        stage
            .check(with_token(&other, TOKEN), StatusCode::OK, "[]")
            .await;
        assert_eq!(stage.n_asked.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_refusal_of_a_service_is_passed_on_and_not_kept() {
    let text = "Unknown service method";
    let stage = Stage::new(Err(Refusal::new(Errno::ENOSYS, text)));
    run(async {
        for _ in 0..2 {
            stage
                .check(
                    with_token(JOBS, TOKEN),
                    StatusCode::SERVICE_UNAVAILABLE,
                    text,
                )
                .await;
        }
        assert_eq!(stage.n_asked.load(Ordering::Relaxed), 2);
        let unknown = with_token("/api/v1/jobs.json?color=red", TOKEN);
        stage
            .check(unknown, StatusCode::BAD_REQUEST, "unknown field `color`")
            .await;
    });
}

#[test]
fn one_viewer_too_many_is_refused_until_another_leaves() {
    let stage = stage();
    let mut viewers: Vec<_> = (0..VIEWERS_MAX)
        .map(|_| stage.site.live.join().ok())
        .collect();
    assert!(viewers.iter().all(Option::is_some));
    assert_eq!(
        stage.site.counters.viewers.load(Ordering::Relaxed),
        VIEWERS_MAX as u64
    );
    assert!(stage.site.live.join().is_err());
    viewers.pop();
    assert!(stage.site.live.join().is_ok());
}

#[test]
fn one_connection_too_many_is_closed() {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let place = socket.local_addr().unwrap();
    let counters: Arc<Counters> = Arc::default();
    let _listening = listener::listen(socket, None, Router::new(), counters.clone()).unwrap();
    // They are accepted in the order in which they come.
    let mut connections: Vec<TcpStream> = (0..=CONNECTIONS_MAX)
        .map(|_| TcpStream::connect(place).unwrap())
        .collect();
    let mut last = connections.pop().unwrap();
    assert_eq!(last.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(counters.turned_away.load(Ordering::Relaxed), 1);
}
