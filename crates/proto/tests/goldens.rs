//! One example of each request and response, as it is on the wire. A changed shape is
//! a diff in `goldens/`, which a reviewer sees; an example that does not survive being
//! read and written again fails here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proto::{BadPayload, Declared};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

/// A payload as it is on the wire: `null` is none, a text is raw bytes.
fn payload(value: &Value, is_json: bool) -> Option<Bytes> {
    match value {
        Value::Null => None,
        Value::String(raw) if !is_json => Some(Bytes::from(raw.clone())),
        other => Some(Bytes::from(format!("{other}\0"))),
    }
}

/// Reads and writes one example; returns the error.
fn check(
    what: &str,
    value: Option<&Value>,
    is_json: bool,
    again: fn(Option<&Bytes>) -> Result<Bytes, BadPayload>,
) -> Option<String> {
    let Some(value) = value else {
        return Some(format!("{what}: missing"));
    };
    let sent = payload(value, is_json);
    match again(sent.as_ref()) {
        Err(bad) => Some(format!("{what}: {bad}")),
        Ok(back) => {
            let sent = sent.unwrap_or_default();
            let same = match (parse(&sent), parse(&back)) {
                (Some(sent), Some(back)) => sent == back,
                _ => sent == back,
            };
            (!same).then(|| format!("{what}: came back as {}", String::from_utf8_lossy(&back)))
        }
    }
}

fn parse(payload: &[u8]) -> Option<Value> {
    serde_json::from_slice(payload.strip_suffix(b"\0")?).ok()
}

fn check_method(method: &Declared) -> Vec<String> {
    let path = folder().join(format!("{}.json", method.topic));
    let Ok(text) = std::fs::read_to_string(&path) else {
        return vec![format!("{}: goldens/{0}.json is missing", method.topic)];
    };
    let golden: Value = match serde_json::from_str(&text) {
        Ok(golden) => golden,
        Err(error) => return vec![format!("{}: {error}", method.topic)],
    };
    let request = check(
        &format!("{} request", method.topic),
        golden.get("request"),
        (method.request_schema)().is_some(),
        method.request_again,
    );
    let response = check(
        &format!("{} response", method.topic),
        golden.get("response"),
        (method.response_schema)().is_some(),
        method.response_again,
    );
    request.into_iter().chain(response).collect()
}

#[test]
fn every_method_has_an_example_that_survives_the_wire() {
    let services = proto::services();
    let methods = services.iter().flat_map(|service| service.methods);
    let breaches: Vec<String> = methods.flat_map(check_method).collect();
    assert!(breaches.is_empty(), "\n  {}\n", breaches.join("\n  "));
}

#[test]
fn every_example_is_of_a_method() {
    let services = proto::services();
    let methods = services.iter().flat_map(|service| service.methods);
    let topics: BTreeSet<&str> = methods.map(|method| method.topic).collect();
    for entry in std::fs::read_dir(folder()).expect("goldens/ is there") {
        let name = entry.expect("goldens/ can be read").file_name();
        let name = name.to_string_lossy();
        let topic = name.strip_suffix(".json").unwrap_or(&name);
        assert!(topics.contains(topic), "{topic} is not declared");
    }
}
