//! A topic is written once, in `proto`: programs name the type of the method or event.

use super::lexer::without_tests;
use super::sources::shipped_sources;
use super::{assert_none, short};

/// Where topics are declared, and the stand-ins for modules that only tests use.
const EXEMPT: &[&str] = &["crates/proto/", "crates/xtask/"];

#[test]
fn only_proto_writes_topics() {
    let services = proto::services();
    let methods = services.iter().flat_map(|service| service.methods);
    let topics: Vec<&str> = methods
        .map(|method| method.topic)
        .chain(proto::events().map(|event| event.topic))
        .collect();
    let mut breaches = Vec::new();
    for (path, source) in shipped_sources() {
        let path = short(&path);
        if EXEMPT.iter().any(|exempt| path.starts_with(exempt)) {
            continue;
        }
        for topic in &topics {
            if without_tests(&source).contains(&format!("\"{topic}\"")) {
                breaches.push(format!("{path} writes {topic}: name its type in proto"));
            }
        }
    }
    assert_none(&breaches);
}
