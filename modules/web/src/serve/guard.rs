//! Checks of every request: nothing but GET, a Host that is ours, and for the API the token; and
//! the headers of every answer.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{ApiError, Site};
use crate::token::is_same;

/// Orders to browsers: load nothing from elsewhere, show the page in no frame, tell nobody its
/// address.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Lets a request in if it is a GET to one of our names. A page of another site whose name leads to
/// this host is not let in.
pub async fn request(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    site.counters.requests.fetch_add(1, Ordering::Relaxed);
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let refusal = if request.method() != Method::GET {
        let error = ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "the page is read-only: GET alone",
        );
        Some(([(header::ALLOW, "GET")], error).into_response())
    } else if !is_ours(host, &site.hosts) {
        let text = format!("Host '{host}' is no name of this page");
        let hint = "use its IP address or localhost, or add the name to web.hosts";
        Some(
            ApiError::new(StatusCode::FORBIDDEN, text)
                .hint(hint)
                .into_response(),
        )
    } else {
        None
    };
    let mut response = match refusal {
        Some(refusal) => {
            site.counters.refused.fetch_add(1, Ordering::Relaxed);
            refusal
        }
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        let headers = response.headers_mut();
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Lets a request in that brings the token, as `Authorization: Bearer TOKEN`.
pub async fn token(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    if given.is_some_and(|given| is_same(given.trim(), &site.token)) {
        return next.run(request).await;
    }
    site.counters.refused.fetch_add(1, Ordering::Relaxed);
    let text = match given {
        Some(_) => "this is not the token of the page",
        None => "the token of the page is missing",
    };
    let hint = "'flux web' shows it; send it as 'Authorization: Bearer TOKEN'";
    let error = ApiError::new(StatusCode::UNAUTHORIZED, text).hint(hint);
    ([(header::WWW_AUTHENTICATE, "Bearer")], error).into_response()
}

/// The answer where nothing is.
pub async fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such page").hint("doc/web.md lists them")
}

/// True if a Host is an IP address, which no other site can make lead here, or one of `names`.
fn is_ours(host: &str, names: &[String]) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        return rest
            .split_once(']')
            .is_some_and(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok());
    }
    let name = host.split(':').next().unwrap_or_default();
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || names.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn addresses_and_names_of_ours_are_let_in_and_names_of_others_not() {
        let names = ["localhost".to_owned(), "node1".to_owned()];
        for host in [
            "127.0.0.1:80",
            "10.0.0.7",
            "[::1]:80",
            "localhost:1",
            "LOCALHOST.",
            "Node1",
        ] {
            assert!(is_ours(host, &names), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "127.0.0.1.evil.example:80",
            "[node1]",
            "[::1",
            "node1.x",
        ] {
            assert!(!is_ours(host, &names), "{host}");
        }
    }
}
