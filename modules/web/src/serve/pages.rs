//! The page itself, which is part of the program.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::Site;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("../page/index.html")),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("../page/style.css"),
    ),
    (
        "/icon.svg",
        "image/svg+xml",
        include_str!("../page/icon.svg"),
    ),
    ("/main.js", SCRIPT, include_str!("../page/main.js")),
    ("/api.js", SCRIPT, include_str!("../page/api.js")),
    ("/dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("/view.js", SCRIPT, include_str!("../page/view.js")),
    ("/jobs.js", SCRIPT, include_str!("../page/jobs.js")),
    ("/job.js", SCRIPT, include_str!("../page/job.js")),
    ("/queues.js", SCRIPT, include_str!("../page/queues.js")),
    ("/nodes.js", SCRIPT, include_str!("../page/nodes.js")),
    ("/rates.js", SCRIPT, include_str!("../page/rates.js")),
];

/// A route for each file.
pub fn routes() -> Router<Arc<Site>> {
    FILES
        .iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(|| async { file(kind, text) }))
        })
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}
