//! The module without a socket: its answers, and its end when the server cannot start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use node::probe::Probe;

use crate::{Counters, Running, Serve, Settings, Web};

/// Listens nowhere.
struct Nowhere;

impl Serve for Nowhere {
    fn start(&mut self, settings: &Settings, counters: Arc<Counters>) -> Result<Running, String> {
        if settings.port == 1 {
            return Err("cannot listen on 127.0.0.1:1: Permission denied".to_owned());
        }
        counters.requests.fetch_add(7, Ordering::Relaxed);
        Ok(Running {
            address: SocketAddr::new(settings.address, settings.port),
            token: "t0k3n".to_owned(),
        })
    }
}

fn start(args: &[&str]) -> Probe<Web> {
    let attrs = [
        ("rundir", "/run"),
        ("local-uri", "local:///run/local-0"),
        ("hostname", "node1"),
    ];
    Probe::start_with(Box::new(Nowhere) as Box<dyn Serve>, args, "{}", &attrs).unwrap()
}

#[test]
fn the_owner_is_told_where_the_page_is() {
    let mut probe = start(&["port=8080"]);
    probe.said();
    probe.request("web.address", "");
    let reply = r#"{"url":"http://127.0.0.1:8080/#t0k3n","address":"127.0.0.1:8080","tls":false,"token_file":"/run/web.token"}"#;
    assert_eq!(probe.said(), [format!("response web.address #1 {reply}")]);
    probe.request("web.stats-get", "");
    let stats = r#"{"connections":0,"viewers":0,"requests":7,"refused":0,"turned_away":0}"#;
    assert_eq!(probe.said(), [format!("response web.stats-get #2 {stats}")]);
}
